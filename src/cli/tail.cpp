// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/verbs.hpp"
#include "formats/time.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

// The log groups of the task definitions that the services run.
std::vector<std::string> groups_of(aws::Client& client, const ledger::Ledger& ledger,
                                   const std::string& environment, const std::string& wanted,
                                   const std::stop_token& stop) {
  std::vector<std::string> groups;
  for (const auto& service : ledger.services(environment)) {
    if (!wanted.empty() && service != wanted) continue;
    auto release = ledger.latest(environment, service);
    if (!release) continue;
    Json definition = client
                          .call("ecs", "DescribeTaskDefinition",
                                Json::object({{"taskDefinition", release->task_definition}}), stop)
                          .value();
    for (const auto& container :
         definition.at("taskDefinition").get_array("containerDefinitions")) {
      const Json* log = container.find("logConfiguration");
      const Json* options = log ? log->find("options") : nullptr;
      std::string group = options ? options->get_string("awslogs-group") : "";
      if (!group.empty() && std::find(groups.begin(), groups.end(), group) == groups.end())
        groups.push_back(group);
    }
  }
  if (groups.empty())
    fail(Fault::not_found, "no service{} with logs was deployed to '{}'",
         wanted.empty() ? "" : " '" + wanted + "'", environment);
  return groups;
}

int tail(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  ledger::Ledger ledger(around.state / "ledger.db");
  aws::Client client(aws_access(around.state));
  auto groups = groups_of(client, ledger, environment,
                          given.arguments.size() > 1 ? given.arguments[1] : "", around.stop);
  std::map<std::string, std::int64_t> from;
  std::map<std::string, std::set<std::string>>
      seen;  // event ids at the newest time, which the next call gives again
  auto minutes = to_integer(given.value_or("--since", "10")).value_or(10);
  std::int64_t start = formats::now().time_since_epoch().count() - minutes * 60'000;
  Guarded<int> nothing;
  do {
    for (const auto& group : groups) {
      Json input = Json::object({{"logGroupName", group},
                                 {"startTime", from.contains(group) ? from[group] : start},
                                 {"limit", 1000}});
      auto answer = client.call("logs", "FilterLogEvents", input, around.stop);
      if (!answer.ok() && answer.error()->code == "ResourceNotFoundException") continue;
      for (const auto& event : answer.value().get_array("events")) {
        if (!seen[group].insert(event.get_string("eventId")).second) continue;
        auto at = event.get_int("timestamp");
        from[group] = std::max(from[group], at);
        if (around.json) {
          print(event.dump() + "\n");
        } else {
          std::string stream = event.get_string("logStreamName");
          auto slash = stream.rfind('/');
          std::string short_name =
              slash == std::string::npos ? stream : stream.substr(0, slash + 9);
          print(fmt::format("{} {} {}\n",
                            formats::iso8601_millis(formats::Time(std::chrono::milliseconds(at))),
                            short_name, event.get_string("message")));
        }
      }
    }
    if (given.has("--no-follow")) break;
    nothing.wait(
        around.stop, Deadline::in(std::chrono::milliseconds(500)), [](int) { return false; },
        [](int) {});
  } while (!around.stop.stop_requested());
  return 0;
}

}  // namespace

Verb tail_verb() {
  return {
      .name = "tail",
      .usage = "ENV [SERVICE] [--since MINUTES] [--no-follow]",
      .summary = "the services' logs as they come",
      .options = {{"--since", Option::Kind::value, "MINUTES", "how far back to begin; default 10"},
                  {"--no-follow", Option::Kind::flag, "", "end after what is there"}},
      .min_arguments = 1,
      .max_arguments = 2,
      .run = tail};
}

}  // namespace slipway::cli
