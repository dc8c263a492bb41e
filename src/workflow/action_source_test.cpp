// SPDX-License-Identifier: Apache-2.0
#include "workflow/action_source.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "workflow/remote_workflow.hpp"

using namespace slipway;
using namespace slipway::workflow;

namespace {

/// A directory with the git repository octo/tool: tag v1 and branch main.
class Server {
 public:
  Server() {
    os::make_dirs(path());
    git({"init", "-q", "-b", "main"});
    commit("one");
    git({"tag", "-a", "v1", "-m", "first"});
  }
  std::string commit(const std::string& text) {
    os::write_file(path() / "action.yml",
                   "name: " + text + "\nruns: {using: node20, main: main.js}\n");
    os::make_dirs(path() / ".github/workflows");
    os::write_file(path() / ".github/workflows/call.yml",
                   "on: {workflow_call: {inputs: {n: {type: number, required: true}}}}\njobs:\n  "
                   "inner: {runs-on: x, steps: [{run: echo called}]}\n");
    git({"add", "-A"});
    git({"commit", "-q", "-m", text});
    return git({"rev-parse", "HEAD"});
  }
  std::string git(std::vector<std::string> words) {
    std::vector<std::string> argv = {"git",         "-C", path().string(),           "-c",
                                     "user.name=t", "-c", "user.email=t@example.org"};
    argv.insert(argv.end(), words.begin(), words.end());
    auto done = os::capture({.argv = argv}, {}, Deadline::in(std::chrono::seconds(30)));
    if (!done.exit.ok()) fail(Fault::failed, "git: {}", done.err);
    return std::string(trim(done.out));
  }
  [[nodiscard]] std::filesystem::path path() const { return directory.path() / "server/octo/tool"; }
  ActionSource::Found find(const std::string& ref, bool update = false) {
    ActionLock lock(directory.path() / "slipway.lock", update);
    DiskActionSource source({directory.path() / "server"}, directory.path() / "cache", "", lock,
                            log);
    return source.find({.owner = "octo", .repository = "tool", .path = {}, .ref = ref}, {});
  }
  os::TempDir directory;
  NoLog log;
};

}  // namespace

TEST_CASE("an action of a git repository is taken at its ref, by commit, and recorded") {
  Server server;
  auto first = server.git({"rev-parse", "v1^{commit}"});
  auto second = server.commit("two");
  auto found = server.find("v1");
  CHECK(found.sha == first);
  CHECK(found.full_ref == "refs/tags/v1");
  CHECK(os::read_file(found.directory / "action.yml").find("name: one") != std::string::npos);
  CHECK(server.find("main").sha == second);
  CHECK(server.find(first).sha == first);
  auto lock = os::read_file(server.directory.path() / "slipway.lock");
  CHECK(lock.find("\"octo/tool@v1\": \"" + first + "\"") != std::string::npos);
  CHECK_THROWS_WITH_AS(server.find("v9"), doctest::Contains("no branch or tag 'v9'"), Error);
}

TEST_CASE("a tag that moved is refused until it is recorded anew; a branch may move") {
  Server server;
  server.find("v1");
  server.find("main");
  auto moved = server.commit("evil");
  server.git({"tag", "-f", "v1"});
  CHECK_THROWS_WITH_AS(server.find("v1"), doctest::Contains("the tag octo/tool@v1 was moved"),
                       Error);
  CHECK(server.find("main").sha == moved);
  CHECK(server.find("v1", true).sha == moved);
  CHECK(server.find("v1").sha == moved);
}

TEST_CASE("a workflow of another repository is read, and the call is held against it") {
  Server server;
  ActionLock lock({}, false);
  DiskActionSource source({server.directory.path() / "server"}, server.directory.path() / "cache",
                          "", lock, server.log);
  Job job;
  job.id = "call";
  job.uses = "octo/tool/.github/workflows/call.yml@v1";
  CHECK_THROWS_AS(fetch_workflow(job, source, {}), Error);  // the input n is missing
  job.uses = "octo/tool/.github/workflows/none.yml@v1";
  CHECK_THROWS_WITH_AS(fetch_workflow(job, source, {}), doctest::Contains("no file"), Error);
}

TEST_CASE("a path of the repository that says it, and of the workspace") {
  auto own = parse_action_reference("$/tools/x");
  REQUIRE(std::holds_alternative<LocalAction>(own));
  CHECK(std::get<LocalAction>(own).path == "./tools/x");
  CHECK_THROWS_AS(parse_action_reference("$/../x"), Error);
}

TEST_CASE("the home of a workflow's reference") {
  auto home = home_of("octo/app/.github/workflows/x.yml@refs/heads/main");
  CHECK(home.repository == "octo/app");
  CHECK(home.ref == "refs/heads/main");
  CHECK(home_of("octo/app").repository == "octo/app");
}
