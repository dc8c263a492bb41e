// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

// A Git repository through the `git` program: what a run asks of it. Every call may throw Cancelled; Error{unavailable} when
// git is not installed.
namespace slipway::git {

using Path = std::filesystem::path;

/// The root of the working tree that `inside` is in; nothing when it is in none.
std::optional<Path> top_level(const Path& inside, std::stop_token stop);

/// The full id of the commit that a revision names ("HEAD", "main", "v1.0.0", "abc123", a full ref); nothing when it names none.
std::optional<std::string> commit_of(const Path& repository, const std::string& revision,
                                     std::stop_token stop);

/// The full ref that a name stands for: itself, a branch, then a tag; nothing when none exists.
std::optional<std::string> full_ref(const Path& repository, const std::string& name,
                                    std::stop_token stop);

/// "refs/heads/main"; nothing when HEAD is detached.
std::optional<std::string> head_ref(const Path& repository, std::stop_token stop);

/// The tags ("refs/tags/v1") that point at a commit, in order of version.
std::vector<std::string> tags_at(const Path& repository, const std::string& commit,
                                 std::stop_token stop);

struct Commit {
  std::string id;
  std::string tree;
  std::vector<std::string> parents;
  std::string author_name;
  std::string author_email;
  std::string date;  ///< of the committer, ISO 8601 with its offset
  std::string message;
};
/// The commit that a revision names, with what commit_of() tells; nothing when it names none.
std::optional<Commit> find_commit(const Path& repository, const std::string& revision,
                                  std::stop_token stop);
/// throws Error{not_found}
Commit read_commit(const Path& repository, const std::string& commit, std::stop_token stop);

/// Paths that differ between two trees or commits, renames as both their names; in byte order.
std::vector<std::string> changed_files(const Path& repository, const std::string& from,
                                       const std::string& to, std::stop_token stop);
/// Paths that differ from `commit` in the working tree, with untracked files that are not ignored.
std::vector<std::string> uncommitted_files(const Path& repository, const std::string& commit,
                                           std::stop_token stop);
/// Every path of a commit's tree.
std::vector<std::string> all_files(const Path& repository, const std::string& commit,
                                   std::stop_token stop);
/// The best common ancestor; nothing when there is none.
std::optional<std::string> merge_base(const Path& repository, const std::string& a,
                                      const std::string& b, std::stop_token stop);

/// A file's content in a commit; nothing when the commit has no such file.
std::optional<std::string> file_at(const Path& repository, const std::string& commit,
                                   const std::string& path, std::stop_token stop);

/// The URL of a remote ("origin"); nothing when there is none.
std::optional<std::string> remote_url(const Path& repository, const std::string& remote,
                                      std::stop_token stop);
/// "owner/name" of a URL such as https://host/owner/name.git or git@host:owner/name; nothing when it has no such form.
std::optional<std::string> owner_and_name(const std::string& url);

/// git's id of the empty tree in SHA-1 repositories, to compare first commits with.
inline constexpr const char* kEmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

}  // namespace slipway::git
