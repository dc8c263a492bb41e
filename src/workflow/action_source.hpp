// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/log.hpp"
#include "workflow/action_lock.hpp"

namespace slipway::workflow {

/// `uses: owner/repo/path@ref`.
struct RemoteAction {
  std::string owner;
  std::string repository;
  std::string path;  ///< below the repository; may be empty
  std::string ref;
  [[nodiscard]] std::string name() const { return owner + "/" + repository; }
  /// "owner/repo" or "owner/repo/path".
  [[nodiscard]] std::string full_name() const {
    return path.empty() ? name() : name() + "/" + path;
  }
};
struct LocalAction {
  std::string path;  ///< below the workspace
};
struct ImageAction {
  std::string image;  ///< after docker://
};
using ActionReference = std::variant<RemoteAction, LocalAction, ImageAction>;

/// Reads what stands after `uses:`. throws Error{bad_input} when it is none of the three forms
ActionReference parse_action_reference(std::string_view uses);

/// Where the code of actions comes from.
class ActionSource {
 public:
  ActionSource() = default;
  ActionSource(const ActionSource&) = delete;
  ActionSource& operator=(const ActionSource&) = delete;
  virtual ~ActionSource() = default;
  struct Found {
    std::filesystem::path directory;  ///< of the whole repository; stays as it is
    std::string sha;                  ///< the commit, when known
    std::string full_ref{};           ///< "refs/tags/v4", "refs/heads/main", when known
  };
  /// throws  Error{not_found} with where was looked, Error{unavailable} when the server cannot be reached; Cancelled
  virtual Found find(const RemoteAction& action, std::stop_token stop) = 0;
};

/// Looks in directories first (DIR/owner/repo@ref, then DIR/owner/repo: a git repository, of which the ref is taken, or the files
/// themselves), then fetches by git from a server into a cache. What came by git is held against the lock.
class DiskActionSource final : public ActionSource {
 public:
  /// `cache`   where fetched actions are kept, by commit
  /// `server`  "https://github.com"; empty: never fetch
  DiskActionSource(std::vector<std::filesystem::path> directories, std::filesystem::path cache,
                   std::string server, ActionLock& lock, Log& log);
  Found find(const RemoteAction& action, std::stop_token stop) override;

 private:
  struct Commit {
    std::string sha;
    std::string full_ref;
  };
  Found from_git(const RemoteAction& action, const std::string& url, const std::stop_token& stop);
  Commit resolve(const RemoteAction& action, const std::string& url,
                 const std::filesystem::path& kept, const std::stop_token& stop);

  std::vector<std::filesystem::path> directories_;
  std::filesystem::path cache_;
  std::string server_;
  ActionLock& lock_;
  Log& log_;
};

}  // namespace slipway::workflow
