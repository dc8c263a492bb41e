// SPDX-License-Identifier: Apache-2.0
#include "workflow/plan.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "workflow/cases.hpp"
#include "workflow/filter.hpp"
#include "workflow/hash_files.hpp"
#include "workflow/read_workflow.hpp"

namespace slipway::workflow {
namespace {

std::shared_ptr<const Workflow> parsed(std::string_view text) {
  auto result = read_workflow(text, "w.yml");
  for (const auto& diagnostic : result.diagnostics) FAIL(to_string(diagnostic));
  return std::make_shared<const Workflow>(std::move(result.workflow));
}

Event push_to(const std::string& ref) {
  Event event;
  event.ref = ref;
  event.sha = std::string(40, 'a');
  event.repository = "acme/app";
  return event;
}

// "on: …" with one job.
TriggerDecision decide_on(const std::string& on, const Event& event) {
  return decide(*parsed("on:\n" + on + "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n"), event);
}

std::vector<std::string> strings(const formats::Json& json) {
  std::vector<std::string> result;
  for (const auto& item : json.as_array()) result.push_back(item.as_string());
  return result;
}

TEST_CASE("filters: the published cases") {
  auto cases = known_cases("workflow/filter_pattern_cases.json");
  if (!cases) {
    MESSAGE("skipped: no workflow/filter_pattern_cases.json");
    return;
  }
  for (const auto& one : cases->at("cases").as_array()) {
    auto patterns = strings(one.at("patterns"));
    auto inputs = strings(one.at("inputs"));
    CAPTURE(one.dump());
    // In the file the two names are exchanged: a branch that `branches` names is not skipped.
    CHECK(only_filter_skips(patterns, inputs) == one.at("ignore_filter_skips").as_bool());
    CHECK(ignore_filter_skips(patterns, inputs) == one.at("include_filter_skips").as_bool());
  }
}

TEST_CASE("filters: what the cheat sheet says") {
  CHECK(matches_filter("feature/*", "feature/my-branch"));
  CHECK_FALSE(matches_filter("feature/*", "feature/a/b"));
  CHECK(matches_filter("feature/**", "feature/beta-a/my-branch"));
  CHECK(matches_filter("releases/mona-the-octocat", "releases/mona-the-octocat"));
  CHECK_FALSE(matches_filter("*", "all/the/branches"));
  CHECK(matches_filter("**", "all/the/branches"));
  CHECK(matches_filter("v[12].[0-9]+.[0-9]+", "v1.10.1"));
  CHECK_FALSE(matches_filter("v[12].[0-9]+.[0-9]+", "v3.1.1"));
  CHECK(matches_filter("**/*-post.md", "my-post.md"));
  CHECK(matches_filter("**/*src/**", "a/src/app.js"));
  CHECK(matches_filter("a\\*b", "a*b"));
  CHECK_FALSE(matches_filter("a\\*b", "axb"));
  CHECK(matches_filter("é?x", "x"));
}

TEST_CASE("a star pattern costs no more than pattern times text") {
  CHECK_FALSE(matches_filter("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

TEST_CASE("a push to a branch: branch filters decide, tags alone keep it out") {
  CHECK(decide_on("  push:\n", push_to("refs/heads/x")).starts);
  CHECK(decide_on("  push: {branches: [main]}\n", push_to("refs/heads/main")).starts);
  CHECK_FALSE(decide_on("  push: {branches: [main]}\n", push_to("refs/heads/x")).starts);
  CHECK_FALSE(decide_on("  push: {tags: ['v*']}\n", push_to("refs/heads/main")).starts);
  CHECK(decide_on("  push: {tags: ['v*']}\n", push_to("refs/tags/v1")).starts);
  CHECK_FALSE(decide_on("  push: {branches: [main]}\n", push_to("refs/tags/v1")).starts);
  CHECK_FALSE(
      decide_on("  push: {branches: ['**', '!tmp/**']}\n", push_to("refs/heads/tmp/a")).starts);
  CHECK_FALSE(decide_on("  pull_request:\n", push_to("refs/heads/main")).starts);
}

TEST_CASE(
    "path filters look at the changed files, never for tags, and let pass what is not known") {
  auto event = push_to("refs/heads/main");
  const char* on = "  push: {paths: ['src/**']}\n";
  CHECK(decide_on(on, event).starts);
  event.changed_files = {"docs/a.md"};
  CHECK_FALSE(decide_on(on, event).starts);
  event.changed_files = {"docs/a.md", "src/a.c"};
  CHECK(decide_on(on, event).starts);
  event.ref = "refs/tags/v1";
  event.changed_files = {"docs/a.md"};
  CHECK(decide_on(on, event).starts);
  event.ref = "refs/heads/main";
  CHECK_FALSE(decide_on("  push: {paths-ignore: ['docs/**']}\n", event).starts);
}

TEST_CASE(
    "pull requests start on their default actions or the ones named; the base branch counts") {
  auto event = push_to("refs/pull/1/merge");
  event.name = "pull_request";
  event.base_ref = "main";
  event.payload = formats::Json::object({{"action", "labeled"}});
  CHECK_FALSE(decide_on("  pull_request:\n", event).starts);
  CHECK(decide_on("  pull_request: {types: [labeled]}\n", event).starts);
  event.payload["action"] = "opened";
  CHECK(decide_on("  pull_request: {branches: [main]}\n", event).starts);
  CHECK_FALSE(decide_on("  pull_request: {branches: [other]}\n", event).starts);
}

TEST_CASE("[skip ci] in the commit message keeps pushes out, not dispatches") {
  auto event = push_to("refs/heads/main");
  event.commit_message = "docs [Skip CI]";
  CHECK_FALSE(decide_on("  push:\n", event).starts);
  event.name = "workflow_dispatch";
  CHECK(decide_on("  workflow_dispatch:\n", event).starts);
}

Strategy strategy_of(const std::string& matrix) {
  auto workflow = parsed(
      "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: x}]\n    strategy:\n      "
      "matrix:\n" +
      matrix);
  return expand_strategy(workflow->jobs[0], {});
}

std::vector<std::string> legs(const std::string& matrix) {
  std::vector<std::string> result;
  for (const auto& leg : strategy_of(matrix).legs) result.push_back(leg.matrix.to_json().dump());
  return result;
}

using Lines = std::vector<std::string>;

TEST_CASE("a matrix is a product in declared order, the first key slowest") {
  CHECK(legs("        b: [1, 2]\n        a: [x, y]\n") ==
        Lines{R"({"b":1,"a":"x"})", R"({"b":1,"a":"y"})", R"({"b":2,"a":"x"})",
              R"({"b":2,"a":"y"})"});
}

TEST_CASE("exclude compares as the language does, partially and leaf by leaf, before include") {
  CHECK(legs("        os: [Linux, mac]\n        v: [1, 2]\n        exclude: [{os: linux, v: "
             "'1'}]\n") ==
        Lines{R"({"os":"Linux","v":2})", R"({"os":"mac","v":1})", R"({"os":"mac","v":2})"});
  CHECK(legs("        n: [{a: 1, b: 2}, {a: 3, b: 4}]\n        exclude: [{n: {a: 3}}]\n") ==
        Lines{R"({"n":{"a":1,"b":2}})"});
}

TEST_CASE(
    "includes extend the cells they match, overwrite earlier includes, never vectors, and else "
    "stand alone") {
  // The example of GitHub's documentation.
  CHECK(legs("        fruit: [apple, pear]\n        animal: [cat, dog]\n        include:\n         "
             " - color: green\n"
             "          - {color: pink, animal: cat}\n          - {fruit: apple, shape: circle}\n"
             "          - {fruit: banana}\n          - {fruit: banana, animal: cat}\n") ==
        Lines{R"({"fruit":"apple","animal":"cat","color":"pink","shape":"circle"})",
              R"({"fruit":"apple","animal":"dog","color":"green","shape":"circle"})",
              R"({"fruit":"pear","animal":"cat","color":"pink"})",
              R"({"fruit":"pear","animal":"dog","color":"green"})", R"({"fruit":"banana"})",
              R"({"fruit":"banana","animal":"cat"})"});
  CHECK(legs("        include: [{a: 1}, {a: 2}]\n") == Lines{R"({"a":1})", R"({"a":2})"});
}

TEST_CASE("a leg's name has the scalars of its product, cut to 100 characters") {
  auto strategy =
      strategy_of("        a: [1.5, true, '']\n        include: [{a: 1.5, extra: z}]\n");
  CHECK(strategy.legs[0].suffix == " (1.5)");
  CHECK(strategy.legs[1].suffix == " (true)");
  CHECK(strategy.legs[2].suffix.empty());
  CHECK(strategy.max_parallel == 3);
  auto workflow = parsed("on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n");
  Leg leg;
  leg.suffix = " (" + std::string(200, 'x') + ")";
  auto title = job_title(workflow->jobs[0], leg, {});
  CHECK(title.size() == 100);
  CHECK(title.ends_with("..."));
}

TEST_CASE("a matrix with more than 256 legs, or with an unknown key in exclude, is refused") {
  std::string many =
      "        a: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]\n        b: "
      "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]\n";
  CHECK(strategy_of(many).legs.size() == 256);
  CHECK_THROWS_WITH_AS(strategy_of(many + "        include: [{z: 1, a: 99}]\n"),
                       doctest::Contains("more than 256"), Error);
  CHECK_THROWS_WITH_AS(strategy_of("        a: [1]\n        exclude: [{z: 1}]\n"),
                       doctest::Contains("Matrix exclude key 'z' does not match any key"), Error);
}

constexpr std::string_view kDeploy = R"(
name: deploy
run-name: Deploy ${{ github.ref_name }}
on: [push, workflow_dispatch]
jobs:
  test:
    runs-on: ubuntu-latest
    steps: [{run: make test}]
  staging:
    needs: test
    if: github.ref == 'refs/heads/main'
    environment: staging
    runs-on: ubuntu-latest
    steps: [{run: ./deploy}]
  production:
    needs: [test, staging]
    if: startsWith(github.ref, 'refs/tags/v')
    environment: {name: "production-${{ github.ref_name }}"}
    runs-on: ubuntu-latest
    steps: [{run: ./deploy}]
  after:
    needs: staging
    runs-on: ubuntu-latest
    steps: [{run: x}]
  notify:
    needs: staging
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: x}]
  cleanup:
    needs: test
    if: failure()
    runs-on: ubuntu-latest
    steps: [{run: x}]
  legs:
    needs: test
    runs-on: ubuntu-latest
    strategy: {matrix: {v: "${{ fromJSON(needs.test.outputs.list) }}"}}
    steps: [{run: x}]
)";

const PlannedJob& job_of(const RunPlan& plan, std::string_view id) {
  for (const auto& job : plan.workflows.at(0).jobs) {
    if (job.job->id == id) return job;
  }
  FAIL("no such job in the plan");
  throw Error(Fault::not_found, "unreachable");
}

TEST_CASE("a plan says which jobs run, which are skipped and why, and what is known later") {
  using Verdict = PlannedJob::Verdict;
  auto workflow = parsed(kDeploy);
  auto main = plan({workflow}, push_to("refs/heads/main"), {});
  CHECK(main.workflows[0].run_name == "Deploy main");
  CHECK(job_of(main, "staging").verdict == Verdict::runs);
  CHECK(job_of(main, "staging").environment == "staging");
  CHECK(job_of(main, "production").verdict == Verdict::skipped);
  CHECK(job_of(main, "after").verdict == Verdict::runs);
  CHECK(job_of(main, "cleanup").verdict == Verdict::depends);
  CHECK_FALSE(job_of(main, "legs").strategy);

  auto tag = plan({workflow}, push_to("refs/tags/v1"), {});
  CHECK(job_of(tag, "staging").verdict == Verdict::skipped);
  // One skipped ancestor is enough: this is what GitHub does.
  CHECK(job_of(tag, "production").verdict == Verdict::skipped);
  CHECK(job_of(tag, "after").reason == "needs 'staging', which is skipped");
  CHECK(job_of(tag, "notify").verdict == Verdict::runs);
}

TEST_CASE("many jobs that each need the two before them plan in no time") {
  std::string text = "on: push\njobs:\n";
  for (int i = 0; i < 80; ++i) {
    text += fmt::format("  j{}:\n    runs-on: x\n    steps: [{{run: x}}]\n", i);
    if (i > 1) text += fmt::format("    needs: [j{}, j{}]\n", i - 1, i - 2);
  }
  CHECK(plan({parsed(text)}, push_to("refs/heads/main"), {}).workflows[0].jobs.size() == 80);
}

TEST_CASE("--job keeps the job and what it needs; an unknown job is an error") {
  auto workflow = parsed(kDeploy);
  auto some = plan({workflow}, push_to("refs/heads/main"),
                   {.jobs = {"STAGING"}, .matrix = {}, .ignore_triggers = false, .vars = {}});
  REQUIRE(some.workflows[0].jobs.size() == 2);
  CHECK(some.workflows[0].jobs[0].job->id == "test");
  CHECK_THROWS_WITH_AS(plan({workflow}, push_to("refs/heads/main"),
                            {.jobs = {"x"}, .matrix = {}, .ignore_triggers = false, .vars = {}}),
                       "no workflow has a job 'x'", Error);
}

TEST_CASE("inputs of a dispatch are typed, have defaults, and are refused when unknown or wrong") {
  auto workflow = parsed(
      "on:\n  workflow_dispatch:\n    inputs:\n      dry: {type: boolean}\n      n: {type: number, "
      "default: 3}\n"
      "      env: {type: choice, options: [staging, production]}\n"
      "jobs: {a: {runs-on: x, if: inputs.dry == true && inputs.n == 3, steps: [{run: x}]}}\n");
  Event event = push_to("refs/heads/main");
  event.name = "workflow_dispatch";
  event.inputs = {{"dry", "true"}};
  auto planned = plan({workflow}, event, {});
  CHECK(planned.workflows[0].inputs.to_json().dump() == R"({"dry":true,"n":3,"env":"staging"})");
  CHECK(job_of(planned, "a").verdict == PlannedJob::Verdict::runs);
  event.inputs = {{"dry", "yes"}};
  CHECK_THROWS_WITH_AS(plan({workflow}, event, {}), "input 'dry' is true or false, not 'yes'",
                       Error);
  event.inputs = {{"nope", "1"}};
  CHECK_THROWS_WITH_AS(plan({workflow}, event, {}), "w.yml: there is no input 'nope'", Error);
}

// path → content
class FakeTree final : public FileTree {
 public:
  explicit FakeTree(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  [[nodiscard]] Kind kind(const std::string& path, bool) const override {
    if (files_.contains(path)) return Kind::file;
    auto below = files_.lower_bound(path + "/");
    return below != files_.end() && below->first.starts_with(path + "/") ? Kind::directory
                                                                         : Kind::none;
  }
  [[nodiscard]] std::vector<std::string> children(const std::string& directory) const override {
    std::set<std::string> names;
    for (const auto& [path, content] : files_) {
      if (!path.starts_with(directory + "/")) continue;
      auto rest = path.substr(directory.size() + 1);
      names.insert(rest.substr(0, rest.find('/')));
    }
    return {names.begin(), names.end()};
  }
  [[nodiscard]] std::string sha256(const std::string& path) const override {
    read_.push_back(path);
    return std::string(32, files_.at(path)[0]);
  }
  [[nodiscard]] std::vector<std::string> take_read() const { return std::exchange(read_, {}); }

 private:
  std::map<std::string, std::string> files_;
  mutable std::vector<std::string> read_;
};

TEST_CASE("hashFiles takes files in the order of @actions/glob") {
  FakeTree tree({{"/w/package-lock.json", "a"},
                 {"/w/a/package-lock.json", "b"},
                 {"/w/a/b/x.txt", "c"},
                 {"/w/.h/y.txt", "d"},
                 {"/out/z.txt", "e"}});
  auto files = [&](std::vector<std::string> patterns) {
    auto hash = hash_files(tree, "/w", patterns, "/home/u");
    auto read = tree.take_read();
    CHECK(hash.empty() == read.empty());
    return read;
  };
  CHECK(files({"**/package-lock.json"}) == Lines{"/w/a/package-lock.json", "/w/package-lock.json"});
  CHECK(files({"a"}) == Lines{"/w/a/b/x.txt", "/w/a/package-lock.json"});
  CHECK(files({"**", "!a/**"}) == Lines{"/w/.h/y.txt", "/w/package-lock.json"});
  CHECK(files({"# comment\n*.json\n**/x.txt"}) == Lines{"/w/a/b/x.txt", "/w/package-lock.json"});
  CHECK(files({"/out/**"}).empty());
  CHECK(files({"nope"}).empty());
}

}  // namespace
}  // namespace slipway::workflow
