// SPDX-License-Identifier: Apache-2.0
#include "workflow/run_spans.hpp"

#include <doctest/doctest.h>

using namespace slipway;
using namespace slipway::workflow;

TEST_CASE("a run's jobs are spans below it and their steps below them; what was skipped has none") {
  formats::TraceContext run{"0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"};
  RunSpans sink(run, "00f067aa0ba902b7", {.workflow = "ship", .run_id = "7", .sha = "c0ffee"});
  auto tell = [&](EventKind kind, std::int64_t at, const std::string& job, int step,
                  const std::string& conclusion = "") {
    sink.on({.kind = kind,
             .at_ms = at,
             .run = "7",
             .job = job,
             .step = step,
             .step_name = step > 0 ? "Run make" : "",
             .conclusion = conclusion});
  };
  tell(EventKind::run_started, 1000, "", 0);
  tell(EventKind::job_started, 1100, "test", 0);
  tell(EventKind::step_started, 1200, "test", 1);
  tell(EventKind::output, 1250, "test", 1);
  tell(EventKind::step_finished, 1300, "test", 1, "failure");
  tell(EventKind::step_started, 1300, "test", 2);
  tell(EventKind::step_finished, 1300, "test", 2, "skipped");
  tell(EventKind::job_finished, 1400, "test", 0, "failure");
  tell(EventKind::job_finished, 1400, "deploy", 0, "skipped");
  tell(EventKind::run_finished, 1500, "", 0, "failure");
  auto spans = sink.spans();
  REQUIRE(spans.size() == 3);
  const auto& [step, job, whole] = std::tie(spans[0], spans[1], spans[2]);
  CHECK(step.context == step_span(run, "test", 1));
  CHECK(step.parent == job.context.span);
  CHECK(step.name == "Run make");
  CHECK(step.start == formats::Time(std::chrono::milliseconds(1200)));
  CHECK(step.end == formats::Time(std::chrono::milliseconds(1300)));
  CHECK_FALSE(step.ok);
  CHECK(job.context == step_span(run, "test", 0));
  CHECK(job.parent == run.span);
  CHECK(whole.context == run);
  CHECK(whole.parent == "00f067aa0ba902b7");
  CHECK(whole.name == "run ship");
  CHECK(step_span({}, "test", 1) == formats::TraceContext{});
}
