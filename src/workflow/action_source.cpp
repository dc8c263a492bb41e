// SPDX-License-Identifier: Apache-2.0
#include "workflow/action_source.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

bool is_name(std::string_view text) {
  if (text.empty() || text == "." || text == "..") return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
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

// git as we call it: nobody's configuration but the system's CA settings, no prompt, http(s) only.
std::string git(const std::vector<std::string>& arguments, const fs::path& directory, const std::stop_token& stop) {
  std::vector<std::string> argv{"git", "-C", directory.string(), "-c", "protocol.allow=never", "-c", "protocol.https.allow=always",
                                "-c", "protocol.http.allow=always", "-c", "credential.helper="};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto env = os::environment();
  env["GIT_TERMINAL_PROMPT"] = "0";
  auto result = os::capture({.argv = argv, .env = env}, stop, Deadline::in(std::chrono::minutes(5)));
  if (!result.exit.ok()) fail(Fault::unavailable, "git {}: {}", arguments.front(), trim(result.err));
  return std::string(trim(result.out));
}

}  // namespace

ActionReference parse_action_reference(std::string_view uses) {
  constexpr std::string_view kImage = "docker://";
  if (uses.starts_with(kImage)) return ImageAction{std::string(uses.substr(kImage.size()))};
  if (uses.starts_with("./") || uses == ".") {
    if (leaves_its_root(uses)) fail(Fault::bad_input, "'{}' leads out of the workspace", uses);
    return LocalAction{std::string(uses)};
  }
  auto at = uses.find('@');
  auto parts = split(uses.substr(0, at), '/');
  if (at == std::string_view::npos || at + 1 == uses.size() || parts.size() < 2 || !is_name(parts[0]) || !is_name(parts[1]) ||
      leaves_its_root(uses)) {
    fail(Fault::bad_input, "Expected format {{org}}/{{repo}}[/path]@ref. Actual '{}'", uses);
  }
  RemoteAction action{.owner = parts[0], .repository = parts[1], .path = {}, .ref = std::string(uses.substr(at + 1))};
  action.path = join(std::span(parts).subspan(2), "/");
  while (action.path.ends_with('/')) action.path.pop_back();
  return action;
}

DiskActionSource::DiskActionSource(std::vector<fs::path> directories, fs::path cache, std::string server, Log& log)
    : directories_(std::move(directories)), cache_(std::move(cache)), server_(std::move(server)), log_(log) {}

ActionSource::Found DiskActionSource::find(const RemoteAction& action, std::stop_token stop) {
  std::vector<std::string> looked;
  for (const auto& directory : directories_) {
    auto flat_ref = replace_all(action.ref, "/", "_");
    for (const auto& name : {action.repository + "@" + action.ref, action.repository + "@" + flat_ref, action.repository}) {
      auto path = directory / action.owner / name;
      if (fs::is_directory(path)) return {.directory = path, .sha = {}};
      looked.push_back(path.string());
    }
  }
  if (server_.empty()) {
    fail(Fault::not_found, "no action '{}@{}'{}{}; give its directory with --actions", action.name(), action.ref,
         looked.empty() ? "" : ", looked for ", join(looked, ", "));
  }
  return while_doing(fmt::format("fetching action {}@{}", action.name(), action.ref), [&]() -> Found {
    // Kept by commit. A branch or tag may move, so its name is asked for again in every run.
    auto url = server_ + "/" + action.name();
    auto repository = cache_ / action.owner / action.repository;
    os::make_dirs(cache_ / action.owner);
    auto lock = os::FileLock::take(cache_ / action.owner / (action.repository + ".lock"));
    auto bare = repository / "git";
    if (!fs::exists(bare / "HEAD")) {
      os::make_dirs(bare);
      git({"init", "-q", "--bare"}, bare, stop);
    }
    auto sha = is_sha(action.ref) ? action.ref : std::string();
    if (sha.empty() || !fs::exists(repository / sha)) {
      git({"fetch", "-q", "--depth", "1", "--end-of-options", url, action.ref}, bare, stop);
      sha = git({"rev-parse", "--verify", "FETCH_HEAD^{commit}"}, bare, stop);
    }
    auto tree = repository / sha;
    if (!fs::exists(tree)) {
      log_.info("action {}@{} is {}", action.name(), action.ref, sha);
      os::TempDir aside(repository);
      git({"--work-tree", aside.path().string(), "checkout", "-q", "-f", sha, "--", "."}, bare, stop);
      fs::rename(aside.path(), tree);
      aside.keep();
    }
    return {.directory = tree, .sha = sha};
  });
}

}  // namespace slipway::workflow
