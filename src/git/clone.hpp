// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "base/deadline.hpp"
#include "git/git.hpp"

namespace slipway::git {

struct CloneRequest {
  std::string source;    ///< a path on this machine, or an https, ssh, git or file URL
  std::string revision;  ///< branch, tag, full ref or commit; empty: the remote's HEAD
  int depth = 1;         ///< commits of history; 0: all of it
  bool submodules = false;
  /// Sent with http and https requests to the source's host, and to no other: "Authorization: …". Never written to the disk.
  std::string header;
  Deadline deadline = Deadline::in(std::chrono::minutes(10));
};

/// Makes a repository at `directory` (which is empty or absent) with the revision checked out, HEAD detached.
///   returns  the commit
///   throws   Error{not_found} when there is no such repository or revision, Error{unavailable} when it cannot be reached
std::string clone(const CloneRequest& request, const Path& directory, std::stop_token stop);

/// Writes a commit's files below `directory` (created), without a repository.
void export_tree(const Path& repository, const std::string& commit, const Path& directory,
                 std::stop_token stop);

/// What a remote's branch, tag or full ref points at now, tags followed to their commit; nothing when there is none.
std::optional<std::string> remote_commit(const std::string& url, const std::string& ref,
                                         const std::string& header, std::stop_token stop);

}  // namespace slipway::git
