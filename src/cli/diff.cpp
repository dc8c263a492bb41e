// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "cli/attestation.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/notify.hpp"
#include "cli/verbs.hpp"
#include "deploy/pull_request.hpp"
#include "ledger/ledger.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

void tell(const Surroundings& around, const EnvironmentView& view, const std::string& number,
          const std::string& text) {
  auto to = deploy::pull_request_of(number, os::environment(), view.project.event.repository);
  net::HttpClient http;
  auto url = deploy::tell_pull_request(to, view.need.name, text,
                                       poster(http, std::chrono::seconds(20), around.stop));
  if (!around.quiet) print_error(url + "\n");
}

}  // namespace

Verb diff_verb() {
  return {
      .name = "diff",
      .usage =
          "ENV [--service NAME]… [--image NAME=REF] [--task-definition F] [--sha SHA] "
          "[--pull-request N|auto]",
      .summary = "what a deployment would change",
      .options = {{"--service", Option::Kind::list, "NAME", "only this service"},
                  {"--image", Option::Kind::list, "NAME=REF", "the image of a container"},
                  {"--task-definition", Option::Kind::value, "FILE",
                   "instead of the workflow's; with one --service"},
                  {"--sha", Option::Kind::value, "SHA", "the commit; default: HEAD"},
                  {"--pull-request", Option::Kind::value, "N|auto",
                   "put it on a pull request of GitHub, as one comment that is kept up to date"},
                  {"--exit-code", Option::Kind::flag, "", "exit 1 when something would change"}},
      .min_arguments = 1,
      .max_arguments = 1,
      .run = [](const Invocation& given, Surroundings& around) {
        auto view = read_environment(around, given.arguments[0], given.value_or("--sha", ""));
        aws::Client client(aws_access(around.state));
        deploy::ClientCalls calls(client);
        auto candidates = read_candidates(around, calls, view, given);
        auto differences = deploy::differences(calls, candidates, around.stop);
        deploy::describe_images(calls, differences, ecr_blobs(around, calls), around.stop);
        auto migrations =
            pending_migrations(around, ledger::Ledger(around.state / "ledger.db"), view);
        std::string text = print_differences(differences) + print_migrations(migrations);
        if (auto number = given.value("--pull-request")) tell(around, view, *number, text);
        if (around.json) {
          auto list = to_json(differences);
          for (auto& item : list.as_array()) {
            auto names = formats::Json::array();
            for (const auto& file : migrations) names.push_back(file);
            item["migrations"] = std::move(names);
          }
          print(list.dump() + "\n");
        } else {
          print(text);
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
