// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.hpp"
#include "cloud/ecr/ecr.hpp"
#include "cloud/iam/authoriser.hpp"
#include "net/http_server.hpp"

namespace slipway::cloud::ecr {

/// The registries behind ECR: answers /v2/ for every account's and region's host name, as ECR does (Basic authentication with
/// GetAuthorizationToken's password, no create on push, immutable tags, IAM on each request).
///   threads  any
class Registry final {
 public:
  /// All borrowed. `home` is the registry that a request without an ECR host name (127.0.0.1:PORT) means.
  Registry(Registries& registries, State& state, Tokens& tokens, iam::Authoriser& authoriser,
           Scope home, Log& log);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();
  void handle(net::ServerRequest& request, net::ResponseWriter& response);

 private:
  struct One;
  Registries& registries_;
  State& state_;
  Tokens& tokens_;
  iam::Authoriser& authoriser_;
  Scope home_;
  Log& log_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<One>> open_;  // guarded by mutex_
};

}  // namespace slipway::cloud::ecr
