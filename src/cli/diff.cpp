// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/verbs.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {

Verb diff_verb() {
  return {
      .name = "diff",
      .usage = "ENV [--service NAME]… [--image NAME=REF] [--task-definition F] [--sha SHA]",
      .summary = "what a deployment would change",
      .options = {{"--service", Option::Kind::list, "NAME", "only this service"},
                  {"--image", Option::Kind::list, "NAME=REF", "the image of a container"},
                  {"--task-definition", Option::Kind::value, "FILE",
                   "instead of the workflow's; with one --service"},
                  {"--sha", Option::Kind::value, "SHA", "the commit; default: HEAD"},
                  {"--exit-code", Option::Kind::flag, "", "exit 1 when something would change"}},
      .min_arguments = 1,
      .max_arguments = 1,
      .run = [](const Invocation& given, Surroundings& around) {
        auto view = read_environment(around, given.arguments[0], given.value_or("--sha", ""));
        aws::Client client(aws_access(around.state));
        deploy::ClientCalls calls(client);
        auto candidates = read_candidates(around, calls, view, given);
        auto differences = deploy::differences(calls, candidates, around.stop);
        deploy::describe_images(calls, differences, around.stop);
        auto migrations =
            pending_migrations(around, ledger::Ledger(around.state / "ledger.db"), view);
        if (around.json) {
          auto list = to_json(differences);
          for (auto& item : list.as_array()) {
            auto names = formats::Json::array();
            for (const auto& file : migrations) names.push_back(file);
            item["migrations"] = std::move(names);
          }
          print(list.dump() + "\n");
        } else {
          print(print_differences(differences) + print_migrations(migrations));
        }
        for (const auto& candidate : candidates) {
          for (const auto& missing : candidate.missing)
            print_error(fmt::format("{}, container '{}': {}\n", candidate.service,
                                    missing.container, missing.message));
        }
        bool has_changes = std::any_of(differences.begin(), differences.end(),
                                       [](const auto& d) { return !d.changes.empty(); });
        return given.has("--exit-code") && has_changes ? 1 : 0;
      }};
}

}  // namespace slipway::cli
