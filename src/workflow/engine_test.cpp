// SPDX-License-Identifier: Apache-2.0
// The engine end to end on this machine itself: real shells, no containers.
#include <doctest/doctest.h>
#include <signal.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/engine_bench.hpp"

using namespace slipway;
using namespace slipway::workflow;
using namespace slipway::workflow::testing;

TEST_CASE("outputs, environment and path of a step reach later steps") {
  Bench bench;
  auto result = bench.run(R"(
on: push
env: {A: from-workflow, B: from-workflow}
jobs:
  one:
    runs-on: ubuntu-latest
    env: {B: from-job}
    outputs: {answer: "${{ steps.set.outputs.answer }}", none: "${{ steps.set.outputs.missing }}"}
    steps:
      - id: set
        run: |
          echo "answer=42" >> "$GITHUB_OUTPUT"
          echo "C=from-file" >> "$GITHUB_ENV"
          mkdir -p "$RUNNER_TEMP/bin" && printf '#!/bin/sh\necho tool-ran\n' > "$RUNNER_TEMP/bin/mytool"
          chmod +x "$RUNNER_TEMP/bin/mytool" && echo "$RUNNER_TEMP/bin" >> "$GITHUB_PATH"
          echo "now [$C]"
      - run: mytool; echo "$A $B $C ${{ env.C }} ${{ steps.set.outputs.answer }} $GITHUB_REF $GITHUB_REPOSITORY"
  two:
    runs-on: ubuntu-latest
    needs: one
    steps:
      - run: echo "got ${{ needs.one.outputs.answer }} ${{ needs.one.result }} [${{ needs.one.outputs.none }}]"
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("now []"));
  CHECK(bench.recorder.says(
      "tool-ran\nfrom-workflow from-job from-file from-file 42 refs/heads/main octo/app\n"));
  CHECK(bench.recorder.says("got 42 success []"));
}

TEST_CASE(
    "defaults.run is evaluated before the first step; what steps say later does not change it") {
  Bench bench;
  auto result = bench.run(R"(
on: push
env: {PLACE: first}
jobs:
  one:
    runs-on: ubuntu-latest
    defaults: {run: {working-directory: "${{ env.PLACE }}"}}
    steps:
      - {working-directory: ., run: mkdir first second; echo PLACE=second >> "$GITHUB_ENV"}
      - {env: {PLACE: second}, run: "echo in $(basename $PWD), $PLACE"}
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("in first, second\n"));
}

TEST_CASE("a failed step skips the rest but for always() and failure(), and fails the job") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {name: soft, run: exit 3, continue-on-error: true, id: soft}
      - {name: hard, run: "echo soft was ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }}; exit 7"}
      - {name: skipped, run: echo never}
      - {name: on-failure, if: failure(), run: echo cleaning}
      - {name: always, if: always(), run: "echo status ${{ job.status }}"}
  after: {runs-on: x, needs: one, steps: [{run: echo never}]}
  anyway: {runs-on: x, needs: after, if: always(), steps: [{run: "echo after was ${{ needs.after.result }}"}]}
  later: {runs-on: x, needs: anyway, steps: [{run: echo never}]}
)");
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(bench.recorder.says("soft was failure success"));
  CHECK(bench.recorder.says("##[error]Process completed with exit code 7."));
  CHECK(bench.recorder.conclusion_of_step("skipped") == "skipped");
  CHECK(bench.recorder.says("cleaning"));
  CHECK(bench.recorder.says("status failure"));
  CHECK(conclusion_of(result, "after") == Conclusion::skipped);
  CHECK(bench.recorder.says("after was skipped"));
  CHECK(conclusion_of(result, "later") == Conclusion::skipped);  // one skipped ancestor is enough
  CHECK(!bench.recorder.says("never\n##"));
}

TEST_CASE("secrets are masked wherever they are said, and outputs that hold one are dropped") {
  Bench bench;
  bench.settings.secrets["TOKEN"] = "hunter2-hunter2";
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    outputs: {leak: "${{ steps.a.outputs.leak }}"}
    steps:
      - id: a
        env: {T: "${{ secrets.token }}"}
        run: |
          echo "plain $T"; printf '%s' "$T" | base64
          echo "leak=$T" >> $GITHUB_OUTPUT
          echo "::add-mask::later-secret"; echo "later-secret"
          echo "::warning file=a.txt,line=3::about $T"
  two: {runs-on: x, needs: one, steps: [{run: "echo [${{ needs.one.outputs.leak }}]"}]}
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(!bench.recorder.says("hunter2"));
  CHECK(bench.recorder.says("plain ***"));
  CHECK(!bench.recorder.says("aHVudGVyMi1odW50ZXIy"));
  CHECK(bench.recorder.says("##[warning]about ***"));
  CHECK(bench.recorder.says("Skip output 'leak' since it may contain secret."));
  CHECK(bench.recorder.says("[]"));
}

TEST_CASE("a matrix runs its legs, fail-fast stops the others, max-parallel holds") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  legs:
    runs-on: ubuntu-latest
    strategy: {fail-fast: true, max-parallel: 1, matrix: {n: [1, 2, 3]}}
    steps: [{run: "echo leg ${{ matrix.n }} of ${{ strategy.job-total }}; test ${{ matrix.n }} != 2"}]
)");
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(conclusion_of(result, "legs (1)") == Conclusion::success);
  CHECK(conclusion_of(result, "legs (2)") == Conclusion::failure);
  CHECK(conclusion_of(result, "legs (3)") == Conclusion::cancelled);
  CHECK(bench.recorder.says("leg 1 of 3"));
}

TEST_CASE("a built-in action: defaults, outputs, state and post in the right order") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {id: hello, uses: test/greeting@v1}
      - {uses: test/greeting@v1, with: {who: second}}
      - {run: "echo ${{ steps.hello.outputs.greeting }} $GREETED sesame"}
      - {uses: test/greeting@v1, with: {loud: true}, continue-on-error: true}
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("hello octo second ***"));
  CHECK(bench.recorder.says("##[error]too loud"));
  auto first = bench.recorder.log.find("goodbye second");
  CHECK(first != std::string::npos);
  CHECK(bench.recorder.log.find("goodbye octo", first) != std::string::npos);
}

TEST_CASE(
    "local composite and node actions see their inputs, keep state and run their posts last in "
    "first out") {
  Bench bench;
  auto action = bench.directory.path() / "actions/octo/node@v2";
  os::make_dirs(action);
  os::write_file(action / "action.yml", R"(
name: node action
inputs: {the-name: {default: "${{ github.actor }}"}, other one: {required: false}}
runs: {using: node20, main: main.js, post: post.js}
)");
  os::write_file(action / "main.js", R"(
const fs = require('fs');
console.log('main ' + process.env['INPUT_THE-NAME'] + ' ' + process.cwd().endsWith('/app'));
fs.appendFileSync(process.env.GITHUB_STATE, 'kept=' + process.env['INPUT_THE-NAME'] + '\n');
fs.appendFileSync(process.env.GITHUB_OUTPUT, 'made<<EOF\na\nb\nEOF\n');
)");
  os::write_file(action / "post.js", "console.log('post ' + process.env.STATE_kept);\n");
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: |
          mkdir -p mine
          cat > mine/action.yml <<'END'
          name: mine
          inputs: {word: {default: dflt}}
          outputs: {out: {value: "${{ '${{ steps.inner.outputs.x }}-${{ inputs.word }}' }}"}}
          runs:
            using: composite
            steps:
              - {id: inner, shell: bash, run: "echo x=in >> $GITHUB_OUTPUT; echo $GITHUB_ACTION_PATH ${{ '${{ inputs.word }}' }} [$INPUT_WORD] $OUTER"}
              - {uses: octo/node@v2, with: {the-name: composed}}
              - {shell: bash, run: exit 1, continue-on-error: true}
          END
      - {id: c, uses: ./mine, with: {word: given}, env: {OUTER: seen}}
      - {id: n, uses: octo/node@v2}
      - {run: "echo out ${{ steps.c.outputs.out }} ${{ toJSON(steps.n.outputs.made) }}"}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("/mine given [] seen"));
  CHECK(bench.recorder.says("main composed true"));
  CHECK(bench.recorder.says("main mona true"));
  CHECK(bench.recorder.says("out in-given \"a\\nb\""));
  auto first = bench.recorder.log.find("post mona");
  REQUIRE(first != std::string::npos);
  CHECK(bench.recorder.log.find("post composed", first) != std::string::npos);
}

TEST_CASE(
    "cancelling: the running step gets a signal, always() steps still run, the run is cancelled") {
  Bench bench;
  std::stop_source stop;
  bench.recorder.on_output = [&](const std::string& text) {
    if (text.find("ready\n") != std::string::npos && text.find("shell:") == std::string::npos)
      stop.request_stop();
  };
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {name: long, run: "trap 'echo interrupted; exit 1' INT; echo ready; sleep 30 >/dev/null 2>&1 & wait $!"}
      - {name: next, run: echo never-runs}
      - {name: last, if: always(), run: "echo cleanup ${{ job.status }}"}
)",
                          stop.get_token());
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::cancelled);
  CHECK(bench.recorder.says("\ninterrupted\n"));
  CHECK(bench.recorder.conclusion_of_step("long") == "cancelled");
  CHECK(bench.recorder.conclusion_of_step("next") == "skipped");
  CHECK(bench.recorder.says("\ncleanup cancelled\n"));
}

TEST_CASE(
    "workflow commands: unknown ones are text, stopped ones are not obeyed, set-env fails the "
    "step") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {name: stop, run: "echo ::foo::bar; echo ::stop-commands::tok; echo ::error::inert; echo ::tok::; echo ::error::live"}
      - {name: unsafe, run: "echo ::set-env name=A::1", continue-on-error: true}
      - {name: broken-file, run: "echo nonsense >> $GITHUB_ENV", continue-on-error: true, id: f}
      - {run: "echo file ${{ steps.f.outcome }}"}
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("\n::foo::bar\n"));
  CHECK(bench.recorder.says("\n::error::inert\n"));
  CHECK(bench.recorder.says("##[error]live"));
  CHECK(bench.recorder.says("The `set-env` command is disabled"));
  CHECK(bench.recorder.says("file failure"));
}

TEST_CASE("an action that is nowhere fails the job before its first step") {
  Bench bench;
  auto result = bench.run(
      "on: push\njobs:\n  one: {runs-on: x, steps: [{run: echo never}, {uses: no/such@v1}]}\n");
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(bench.recorder.says("no action 'no/such@v1'"));
  CHECK(!bench.recorder.says("\nnever"));
}

TEST_CASE(
    "background steps run beside the others; what they said counts once they are waited for") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {id: slow, background: true, run: 'until [ -e "$RUNNER_TEMP/go" ]; do sleep 0.02; done; echo "x=made" >> "$GITHUB_OUTPUT"; echo "LATE=yes" >> "$GITHUB_ENV"'}
      - {run: 'echo "before [${{ steps.slow.outputs.x }}] [$LATE]"; touch "$RUNNER_TEMP/go"'}
      - {wait: slow}
      - {run: 'echo "after [${{ steps.slow.outputs.x }}] [$LATE] ${{ steps.slow.outcome }}"'}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("before [] []"));
  CHECK(bench.recorder.says("after [made] [yes] success"));
}

TEST_CASE(
    "a background step that failed fails the job where it is waited for; one that is cancelled "
    "does not") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {id: server, background: true, run: "trap 'echo server-ends; exit 1' INT; echo up; while :; do sleep 0.05; done"}
      - {id: bad, background: true, run: exit 3}
      - {id: soft, background: true, continue-on-error: true, run: exit 4}
      - {name: still, run: echo still-fine}
      - {name: stop, cancel: server}
      - {name: all, wait-all: true}
      - {name: never, run: echo never-said}
      - {name: last, if: always(), run: "echo ${{ steps.bad.outcome }} ${{ steps.soft.conclusion }} ${{ steps.server.outcome }} ${{ job.status }}"}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(bench.recorder.conclusion_of_step("still") == "success");
  CHECK(bench.recorder.conclusion_of_step("stop") == "success");
  CHECK(bench.recorder.conclusion_of_step("all") == "failure");
  CHECK(bench.recorder.conclusion_of_step("never") == "skipped");
  CHECK(bench.recorder.says("\nfailure success cancelled failure\n"));
}

TEST_CASE(
    "background steps that nobody waits for end before the job does, and their failure counts") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {background: true, run: 'sleep 0.2; exit 5'}
      - {parallel: [{run: echo left}, {run: echo right}]}
      - {run: echo done}
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(bench.recorder.says("\nleft\n"));
  CHECK(bench.recorder.says("\nright\n"));
  CHECK(bench.recorder.says("exit code 5"));
}

TEST_CASE("problem matchers annotate what the steps after add-matcher print") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: |
          cat > m.json <<'END'
          {"problemMatcher": [{"owner": "cc", "pattern": [{"regexp": "^([^:]+):(\\d+):(\\d+): (warning|error): (.*)$", "file": 1, "line": 2, "column": 3, "severity": 4, "message": 5}]}]}
          END
          touch a.c; echo "::add-matcher::m.json"
      - run: |
          echo "a.c:3:7: warning: unused thing"; echo "missing.c:1:1: error: no such place"
          echo "::remove-matcher owner=cc::"; echo "a.c:9:9: error: nobody looks"
)");
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::success);
  std::vector<RunEvent> found;
  for (const auto& event : bench.recorder.events) {
    if (event.kind == EventKind::annotation) found.push_back(event);
  }
  REQUIRE(found.size() == 2);
  CHECK(found[0].text == "unused thing");
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[0].place.file == "a.c");
  CHECK(found[0].place.line == 3);
  CHECK(found[0].is_shown);
  CHECK(found[1].place.file.empty());
}

TEST_CASE(
    "running again what failed: what succeeded is kept with its outputs, what follows a failure "
    "runs anew") {
  Bench bench;
  bench.kept.succeeded["build"] = {{"image", "sha-1"}};
  bench.kept.succeeded["legs (1)"] = {};
  bench.kept.succeeded["report"] = {};
  bench.kept.others = {"legs (2)"};
  auto result = bench.run(R"(
on: push
jobs:
  build: {runs-on: x, outputs: {image: "${{ steps.s.outputs.i }}"}, steps: [{id: s, run: "echo built-again; echo i=sha-2 >> $GITHUB_OUTPUT"}]}
  legs: {runs-on: x, needs: build, strategy: {matrix: {n: [1, 2]}}, steps: [{run: "echo leg ${{ matrix.n }} ${{ needs.build.outputs.image }}"}]}
  report: {runs-on: x, needs: legs, if: always(), steps: [{run: "echo report-again"}]}
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(!bench.recorder.says("\nbuilt-again\n"));
  CHECK(!bench.recorder.says("\nleg 1 sha-1\n"));
  CHECK(bench.recorder.says("\nleg 2 sha-1\n"));
  CHECK(bench.recorder.says("\nreport-again\n"));
}

TEST_CASE("a group that queues keeps all who wait, in their order") {
  Bench bench;
  auto result = bench.run(R"(
on: push
jobs:
  a: {runs-on: x, concurrency: {group: g, queue: max}, steps: [{run: echo ran-a}]}
  b: {runs-on: x, concurrency: {group: g, queue: max}, steps: [{run: echo ran-b}]}
  c: {runs-on: x, concurrency: {group: G, queue: max}, steps: [{run: echo ran-c}]}
)");
  CHECK(result.conclusion == Conclusion::success);
  for (const char* text : {"\nran-a\n", "\nran-b\n", "\nran-c\n"}) CHECK(bench.recorder.says(text));
}

TEST_CASE("a second cancellation kills what would have gone on") {
  Bench bench;
  std::stop_source stop;
  std::stop_source hurry;
  bench.hurry = hurry.get_token();
  bench.recorder.on_output = [&](const std::string& text) {
    if (text == "first\n") stop.request_stop();
    if (text == "cleaning\n") hurry.request_stop();
  };
  auto began = Deadline::Clock::now();
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - {name: long, run: "echo first; sleep 60 >/dev/null 2>&1 & wait $!"}
      - {name: last, if: always(), run: "echo cleaning; sleep 60 >/dev/null 2>&1 & wait $!"}
      - {name: never, if: always(), run: "echo never-said"}
)",
                          stop.get_token());
  INFO(bench.recorder.log);
  CHECK(result.conclusion == Conclusion::cancelled);
  CHECK(!bench.recorder.says("\nnever-said\n"));
  CHECK(Deadline::Clock::now() - began < std::chrono::seconds(40));
}
