// SPDX-License-Identifier: Apache-2.0
#include "cli/environment_access.hpp"
#include "cli/notify.hpp"
#include "cli/verbs.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {

Verb resume_verb() {
  return {
      .name = "resume",
      .usage = "ENV",
      .summary = "lets automatic deployments go on after a rollback",
      .min_arguments = 1,
      .max_arguments = 1,
      .run = [](const Invocation& given, Surroundings& around) {
        ledger::Ledger ledger(around.state / "ledger.db");
        const std::string& environment = given.arguments[0];
        auto pause = ledger.paused(environment);
        bool was_paused = ledger.resume(environment, user_name());
        notify(around, ledger, settings_here(around), {});
        if (around.json) {
          print(formats::Json::object({{"environment", environment}, {"resumed", was_paused}})
                    .dump() +
                "\n");
        } else {
          print(was_paused
                    ? fmt::format("{} takes automatic deployments again (paused since {} by {})\n",
                                  environment, pause->at, pause->who)
                    : fmt::format("{} was not paused\n", environment));
        }
        return 0;
      }};
}

}  // namespace slipway::cli
