// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "cli/lost_runs.hpp"
#include "cli/run_view.hpp"
#include "cli/verbs.hpp"
#include "formats/time.hpp"
#include "workflow/run_store.hpp"

namespace slipway::cli {
namespace {

std::string line_of(const workflow::RunRecord& run) {
  auto state = run.conclusion.empty() ? "running" : run.conclusion;
  auto took = run.ended_ms > 0 ? short_duration(run.ended_ms - run.started_ms) : "";
  auto ref = run.ref.starts_with("refs/heads/")  ? run.ref.substr(11)
             : run.ref.starts_with("refs/tags/") ? run.ref.substr(10)
                                                 : run.ref;
  return fmt::format("{:>5}  {:<10} {:<9} {:<8} {:<16} {:<20} {}\n", run.id, state, took,
                     run.sha.substr(0, 8), ref,
                     formats::iso8601(formats::Time(std::chrono::milliseconds(run.started_ms))),
                     run.title.empty() ? run.workflow : run.title);
}

int runs(const Invocation&, Surroundings& around) {
  sweep_lost_runs(around);
  workflow::RunStore store(around.state / "runs");
  auto list = store.list();
  if (around.json) {
    auto array = formats::Json::array();
    for (const auto& run : list) array.push_back(workflow::to_json(run));
    print(array.dump() + "\n");
    return 0;
  }
  std::string text;
  for (const auto& run : list) text += line_of(run);
  print(text.empty() ? "no runs yet; start one: slipway run\n" : text);
  return 0;
}

}  // namespace

Verb runs_verb() {
  return {.name = "runs",
          .usage = "",
          .summary = "lists past and live runs, newest first",
          .options = {},
          .max_arguments = 0,
          .run = runs};
}

}  // namespace slipway::cli
