// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::sts {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< empty for long-term keys
  Time expiration{};          ///< meaningful for temporary ones
};

/// What a role session is made from.
struct SessionRequest {
  std::string role_arn;
  std::string session_name;
  std::chrono::seconds duration = std::chrono::hours(1);
  std::string session_policy;
  std::vector<std::string> session_policy_arns;
};

/// The keys that sign calls: root test keys, users' access keys and temporary session keys, kept in the state.
///   threads  any
class Sessions final {
 public:
  explicit Sessions(State& state) : state_(state) {}
  /// The root test keys of an account; made at the first call, the same ever after.
  Credentials root_keys(const std::string& account, Time now);
  /// Temporary keys of an existing role, without looking at its trust policy: STS after its checks, and the credentials
  /// endpoint of tasks. throws Refusal AccessDenied when there is no such role.
  Credentials assume(const SessionRequest& request, Time now);
  /// Temporary keys of the caller itself (GetSessionToken).
  Credentials session_for(const Principal& caller, std::chrono::seconds duration, Time now);

  struct Key {
    Principal principal;
    std::string secret_access_key;
    std::string session_token;    ///< what x-amz-security-token must be; empty for long-term keys
    std::optional<Time> expires;  ///< nothing for long-term keys
    bool is_active = true;
  };
  /// The key, or nothing when it is unknown; expired ones are returned as long as they are kept (a day).
  [[nodiscard]] std::optional<Key> find(const std::string& access_key_id);
  /// A user's new access key.
  Credentials create_user_key(const Principal& user, Time now);
  /// Deletes a key; false when there was none.
  bool forget(const std::string& access_key_id);
  /// Forgets keys that ended more than a day ago.
  void purge(Time now);

 private:
  std::optional<Key> read(const std::string& access_key_id);

  State& state_;
  Guarded<std::map<std::string, Key>>
      known_;  ///< keys that have signed a call: each call asks for one
};

/// A principal as it is kept, and back.
Json to_json(const Principal& who);
Principal principal_from(const Json& body, std::string access_key_id);

}  // namespace slipway::cloud::sts
