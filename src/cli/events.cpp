// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/lost_runs.hpp"
#include "cli/run_reader.hpp"
#include "cli/verbs.hpp"

namespace slipway::cli {

Verb events_verb() {
  return {.name = "events",
          .usage = "RUN [-f]",
          .summary = "prints what happened in a run, one JSON object a line",
          .options = {{"-f,--follow", Option::Kind::flag, "", "go on until the run ends"}},
          .min_arguments = 1,
          .max_arguments = 1,
          .run = [](const Invocation& given, Surroundings& around) {
            sweep_lost_runs(around);
            RunReader reader(around.state / "runs", given.arguments.at(0));
            reader.events([](std::string_view line) { print(std::string(line) + "\n"); },
                          given.has("--follow"), around.stop);
            return 0;
          }};
}

Verb logs_verb() {
  return {.name = "logs",
          .usage = "RUN [JOB[/STEP]] [-f]",
          .summary = "prints the log of a run, of one of its jobs or of one step",
          .options = {{"-f,--follow", Option::Kind::flag, "", "go on until the run ends"}},
          .min_arguments = 1,
          .max_arguments = 2,
          .run = [](const Invocation& given, Surroundings& around) {
            sweep_lost_runs(around);
            RunReader reader(around.state / "runs", given.arguments.at(0));
            auto wanted = given.arguments.size() > 1 ? given.arguments[1] : std::string();
            reader.logs(
                wanted, [](std::string_view text) { print(text); }, given.has("--follow"),
                around.stop);
            return 0;
          }};
}

}  // namespace slipway::cli
