// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/verbs.hpp"
#include "deploy/check.hpp"

namespace slipway::cli {
namespace {

using deploy::Finding;
using formats::Json;

std::string_view word_of(Finding::State state) {
  return state == Finding::State::ok        ? "ok"
         : state == Finding::State::warned  ? "warning"
         : state == Finding::State::missing ? "missing"
                                            : "skipped";
}

int verify(const Invocation& given, Surroundings& around) {
  auto view = read_environment(around, given.arguments[0], given.value_or("--sha", ""));
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  auto candidates = read_candidates(around, calls, view, given);
  auto findings = deploy::check_environment(calls, view.project.needs, candidates, around.stop);
  std::size_t troubles = 0;
  Json list = Json::array();
  for (const auto& finding : findings) {
    if (finding.state == Finding::State::missing) ++troubles;
    Json item = Json::object({{"state", word_of(finding.state)}, {"what", finding.what}});
    if (!finding.message.empty()) item["message"] = finding.message;
    if (!finding.mend.empty()) item["mend"] = finding.mend;
    list.push_back(std::move(item));
    if (around.json || (around.quiet && finding.state == Finding::State::ok)) continue;
    print(fmt::format("{:<8} {}{}{}\n", word_of(finding.state), finding.what,
                      finding.message.empty() ? "" : ": " + finding.message,
                      finding.mend.empty() ? "" : fmt::format(" ({})", finding.mend)));
  }
  if (around.json) {
    print(list.dump() + "\n");
  } else {
    print(fmt::format("{} of {} things are right\n", findings.size() - troubles, findings.size()));
  }
  return troubles == 0 ? 0 : 1;
}

}  // namespace

Verb verify_verb() {
  return {.name = "verify",
          .usage = "ENV [--service NAME]… [--image NAME=REF] [--sha SHA]",
          .summary = "whether all that a deployment needs is there",
          .options = {{"--service", Option::Kind::list, "NAME", "only this service"},
                      {"--image", Option::Kind::list, "NAME=REF", "the image of a container"},
                      {"--sha", Option::Kind::value, "SHA", "the commit; default: HEAD"}},
          .min_arguments = 1,
          .max_arguments = 1,
          .run = verify};
}

}  // namespace slipway::cli
