// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs.hpp"

namespace slipway::cli {

Verb version_verb() {
  return {.name = "version",
          .usage = "",
          .summary = "prints the version",
          .max_arguments = 0,
          .run = [](const Invocation&, Surroundings& around) {
            print(around.json ? "{\"version\":\"" SLIPWAY_VERSION "\"}\n"
                              : "slipway " SLIPWAY_VERSION "\n");
            return 0;
          }};
}

}  // namespace slipway::cli
