// SPDX-License-Identifier: Apache-2.0
#include "git/git.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "git/run_git.hpp"

namespace slipway::git {
namespace {

// The output when git succeeds, nothing when it says that there is no such thing.
std::optional<std::string> try_git(const Path& repository, std::vector<std::string> arguments,
                                   const std::stop_token& stop) {
  auto captured = run_git(repository, std::move(arguments), stop);
  if (!captured.exit.ok()) return std::nullopt;
  while (captured.out.ends_with('\n')) captured.out.pop_back();
  return captured.out;
}

// The parts of an output that separates them by NUL.
std::vector<std::string> parts_of(const std::string& output) {
  auto parts = split(output, '\0');
  std::erase(parts, "");
  return parts;
}

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::set<std::string> once(names.begin(), names.end());
  return {once.begin(), once.end()};
}

}  // namespace

std::optional<Path> top_level(const Path& inside, std::stop_token stop) {
  auto output = try_git(inside, {"rev-parse", "--show-toplevel"}, stop);
  if (!output || output->empty()) return std::nullopt;
  return Path(*output);
}

std::optional<std::string> commit_of(const Path& repository, const std::string& revision,
                                     std::stop_token stop) {
  auto output = try_git(
      repository, {"rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"},
      stop);
  if (!output || output->empty()) return std::nullopt;
  return output;
}

std::optional<std::string> full_ref(const Path& repository, const std::string& name,
                                    std::stop_token stop) {
  if (name.empty()) return std::nullopt;
  for (const auto& candidate : {name, "refs/heads/" + name, "refs/tags/" + name}) {
    if (!candidate.starts_with("refs/")) continue;
    if (try_git(repository, {"show-ref", "--verify", "--quiet", candidate}, stop)) return candidate;
  }
  return std::nullopt;
}

std::optional<std::string> head_ref(const Path& repository, std::stop_token stop) {
  return try_git(repository, {"symbolic-ref", "--quiet", "HEAD"}, stop);
}

std::vector<std::string> tags_at(const Path& repository, const std::string& commit,
                                 std::stop_token stop) {
  auto output = git_output(repository,
                           {"for-each-ref", "--points-at=" + commit, "--sort=version:refname",
                            "--format=%(refname)", "refs/tags"},
                           stop);
  auto lines = split(output, '\n');
  std::erase(lines, "");
  return lines;
}

std::optional<Commit> find_commit(const Path& repository, const std::string& revision,
                                  std::stop_token stop) {
  auto output = try_git(repository,
                        {"show", "--no-patch", "--no-color", "--encoding=UTF-8",
                         "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%cI%x00%B", "--end-of-options",
                         revision + "^{commit}"},
                        stop);
  auto parts = output ? split(*output, '\0') : std::vector<std::string>();
  if (parts.size() < 7) return std::nullopt;
  Commit result{parts[0], parts[1], split(parts[2], ' '), parts[3], parts[4], parts[5], parts[6]};
  std::erase(result.parents, "");
  while (result.message.ends_with('\n')) result.message.pop_back();
  return result;
}

Commit read_commit(const Path& repository, const std::string& commit, std::stop_token stop) {
  auto found = find_commit(repository, commit, std::move(stop));
  if (!found) fail(Fault::not_found, "no commit '{}' in '{}'", commit, repository.string());
  return std::move(*found);
}

std::vector<std::string> changed_files(const Path& repository, const std::string& from,
                                       const std::string& to, std::stop_token stop) {
  return sorted(parts_of(git_output(
      repository,
      {"diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--end-of-options", from, to},
      stop)));
}

std::vector<std::string> uncommitted_files(const Path& repository, const std::string& commit,
                                           std::stop_token stop) {
  auto names = parts_of(git_output(
      repository,
      {"diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--end-of-options", commit},
      stop));
  auto untracked = parts_of(git_output(
      repository, {"ls-files", "-z", "--others", "--exclude-standard", "--full-name"}, stop));
  names.insert(names.end(), untracked.begin(), untracked.end());
  return sorted(std::move(names));
}

std::vector<std::string> all_files(const Path& repository, const std::string& commit,
                                   std::stop_token stop) {
  return sorted(parts_of(git_output(
      repository, {"ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", commit},
      stop)));
}

std::optional<std::string> merge_base(const Path& repository, const std::string& a,
                                      const std::string& b, std::stop_token stop) {
  return try_git(repository, {"merge-base", "--end-of-options", a, b}, stop);
}

std::optional<std::string> file_at(const Path& repository, const std::string& commit,
                                   const std::string& path, std::stop_token stop) {
  auto captured = run_git(repository, {"cat-file", "blob", commit + ":" + path}, stop);
  if (!captured.exit.ok()) return std::nullopt;
  return captured.out;
}

std::optional<std::string> remote_url(const Path& repository, const std::string& remote,
                                      std::stop_token stop) {
  return try_git(repository, {"config", "--get", "remote." + remote + ".url"}, stop);
}

std::optional<std::string> owner_and_name(const std::string& url) {
  std::string path = url;
  bool has_host = false;
  if (auto scheme = path.find("://"); scheme != std::string::npos) {
    if (path.starts_with("file:")) return std::nullopt;
    auto slash = path.find('/', scheme + 3);
    if (slash == std::string::npos) return std::nullopt;
    path.erase(0, slash + 1);
    has_host = true;
  } else if (auto colon = path.find(':'); colon != std::string::npos && path.find('/') > colon) {
    path.erase(0, colon + 1);
    has_host = true;
  }
  if (path.ends_with('/')) path.pop_back();
  if (path.ends_with(".git")) path.erase(path.size() - 4);
  auto parts = split(path, '/');
  std::erase(parts, "");
  if (!has_host || parts.size() < 2) return std::nullopt;
  return parts[parts.size() - 2] + "/" + parts.back();
}

}  // namespace slipway::git
