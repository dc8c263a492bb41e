// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "base/text.hpp"
#include "deploy/check.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

constexpr const char* kFargateCpu = "L-3032A538";  // "Fargate On-Demand vCPU resource count"
constexpr double kUnitsPerCpu = 1024;

// A task's CPU units: "256", "1 vCPU", or a number.
double units_of(const Json& definition) {
  const Json* cpu = definition.find("cpu");
  if (!cpu) return 0;
  if (!cpu->is_string()) return cpu->as_number();
  std::string text = to_lower(cpu->as_string());
  bool is_whole = text.ends_with("vcpu");
  if (is_whole) text = std::string(trim(text.substr(0, text.size() - 4)));
  auto value = formats::parse_json(text.empty() ? "0" : text, "cpu").as_number();
  return is_whole ? value * kUnitsPerCpu : value;
}

// The CPU that the tasks of a cluster have now, in units.
double used_in(Calls& calls, const std::string& cluster, const std::stop_token& stop) {
  double units = 0;
  std::string next;
  do {
    Json input = Json::object({{"cluster", cluster}});
    if (!next.empty()) input["nextToken"] = next;
    Json page = calls.call("ecs", "ListTasks", input, stop).value();
    Json arns = Json::array();
    for (const auto& arn : page.get_array("taskArns")) arns.push_back(arn);
    if (!arns.empty()) {
      Json tasks = calls
                       .call("ecs", "DescribeTasks",
                             Json::object({{"cluster", cluster}, {"tasks", arns}}), stop)
                       .value();
      for (const auto& task : tasks.get_array("tasks")) units += units_of(task);
    }
    next = page.get_string("nextToken");
  } while (!next.empty());
  return units;
}

// The tasks that a rollout runs beside those of before, at its most.
double extra_tasks(Calls& calls, const Candidate& candidate, const std::stop_token& stop) {
  auto answer = calls.call("ecs", "DescribeServices",
                           Json::object({{"cluster", candidate.cluster},
                                         {"services", Json::array({candidate.service})}}),
                           stop);
  if (!answer.ok() || answer.value().get_array("services").empty()) return 0;
  const Json& service = answer.value().get_array("services").front();
  const Json* configuration = service.find("deploymentConfiguration");
  double most = configuration ? configuration->get_number("maximumPercent", 200) : 200;
  return static_cast<double>(service.get_int("desiredCount")) * (most - 100) / 100;
}

}  // namespace

std::vector<Finding> check_quota(Calls& calls, const std::vector<Candidate>& candidates,
                                 const std::stop_token& stop) {
  const std::string what = "quota of Fargate's vCPUs";
  auto answer =
      calls.call("servicequotas", "GetServiceQuota",
                 Json::object({{"ServiceCode", "fargate"}, {"QuotaCode", kFargateCpu}}), stop);
  if (const auto* error = answer.error()) {
    bool is_denied = error->code.find("Denied") != std::string::npos;
    if (!is_denied) return {};  // this cloud has none
    return {{Finding::State::skipped, what, error->message,
             "give this user servicequotas:GetServiceQuota"}};
  }
  const Json* quota = answer.value().find("Quota");
  double limit = quota ? quota->get_number("Value") : 0;
  if (limit <= 0) return {};
  std::map<std::string, double> used;
  double needed = 0;
  for (const auto& candidate : candidates) {
    if (!used.contains(candidate.cluster))
      used[candidate.cluster] = used_in(calls, candidate.cluster, stop);
    needed += extra_tasks(calls, candidate, stop) * units_of(candidate.definition);
  }
  double now = 0;
  for (const auto& [cluster, units] : used) now += units;
  now /= kUnitsPerCpu;
  needed /= kUnitsPerCpu;
  if (now + needed <= limit) {
    return {{Finding::State::ok,
             fmt::format("{}: {:.4g} of {:.4g}, {:.4g} more while it is released", what, now, limit,
                         needed),
             "", ""}};
  }
  return {
      {Finding::State::missing, what,
       fmt::format("it is {:.4g}; the tasks that run use {:.4g}, and a release needs {:.4g} more "
                   "while old and new tasks run together",
                   limit, now, needed),
       "ask for more in Service Quotas (fargate, L-3032A538), or lower maximumPercent"}};
}

}  // namespace slipway::deploy
