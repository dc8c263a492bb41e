// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cloud/service.hpp"

namespace slipway::cloud::trail {

/// The last calls, as CloudTrail tells them. In memory: they begin anew with the cloud.
///   threads  any
class Trail final {
 public:
  Trail() = default;
  Trail(const Trail&) = delete;
  Trail& operator=(const Trail&) = delete;
  /// Notes an answered call.
  ///   refusal  why it was refused; nullptr when it was not
  void note(const Call& call, const std::string& source, const Refusal* refusal);
  /// The account's and region's events, newest first, as CloudTrail's documents.
  [[nodiscard]] std::vector<std::shared_ptr<const Json>> events(const Scope& scope) const;

 private:
  struct Entry {
    Scope scope;
    std::shared_ptr<const Json> event;  // shared by the trail and who reads it
  };
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;  // guarded by mutex_; newest first
};

/// True for calls that change nothing: Describe…, Get…, List… and the like.
bool is_read_only(const std::string& operation);
/// What a call asked for, in CloudTrail's names, without what must not be seen.
Json shown_parameters(const Call& call);

/// CloudTrail: LookupEvents. `trail` must outlive it.
std::unique_ptr<Service> make_trail(Trail& trail);

}  // namespace slipway::cloud::trail
