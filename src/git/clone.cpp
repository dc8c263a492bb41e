// SPDX-License-Identifier: Apache-2.0
#include "git/clone.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "git/run_git.hpp"
#include "os/file.hpp"

namespace slipway::git {
namespace {

bool is_local(const std::string& source) {
  return source.starts_with("/") || source.starts_with("./") || source.starts_with("file://");
}

bool is_commit(const std::string& revision) {
  return (revision.size() == 40 || revision.size() == 64) &&
         revision.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// A header goes in by the environment: not visible in the process list, not kept in the clone's configuration. Submodules elsewhere do not
// get it.
std::map<std::string, std::string> header_env(const std::string& header, const std::string& url) {
  auto host = url.find("://");
  if (header.empty() || !url.starts_with("http") || host == std::string::npos) return {};
  std::string place = url.substr(0, url.find('/', host + 3));
  return {{"GIT_CONFIG_COUNT", "1"},
          {"GIT_CONFIG_KEY_0", fmt::format("http.{}/.extraHeader", place)},
          {"GIT_CONFIG_VALUE_0", header}};
}

class Cloning final {
 public:
  Cloning(const CloneRequest& request, const Path& directory, std::stop_token stop)
      : request_(request),
        directory_(directory),
        stop_(std::move(stop)),
        env_(header_env(request.header, request.source)) {}

  std::string run() {
    os::make_dirs(directory_);
    git({"init", "--quiet", "--initial-branch=main"});
    git({"remote", "add", "origin", request_.source});
    fetch();
    git({"checkout", "--quiet", "--force", "--detach", "FETCH_HEAD"});
    if (request_.submodules) git({"submodule", "update", "--init", "--recursive", "--depth=1"});
    return git({"rev-parse", "HEAD"});
  }

 private:
  std::string git(std::vector<std::string> arguments) {
    return git_output(directory_, std::move(arguments), stop_, request_.deadline, env_);
  }

  os::Captured try_fetch(const std::string& what) {
    std::vector<std::string> arguments = {"fetch", "--quiet", "--no-tags",
                                          "--no-write-commit-graph"};
    if (request_.depth > 0) arguments.push_back(fmt::format("--depth={}", request_.depth));
    if (request_.depth == 0) arguments.push_back("--tags");
    // A local repository gives any commit it has, whatever its own configuration says.
    if (is_local(request_.source)) {
      arguments.push_back(
          "--upload-pack=git -c uploadpack.allowAnySHA1InWant=true -c safe.directory='*' "
          "upload-pack");
    }
    arguments.insert(arguments.end(), {"origin", what});
    return run_git(directory_, std::move(arguments), stop_, request_.deadline, env_);
  }

  void fetch() {
    std::vector<std::string> candidates;
    const auto& revision = request_.revision;
    if (revision.empty()) {
      candidates = {"HEAD"};
    } else if (is_commit(revision) || revision.starts_with("refs/")) {
      candidates = {revision};
    } else {
      candidates = {"refs/tags/" + revision, "refs/heads/" + revision};
    }
    os::Captured last;
    for (const auto& candidate : candidates) {
      last = try_fetch(candidate);
      if (last.exit.ok()) return;
    }
    auto complaint = complaint_of(last);
    bool is_absent = complaint.find("find remote ref") != std::string::npos ||
                     complaint.find("not our ref") != std::string::npos ||
                     complaint.find("not appear to be a git repository") != std::string::npos ||
                     last.err.find("not found") != std::string::npos;
    fail(is_absent ? Fault::not_found : Fault::unavailable, "fetching '{}' of '{}': {}",
         revision.empty() ? "HEAD" : revision, request_.source, complaint);
  }

  const CloneRequest& request_;
  const Path& directory_;
  std::stop_token stop_;
  std::map<std::string, std::string> env_;
};

}  // namespace

std::string clone(const CloneRequest& request, const Path& directory, std::stop_token stop) {
  return Cloning(request, directory, std::move(stop)).run();
}

void export_tree(const Path& repository, const std::string& commit, const Path& directory,
                 std::stop_token stop) {
  os::make_dirs(directory);
  os::TempDir scratch;
  auto index = (scratch.path() / "index").string();
  std::map<std::string, std::string> env = {{"GIT_INDEX_FILE", index}};
  auto deadline = Deadline::in(std::chrono::minutes(10));
  git_output(repository, {"read-tree", commit}, stop, deadline, env);
  git_output(repository,
             {"checkout-index", "--all", "--force", "--prefix=" + directory.string() + "/"}, stop,
             deadline, env);
}

std::optional<std::string> remote_commit(const std::string& url, const std::string& ref,
                                         const std::string& header, std::stop_token stop) {
  auto captured = run_git({}, {"ls-remote", "--quiet", "--end-of-options", url}, stop,
                          Deadline::in(std::chrono::minutes(1)), header_env(header, url));
  if (!captured.exit.ok())
    fail(Fault::unavailable, "looking at '{}': {}", url, complaint_of(captured));
  std::map<std::string, std::string> refs;
  for (auto line : lines_of(captured.out)) {
    auto tab = line.find('\t');
    if (tab != std::string_view::npos)
      refs[std::string(line.substr(tab + 1))] = std::string(line.substr(0, tab));
  }
  for (const auto& name : {ref, "refs/tags/" + ref, "refs/heads/" + ref}) {
    for (const auto& candidate : {name + "^{}", name}) {
      if (auto found = refs.find(candidate); found != refs.end()) return found->second;
    }
  }
  return std::nullopt;
}

}  // namespace slipway::git
