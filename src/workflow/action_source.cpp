// SPDX-License-Identifier: Apache-2.0
#include "workflow/action_source.hpp"

#include <fmt/format.h>

#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFileUrl = "file://";

bool is_repository_name(std::string_view text) {
  if (text.empty() || text == "." || text == "..") return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

bool leaves_its_root(std::string_view path) {
  for (const auto& part : split(path, '/')) {
    if (part == "..") return true;
  }
  return false;
}

bool is_sha(std::string_view ref) {
  return ref.size() == 40 && ref.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// git as we call it: nobody's configuration but the system's CA settings, no prompt, http(s) only, or files where the user named them.
os::Captured run_git(const std::vector<std::string>& arguments, const fs::path& directory,
                     const std::stop_token& stop) {
  std::vector<std::string> argv{"git",
                                "-C",
                                directory.string(),
                                "-c",
                                "protocol.allow=never",
                                "-c",
                                "protocol.https.allow=always",
                                "-c",
                                "protocol.http.allow=always",
                                "-c",
                                "credential.helper=",
                                "-c",
                                "safe.directory=*"};
  bool is_file = std::any_of(arguments.begin(), arguments.end(),
                             [](const auto& word) { return word.starts_with(kFileUrl); });
  if (is_file) argv.insert(argv.end(), {"-c", "protocol.file.allow=always"});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto env = os::environment();
  env["GIT_TERMINAL_PROMPT"] = "0";
  return os::capture({.argv = argv, .env = env}, stop, Deadline::in(std::chrono::minutes(5)));
}

std::string git(const std::vector<std::string>& arguments, const fs::path& directory,
                const std::stop_token& stop) {
  auto result = run_git(arguments, directory, stop);
  if (!result.exit.ok())
    fail(Fault::unavailable, "git {}: {}", arguments.front(), trim(result.err));
  return std::string(trim(result.out));
}

bool is_git_repository(const fs::path& path) {
  return fs::exists(path / ".git") ||
         (fs::exists(path / "HEAD") && fs::is_directory(path / "objects"));
}

}  // namespace

ActionReference parse_action_reference(std::string_view uses) {
  constexpr std::string_view kImage = "docker://";
  if (uses.starts_with(kImage)) return ImageAction{std::string(uses.substr(kImage.size()))};
  if (uses.starts_with("./") || uses == ".") {
    if (leaves_its_root(uses)) fail(Fault::bad_input, "'{}' leads out of the workspace", uses);
    return LocalAction{std::string(uses)};
  }
  if (uses.starts_with("$/")) return parse_action_reference("." + std::string(uses.substr(1)));
  auto at = uses.find('@');
  auto parts = split(uses.substr(0, at), '/');
  if (at == std::string_view::npos || at + 1 == uses.size() || parts.size() < 2 ||
      !is_repository_name(parts[0]) || !is_repository_name(parts[1]) || leaves_its_root(uses)) {
    fail(Fault::bad_input, "Expected format {{org}}/{{repo}}[/path]@ref. Actual '{}'", uses);
  }
  RemoteAction action{.owner = parts[0],
                      .repository = parts[1],
                      .path = {},
                      .ref = std::string(uses.substr(at + 1))};
  action.path = join(std::span(parts).subspan(2), "/");
  while (action.path.ends_with('/')) action.path.pop_back();
  return action;
}

DiskActionSource::DiskActionSource(std::vector<fs::path> directories, fs::path cache,
                                   std::string server, ActionLock& lock, Log& log)
    : directories_(std::move(directories)),
      cache_(std::move(cache)),
      server_(std::move(server)),
      lock_(lock),
      log_(log) {}

ActionSource::Found DiskActionSource::find(const RemoteAction& action, std::stop_token stop) {
  std::vector<std::string> looked;
  for (const auto& directory : directories_) {
    auto flat_ref = replace_all(action.ref, "/", "_");
    for (const auto& name : {action.repository + "@" + action.ref,
                             action.repository + "@" + flat_ref, action.repository}) {
      auto path = directory / action.owner / name;
      if (name == action.repository && is_git_repository(path)) {
        return from_git(
            action, std::string(kFileUrl) + fs::absolute(path).lexically_normal().string(), stop);
      }
      if (fs::is_directory(path)) return {.directory = path, .sha = {}};
      looked.push_back(path.string());
    }
  }
  if (server_.empty()) {
    fail(Fault::not_found, "no action '{}@{}'{}{}; give its directory with --actions",
         action.name(), action.ref, looked.empty() ? "" : ", looked for ", join(looked, ", "));
  }
  return while_doing(fmt::format("fetching action {}@{}", action.name(), action.ref),
                     [&] { return from_git(action, server_ + "/" + action.name(), stop); });
}

// What the ref is now. A branch or tag may move, so it is asked for in every run; without an answer, what the lock has and the cache
// holds will do.
DiskActionSource::Commit DiskActionSource::resolve(const RemoteAction& action,
                                                   const std::string& url, const fs::path& kept,
                                                   const std::stop_token& stop) {
  if (is_sha(action.ref)) return {.sha = action.ref, .full_ref = {}};
  auto tag = "refs/tags/" + action.ref;
  auto branch = "refs/heads/" + action.ref;
  auto said = run_git({"ls-remote", "--end-of-options", url, tag, tag + "^{}", branch, action.ref},
                      kept / "git", stop);
  if (!said.exit.ok()) {
    auto known = lock_.find(action.name(), action.ref);
    if (known && fs::exists(kept / *known)) {
      log_.warn("the server of {} cannot be asked ({}): using the commit on record, {}",
                action.name(), trim(said.err), *known);
      return {.sha = *known, .full_ref = {}};
    }
    fail(Fault::unavailable, "{}", trim(said.err));
  }
  std::map<std::string, std::string> refs;
  for (auto line : lines_of(said.out)) {
    if (auto at = line.find('\t'); at != std::string_view::npos)
      refs[std::string(line.substr(at + 1))] = line.substr(0, at);
  }
  for (const auto& [name, full] :
       {std::pair(tag + "^{}", tag), {tag, tag}, {branch, branch}, {action.ref, action.ref}}) {
    if (auto found = refs.find(name); found != refs.end()) {
      lock_.check(action.name(), action.ref, found->second, full == tag);
      return {.sha = found->second, .full_ref = full};
    }
  }
  fail(Fault::not_found, "there is no branch or tag '{}'", action.ref);
}

// Kept by commit.
ActionSource::Found DiskActionSource::from_git(const RemoteAction& action, const std::string& url,
                                               const std::stop_token& stop) {
  auto repository = cache_ / action.owner / action.repository;
  os::make_dirs(cache_ / action.owner);
  auto lock = os::FileLock::take(cache_ / action.owner / (action.repository + ".lock"));
  auto bare = repository / "git";
  if (!fs::exists(bare / "HEAD")) {
    os::make_dirs(bare);
    git({"init", "-q", "--bare"}, bare, stop);
  }
  auto commit = resolve(action, url, repository, stop);
  auto tree = repository / commit.sha;
  if (!fs::exists(tree)) {
    git({"fetch", "-q", "--depth", "1", "--end-of-options", url,
         commit.full_ref.empty() ? commit.sha : commit.full_ref},
        bare, stop);
    auto fetched = git({"rev-parse", "--verify", "FETCH_HEAD^{commit}"}, bare, stop);
    if (fetched != commit.sha)
      fail(Fault::unavailable, "'{}' moved while it was fetched", action.ref);
    log_.info("action {}@{} is {}", action.name(), action.ref, commit.sha);
    os::TempDir aside(repository);
    git({"--work-tree", aside.path().string(), "checkout", "-q", "-f", commit.sha, "--", "."}, bare,
        stop);
    fs::rename(aside.path(), tree);
    aside.keep();
  }
  return {.directory = tree, .sha = commit.sha, .full_ref = commit.full_ref};
}

}  // namespace slipway::workflow
