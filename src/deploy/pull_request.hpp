// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>

#include "deploy/notify.hpp"

namespace slipway::deploy {

/// Where a pull request is told something.
struct PullRequest {
  std::string api = "https://api.github.com";
  std::string repository;  ///< "owner/name"
  long long number = 0;
  std::string token;
};

/// The pull request that a job on GitHub is about, from the variables that it has there.
///   number       "7", or "auto" for the one of GITHUB_REF
///   environment  GITHUB_TOKEN (or GH_TOKEN), GITHUB_REPOSITORY, GITHUB_REF, GITHUB_API_URL
///   repository   where GITHUB_REPOSITORY is not set
///   throws       Error{bad_input} naming what is missing
PullRequest pull_request_of(const std::string& number,
                            const std::map<std::string, std::string>& environment,
                            const std::string& repository);

/// What a deployment to `environment` would change, as Markdown. `changes` may be empty: nothing.
std::string comment_of(const std::string& environment, const std::string& changes);

/// Puts the comment on the pull request, in place of the one that was put there for the same environment before.
///   returns  its address
///   throws   Error{failed} with GitHub's words, Error{unavailable}
///   source   GitHub REST, "List issue comments", "Create an issue comment", "Update an issue comment"
std::string tell_pull_request(const PullRequest& to, const std::string& environment,
                              const std::string& changes, const Poster& send);

}  // namespace slipway::deploy
