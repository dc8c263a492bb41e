// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/doctor_checks.hpp"
#include "cli/verbs.hpp"
#include "formats/json.hpp"

namespace slipway::cli {

Verb doctor_verb() {
  return {.name = "doctor",
          .usage = "",
          .summary = "checks this machine",
          .max_arguments = 0,
          .run = [](const Invocation&, Surroundings& around) {
            auto checks = check_machine();
            formats::Json list = formats::Json::array();
            std::string text;
            for (const auto& check : checks) {
              list.push_back(formats::Json::object({{"name", check.name},
                                                    {"ok", check.ok},
                                                    {"needed", check.is_needed},
                                                    {"sentence", check.sentence},
                                                    {"command", check.command}}));
              text += fmt::format("{} {:<10} {}\n",
                                  check.ok          ? "ok "
                                  : check.is_needed ? "NO "
                                                    : "-  ",
                                  check.name, check.sentence);
              if (!check.command.empty()) text += fmt::format("               {}\n", check.command);
            }
            bool ok = std::all_of(checks.begin(), checks.end(),
                                  [](const Check& c) { return c.ok || !c.is_needed; });
            print(around.json
                      ? formats::Json::object({{"ok", ok}, {"checks", list}}).pretty() + "\n"
                      : text);
            return ok ? 0 : 3;
          }};
}

}  // namespace slipway::cli
