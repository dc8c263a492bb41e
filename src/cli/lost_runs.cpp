// SPDX-License-Identifier: Apache-2.0
#include "cli/lost_runs.hpp"

#include "base/error.hpp"
#include "container/leftovers.hpp"
#include "workflow/run_store.hpp"

namespace slipway::cli {

void sweep_lost_runs(const Surroundings& around) {
  workflow::RunStore store(around.state / "runs");
  auto runs = store.list();
  bool any = std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return run.ended_ms == 0 && run.conclusion == "lost";
  });
  if (!any) return;
  try {
    container::sweep({.state = around.state});
    store.sweep();
  } catch (const Error& error) {
    around.log.warn("cleaning up after a run that was killed: {}", error.what());
  }
}

}  // namespace slipway::cli
