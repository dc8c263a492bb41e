// SPDX-License-Identifier: Apache-2.0
// The stages of actions (pre, main, post), alone and inside composites, and the time they have: on this machine itself, with real node.
//   source  actions/runner ActionRunner.cs, CompositeActionHandler.cs
#include <doctest/doctest.h>

#include "os/file.hpp"
#include "workflow/engine_bench.hpp"

using namespace slipway;
using namespace slipway::workflow;
using namespace slipway::workflow::testing;

namespace {

// An action of three stages that say what they see.
void add_staged(Bench& bench, const std::string& name) {
  auto place = bench.directory.path() / "actions/octo" / (name + "@v1");
  os::make_dirs(place);
  os::write_file(place / "action.yml",
                 "inputs: {word: {default: none}}\n"
                 "runs: {using: node20, pre: s.js, main: s.js, post: s.js}\n");
  os::write_file(place / "s.js", R"(
const fs = require('fs'), e = process.env;
const stage = e.STATE_stage === undefined ? 'pre' : e.STATE_stage === 'pre' ? 'main' : 'post';
console.log(`NAME ${stage}: ${e.INPUT_WORD} ${e.OWN} ${e.GITHUB_ACTION_REPOSITORY}`);
fs.appendFileSync(e.GITHUB_STATE, 'stage=' + stage + '\n');
if (e.FAILS === stage) process.exit(1);
)");
  auto script = os::read_file(place / "s.js");
  script.replace(script.find("NAME"), 4, name);
  os::write_file(place / "s.js", script);
}

void add_composite(Bench& bench, const std::string& name, const std::string& text) {
  auto place = bench.directory.path() / "actions/octo" / (name + "@v1");
  os::make_dirs(place);
  os::write_file(place / "action.yml", text);
}

}  // namespace

TEST_CASE(
    "a pre stage sees the step's env; its action's post comes even when the step is skipped") {
  Bench bench;
  add_staged(bench, "staged");
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {run: echo between}
      - {uses: octo/staged@v1, if: failure(), with: {word: given}, env: {OWN: mine}}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("staged pre: given mine octo/staged\n"));
  CHECK(!bench.recorder.says("staged post"));  // the script counts stages by its state
  CHECK(bench.recorder.says("staged main: given mine octo/staged\n"));
  CHECK(bench.recorder.conclusion_of_step("Post Run octo/staged@v1") == "success");
  CHECK(bench.recorder.conclusion_of_step("Pre Run octo/staged@v1") == "success");
}

TEST_CASE("what is given to a post is evaluated then; continue-on-error is for posts, too") {
  Bench bench;
  add_staged(bench, "staged");
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - uses: octo/staged@v1
        with: {word: "${{ job.status }}"}
        env: {OWN: "${{ steps.later.outputs.x || 'early' }}", FAILS: post}
        continue-on-error: true
      - {id: later, run: "echo x=late >> $GITHUB_OUTPUT"}
      - {run: exit 3}
      - {if: failure(), run: "echo status ${{ job.status }}"}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(bench.recorder.says("staged main: success early octo/staged\n"));
  CHECK(bench.recorder.says("staged post: failure late octo/staged\n"));
  CHECK(bench.recorder.conclusion_of_step("Post Run octo/staged@v1") == "success");
}

TEST_CASE(
    "pre and post of actions inside a composite: before all steps, and one post of the whole") {
  Bench bench;
  add_staged(bench, "staged");
  add_composite(bench, "outer", R"(
inputs: {status: {default: ""}}
runs:
  using: composite
  steps:
    - {uses: octo/staged@v1, with: {word: "first-${{ inputs.status }}"}}
    - {uses: octo/inner@v1}
)");
  add_composite(bench, "inner", R"(
runs:
  using: composite
  steps:
    - {uses: octo/staged@v1, with: {word: second}}
)");
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {run: echo now-the-steps}
      - {uses: octo/outer@v1, with: {status: "${{ job.status }}"}, env: {OWN: o}}
      - {run: exit 4}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::failure);
  std::size_t at = 0;
  for (const char* text : {"staged pre: first-success o", "staged pre: second o", "now-the-steps",
                           "staged main: first-success o", "staged main: second o",
                           "staged post: second o", "staged post: first-failure o"}) {
    CAPTURE(text);
    at = bench.recorder.log.find(text, at);
    REQUIRE(at != std::string::npos);
  }
  CHECK(bench.recorder.conclusion_of_step("Pre Run octo/outer@v1") == "success");
  CHECK(bench.recorder.conclusion_of_step("Post Run octo/outer@v1") == "success");
}

TEST_CASE("a composite without anything to do afterwards has no post") {
  Bench bench;
  add_composite(bench, "plain", "runs: {using: composite, steps: [{run: echo in, shell: sh}]}\n");
  auto result = bench.run("on: push\njobs: {one: {runs-on: x, steps: [{uses: octo/plain@v1}]}}\n");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.conclusion_of_step("Post Run octo/plain@v1").empty());
}

TEST_CASE("the time of a step is the time of the composite action that it uses") {
  Bench bench;
  bench.minute = std::chrono::milliseconds(400);
  add_composite(bench, "slow", R"(
runs:
  using: composite
  steps:
    - {run: "echo began; sleep 30 >/dev/null 2>&1 & wait $!", shell: bash}
    - {run: echo never-said, shell: bash}
)");
  auto began = Deadline::Clock::now();
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {id: slow, uses: octo/slow@v1, timeout-minutes: 1, continue-on-error: true}
      - {run: "echo after ${{ steps.slow.outcome }}"}
)");
  INFO(bench.recorder.log);
  CHECK(Deadline::Clock::now() - began < std::chrono::seconds(20));
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("\nbegan\n"));
  CHECK(!bench.recorder.says("\nnever-said\n"));
  CHECK(
      bench.recorder.says("##[error]The action 'Run octo/slow@v1' has timed out after 1 minutes."));
  CHECK(bench.recorder.says("after failure"));
}

TEST_CASE("a job's time is over: it is cancelled, always() steps still run") {
  Bench bench;
  bench.minute = std::chrono::milliseconds(400);
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    timeout-minutes: 1
    steps:
      - {run: "sleep 30 >/dev/null 2>&1 & wait $!"}
      - {if: always(), run: "echo cleanup ${{ job.status }}"}
  two: {runs-on: x, needs: one, if: always(), steps: [{run: "echo one was ${{ needs.one.result }}"}]}
)");
  INFO(bench.recorder.log);
  CHECK(bench.recorder.says("\ncleanup cancelled\n"));
  CHECK(bench.recorder.says("one was cancelled"));
  CHECK(bench.recorder.says("exceeded the maximum execution time of 1 minutes"));
}

TEST_CASE(
    "a condition that cannot be evaluated ends a composite; GITHUB_ENV does not reach past its "
    "env") {
  Bench bench;
  add_composite(bench, "broken", R"(
runs:
  using: composite
  steps:
    - {run: "echo OWN=changed >> $GITHUB_ENV", shell: bash}
    - {run: "echo own is $OWN", shell: bash}
    - {if: "fromJSON('[') == 1", run: echo never-said, shell: bash}
    - {if: always(), run: echo never-said, shell: bash}
)");
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {uses: octo/broken@v1, env: {OWN: mine}, continue-on-error: true}
      - {run: "echo then $OWN"}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("\nown is mine\n"));
  CHECK(bench.recorder.says("\nthen changed\n"));
  CHECK(!bench.recorder.says("\nnever-said\n"));
}

TEST_CASE("a local action's pre is not run and said to be; a deprecated input is told of") {
  Bench bench;
  add_composite(bench, "old", R"(
inputs: {gone: {deprecationMessage: use new}}
runs: {using: composite, steps: [{run: echo ran, shell: sh}]}
)");
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: |
          mkdir mine; echo 'console.log("main ran")' >mine/m.js
          echo 'runs: {using: node20, pre: m.js, main: m.js}' >mine/action.yml
      - {uses: ./mine}
      - {uses: octo/old@v1, with: {gone: x}}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says(
      "##[warning]`pre` execution is not supported for local action from './mine'"));
  CHECK(bench.recorder.says("main ran\n"));
  CHECK(bench.recorder.says("##[warning]Input 'gone' has been deprecated with message: use new"));
}

TEST_CASE("step debugging is a secret's or a variable's matter, not of env") {
  Bench bench;
  std::string text = R"(
on: push
jobs: {one: {runs-on: x, steps: [{env: {ACTIONS_STEP_DEBUG: true}, run: "echo ::debug::deep; echo [$RUNNER_DEBUG]${{ runner.debug }}"}]}}
)";
  bench.run(text);
  CHECK(!bench.recorder.says("##[debug]deep"));
  CHECK(bench.recorder.says("\n[]\n"));
  bench.settings.vars["ACTIONS_STEP_DEBUG"] = "true";
  bench.run(text);
  CHECK(bench.recorder.says("##[debug]deep"));
  CHECK(bench.recorder.says("\n[1]1\n"));
}

TEST_CASE("a line that is cut is not cut within a secret") {
  Bench bench;
  bench.settings.secrets["KEY"] = "s3cr3t-s3cr3t-s3cr3t";
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    env: {KEY: "${{ secrets.KEY }}"}
    steps:
      - run: |
          python3 - <<'END'
          import os, sys, time
          out = sys.stdout
          out.write('x' * ((1 << 20) - 10)); out.flush()
          out.write(os.environ['KEY'][:15]); out.flush(); time.sleep(0.3)
          out.write(os.environ['KEY'][15:] + 'yyy\n')
          END
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(!bench.recorder.says("s3cr3t"));
  CHECK(bench.recorder.says("***yyy\n"));
}

TEST_CASE("a command that cannot be obeyed is named; stop-commands and its token are in the log") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {id: a, continue-on-error: true, run: "echo ::set-output::x"}
      - {run: "echo ::stop-commands::pause; echo ::pause::; echo '::add-matcher::'; echo ::remove-matcher::"}
      - {run: "echo was ${{ steps.a.outcome }}"}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says(
      "##[error]Unable to process command '::set-output::x' successfully.\n"
      "##[error]Required field 'name' is missing in ##[set-output] command.\n"));
  CHECK(bench.recorder.says("\n::stop-commands::pause\n::pause::\n"));
  CHECK(bench.recorder.says("##[warning]File path must be specified."));
  CHECK(bench.recorder.says("was failure"));
}
