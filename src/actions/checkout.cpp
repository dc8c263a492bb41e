// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/working_tree.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

// actions/checkout: the commit comes from the repository that the run is of, without a network; another repository comes from
// the server, by the git inside the job.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using workflow::ActionContext;

bool is_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// Git on a directory of the job, by the machine's own git program.
class Repository {
 public:
  Repository(fs::path directory, std::stop_token stop)
      : directory_(std::move(directory)), stop_(std::move(stop)) {}

  std::string run(std::vector<std::string> words) const {
    std::vector<std::string> argv = {"git",
                                     "-C",
                                     directory_.string(),
                                     "-c",
                                     "safe.directory=*",
                                     "-c",
                                     "advice.detachedHead=false"};
    argv.insert(argv.end(), words.begin(), words.end());
    auto env = os::environment();
    env["GIT_TERMINAL_PROMPT"] = "0";
    env["GIT_CONFIG_NOSYSTEM"] = "1";
    env["GIT_LFS_SKIP_SMUDGE"] = "1";
    for (const char* name : {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}) env.erase(name);
    auto done = os::capture({.argv = std::move(argv), .env = std::move(env)}, stop_,
                            Deadline::in(std::chrono::minutes(30)));
    if (!done.exit.ok())
      fail(Fault::failed, "git {}: {}", words.front(),
           trim(done.err.empty() ? done.out : done.err));
    return done.out;
  }
  [[nodiscard]] std::optional<std::string> resolve(const std::string& name) const {
    try {
      return std::string(
          trim(run({"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"})));
    } catch (const Error&) {
      return std::nullopt;  // rev-parse says nothing more than that there is none
    }
  }
  /// Adds a section to the configuration of a repository that has none of its kind: a process less for every value.
  void add_config(const std::string& section, const std::string& subsection,
                  const std::vector<std::pair<std::string, std::string>>& values) const {
    auto quoted = [](const std::string& text) {
      return '"' + replace_all(replace_all(text, "\\", "\\\\"), "\"", "\\\"") + '"';
    };
    auto text =
        fmt::format("[{}{}]\n", section, subsection.empty() ? "" : " " + quoted(subsection));
    for (const auto& [name, value] : values)
      text += fmt::format("\t{} = {}\n", name, quoted(value));
    os::Fd file = os::open_file((directory_ / ".git/config").string(), O_WRONLY | O_APPEND);
    os::write_all(file.get(), text);
  }
  [[nodiscard]] const fs::path& directory() const { return directory_; }

 private:
  fs::path directory_;
  std::stop_token stop_;
};

/// What to check out.
struct Target {
  std::string ref;  ///< full, or empty for a commit alone
  std::string sha;
};

Target find_target(ActionContext& context, const Repository& source) {
  std::string given = context.text("ref");
  if (given.empty())
    return {context.github().get_string("ref"), context.github().get_string("sha")};
  if (is_commit(given)) {
    auto sha = source.resolve(given);
    if (!sha) fail(Fault::not_found, "the repository has no commit '{}'", given);
    return {"", *sha};
  }
  for (const char* prefix : {"", "refs/heads/", "refs/tags/", "refs/remotes/origin/"}) {
    if (*prefix == '\0' && !given.starts_with("refs/")) continue;
    auto sha = source.resolve(prefix + given);
    if (!sha) continue;
    std::string ref =
        std::string_view(prefix) == "refs/remotes/origin/" ? "refs/heads/" + given : prefix + given;
    return {ref, *sha};
  }
  fail(Fault::not_found, "A branch or tag with the name '{}' could not be found", given);
}

class Checkout final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"repository", "${{ github.repository }}"},
            {"ref", std::nullopt},
            {"token", "${{ github.token }}"},
            {"ssh-key", std::nullopt},
            {"ssh-known-hosts", std::nullopt},
            {"ssh-strict", "true"},
            {"ssh-user", "git"},
            {"persist-credentials", "true"},
            {"path", std::nullopt},
            {"clean", "true"},
            {"filter", std::nullopt},
            {"sparse-checkout", std::nullopt},
            {"sparse-checkout-cone-mode", "true"},
            {"fetch-depth", "1"},
            {"fetch-tags", "false"},
            {"show-progress", "true"},
            {"lfs", "false"},
            {"submodules", "false"},
            {"set-safe-directory", "true"},
            {"github-server-url", std::nullopt},
            {"allow-unsafe-pr-checkout", std::nullopt}};
  }

  [[nodiscard]] bool is_apart_from_services() const override { return true; }
  void run(ActionContext& context) override {
    if (!context.text("ssh-key").empty())
      fail(Fault::unsupported, "the input ssh-key is not supported yet: use a token");
    std::string path = job_path(context, context.text("path"));
    std::string workspace = context.machine().paths().workspace;
    if (path != workspace && !path.starts_with(workspace + "/")) {
      fail(Fault::bad_input, "Repository path '{}' is not under '{}'", path, workspace);
    }
    auto repository = context.text("repository");
    bool is_own = equals_ignoring_case(repository, context.github().get_string("repository"));
    fs::path directory = context.machine().outside(path);
    os::make_dirs(directory);
    trust(context, path);
    if (is_own) {
      from_source(context, directory);
    } else {
      from_server(context, path, repository);
    }
    submodules(context, path);
  }

 private:
  // Jobs may run as another user than the one that owns the files.
  static void trust(ActionContext& context, const std::string& path) {
    if (!context.flag("set-safe-directory", true)) return;
    fs::path file = context.machine().outside(
        context.env_or("HOME", context.machine().paths().home) + "/.gitconfig");
    std::string text = os::read_file_if_exists(file).value_or("");
    if (text.find("directory = " + path + "\n") != std::string::npos) return;
    os::make_dirs(file.parent_path());
    os::write_file(file, text + "[safe]\n\tdirectory = " + path + "\n");
  }

  static void from_source(ActionContext& context, const fs::path& directory) {
    Repository source(context.source_repository(), context.stop());
    Target target = find_target(context, source);
    Repository copy(directory, context.stop());
    bool is_new = prepare(context, copy);
    auto depth = to_integer(context.text("fetch-depth")).value_or(1);
    fetch(context, copy, target, depth);
    sparse(context, copy);
    switch_to(copy, target, is_new);
    if (context.is_dirty_run() && context.text("ref").empty()) {
      auto count = copy_changes(context.source_repository(), directory, context.stop());
      context.log(fmt::format("Took {} changed file{} of the working tree on top", count,
                              count == 1 ? "" : "s"));
    }
    context.set_output("ref", target.ref);
    context.set_output("commit", target.sha);
    context.log(fmt::format("Checked out {} at {}", target.ref.empty() ? target.sha : target.ref,
                            target.sha.substr(0, 12)));
  }

  // Returns true when the repository was made, false when there was one.
  static bool prepare(ActionContext& context, const Repository& copy) {
    auto url = fmt::format("{}/{}", context.github().get_string("server_url", "https://github.com"),
                           context.text("repository"));
    if (!fs::exists(copy.directory() / ".git")) {
      // What lies where the repository is to be goes, as with the official action.
      if (context.flag("clean", true)) {
        for (const auto& entry : fs::directory_iterator(copy.directory()))
          os::remove_tree(entry.path());
      }
      copy.run({"init", "-q", "."});
      copy.add_config("remote", "origin",
                      {{"url", url}, {"fetch", "+refs/heads/*:refs/remotes/origin/*"}});
      copy.add_config("gc", "", {{"auto", "0"}});
      return true;
    }
    if (context.flag("clean", true)) {
      copy.run({"clean", "-ffdxq"});
      if (copy.resolve("HEAD")) copy.run({"reset", "-q", "--hard", "HEAD"});
    }
    return false;
  }

  static void fetch(ActionContext& context, const Repository& copy, const Target& target,
                    long long depth) {
    std::vector<std::string> words = {
        "fetch",
        "-q",
        "--prune",
        "--no-recurse-submodules",
        "--no-auto-gc",
        "--upload-pack=git -c safe.directory=* -c uploadpack.allowAnySHA1InWant=true upload-pack"};
    words.emplace_back("--no-tags");  // the refspecs say which
    if (depth > 0) {
      words.push_back(fmt::format("--depth={}", depth));
    } else if (fs::exists(copy.directory() / ".git/shallow")) {
      words.emplace_back("--unshallow");
    }
    auto take = [&](std::vector<std::string> refspecs) {
      auto argv = words;
      argv.push_back("file://" + fs::absolute(context.source_repository()).string());
      argv.insert(argv.end(), refspecs.begin(), refspecs.end());
      copy.run(std::move(argv));
    };
    bool all = depth <= 0;
    bool tags = all || context.flag("fetch-tags", false);
    if (all) {
      take({"+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"});
    } else if (tags) {
      take({"+refs/tags/*:refs/tags/*"});
    }
    // The commit on its own: git takes only one source for a ref, and a branch may have moved on since the run's commit.
    bool is_covered = all || (tags && target.ref.starts_with("refs/tags/"));
    if (is_covered && copy.resolve(tracking(target)) == target.sha) return;
    std::erase(words, "--unshallow");
    std::erase(words, "--prune");
    take({fmt::format("+{}:{}", target.sha, tracking(target))});
  }

  // The ref in the copy that keeps the commit.
  static std::string tracking(const Target& target) {
    if (target.ref.starts_with("refs/heads/"))
      return "refs/remotes/origin/" + target.ref.substr(11);
    if (target.ref.starts_with("refs/pull/")) return "refs/remotes/pull/" + target.ref.substr(10);
    if (target.ref.starts_with("refs/tags/")) return target.ref;
    return "refs/remotes/origin/slipway-" + target.sha.substr(0, 12);
  }

  static void sparse(ActionContext& context, const Repository& copy) {
    auto patterns = context.list("sparse-checkout");
    if (patterns.empty()) return;
    std::vector<std::string> words = {
        "sparse-checkout", "set",
        context.flag("sparse-checkout-cone-mode", true) ? "--cone" : "--no-cone"};
    words.insert(words.end(), patterns.begin(), patterns.end());
    copy.run(words);
  }

  static void switch_to(const Repository& copy, const Target& target, bool is_new) {
    if (target.ref.starts_with("refs/heads/")) {
      std::string branch = target.ref.substr(11);
      copy.run({"checkout", "-q", "--force", "-B", branch, target.sha});
      if (is_new)
        return copy.add_config("branch", branch, {{"remote", "origin"}, {"merge", target.ref}});
      copy.run({"config", "branch." + branch + ".remote", "origin"});
      copy.run({"config", "branch." + branch + ".merge", target.ref});
    } else {
      copy.run({"checkout", "-q", "--force", "--detach", target.sha});
    }
  }

  static void from_server(ActionContext& context, const std::string& path,
                          const std::string& repository) {
    auto server = context.text("github-server-url");
    if (server.empty()) server = context.github().get_string("server_url", "https://github.com");
    auto git = [&](std::vector<std::string> words, const char* doing) {
      words.insert(words.begin(), "git");
      if (auto exit = context.run(words, {{"GIT_TERMINAL_PROMPT", "0"}}, path); !exit.ok()) {
        fail(Fault::failed, "{} '{}' failed with {}", doing, repository, os::to_string(exit));
      }
    };
    git({"init", "-q", "."}, "preparing");
    auto ref = context.text("ref");
    auto depth = to_integer(context.text("fetch-depth")).value_or(1);
    std::vector<std::string> words = {"fetch", "-q", "--no-tags"};
    if (depth > 0) words.push_back(fmt::format("--depth={}", depth));
    words.push_back(fmt::format("{}/{}", server, repository));
    words.push_back(ref.empty() ? "HEAD" : ref);
    git(words, "fetching");
    git({"checkout", "-q", "--force", "FETCH_HEAD"}, "checking out");
    os::Exit exit;
    auto sha = std::string(trim(context.capture({"git", "-C", path, "rev-parse", "HEAD"}, exit)));
    context.set_output("ref", ref);
    context.set_output("commit", sha);
  }

  static void submodules(ActionContext& context, const std::string& path) {
    auto wanted = to_lower(context.text("submodules"));
    if (context.flag("lfs", false)) must(context, {"git", "lfs", "pull"}, path);
    if (wanted != "true" && wanted != "recursive") return;
    std::vector<std::string> words = {"git", "submodule", "update", "--init", "--force"};
    if (auto depth = to_integer(context.text("fetch-depth")).value_or(1); depth > 0)
      words.push_back(fmt::format("--depth={}", depth));
    if (wanted == "recursive") words.emplace_back("--recursive");
    must(context, words, path);
  }

  static void must(ActionContext& context, const std::vector<std::string>& argv,
                   const std::string& cwd) {
    if (auto exit = context.run(argv, {{"GIT_TERMINAL_PROMPT", "0"}}, cwd); !exit.ok()) {
      fail(Fault::failed, "'{}' failed with {}", join(argv, " "), os::to_string(exit));
    }
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_checkout() { return std::make_unique<Checkout>(); }

}  // namespace slipway::actions
