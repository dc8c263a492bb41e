// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/service.hpp"

namespace slipway::cloud {

/// The shapes of a service's requests, as AWS's API model has them (shapes/SERVICE.json, made by tools/api_shapes.py).
///   threads  check() from any
class Shapes final {
 public:
  /// throws Error{bad_input} when it is no such table
  explicit Shapes(std::string_view table);
  Shapes(const Shapes&) = delete;
  Shapes& operator=(const Shapes&) = delete;
  ~Shapes();

  /// A member that does not fit: "Member must not be null" at 'secretId'.
  struct Violation {
    std::string
        path;  ///< "tags.1.member.key", members beginning with a small letter as AWS's messages do
    std::string value;       ///< as a message shows it; "null" when absent
    std::string constraint;  ///< "Member must have length less than or equal to 64"
    bool is_type = false;    ///< of the wrong type: `constraint` is the whole message
    bool is_enum = false;
    bool is_sensitive = false;  ///< the value must not be shown
  };
  /// What does not fit the operation's input; nothing for operations without one.
  ///   is_query  scalars are strings, whatever their type
  [[nodiscard]] std::vector<Violation> check(const std::string& operation, const Json& input,
                                             bool is_query) const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

/// The shapes of all services; a service's table is read when its first call comes.
///   threads  check() from any
class ShapeTables final {
 public:
  /// throws Refusal when the call's input does not fit its shape: SerializationException for types, for the rest the service's own code
  /// and words. ECS says itself what is missing or out of range: there only types and enums are looked at.
  void check(const Call& call, bool is_query);

 private:
  const Shapes* of(const std::string& signing_name);

  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Shapes>>
      known_;  // guarded by mutex_; nullptr: there is no table
};

}  // namespace slipway::cloud
