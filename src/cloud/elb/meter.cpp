// SPDX-License-Identifier: Apache-2.0
#include "cloud/elb/meter.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/elb/api.hpp"

namespace slipway::cloud::elb {
namespace {

double number(const std::vector<std::string>& row, const std::map<std::string, std::size_t>& at,
              const std::string& column) {
  auto it = at.find(column);
  if (it == at.end() || it->second >= row.size()) return 0;
  return static_cast<double>(to_integer(row[it->second]).value_or(0));
}

// The load balancers whose listeners lead to a group.
std::vector<std::string> balancers_of_group(const Model& model, const std::string& group) {
  std::vector<std::string> out;
  for (const auto& [arn, listener] : model.listeners) {
    bool leads = std::any_of(listener.rules.begin(), listener.rules.end(), [&](const Rule& rule) {
      return rule.actions.dump().find(group) != std::string::npos;
    });
    const auto& owner = listener.load_balancer_arn;
    if (leads && std::find(out.begin(), out.end(), owner) == out.end()) out.push_back(owner);
  }
  return out;
}

// "app/NAME/ID" of an ARN, as the metrics' dimension has it.
std::string dimension_of(const std::string& arn, std::string_view kind) {
  auto at = arn.find(kind);
  if (at == std::string::npos) return arn;
  return arn.substr(kind == "loadbalancer/" ? at + kind.size() : at);
}

}  // namespace

std::map<std::string, BackendCount> read_counts(std::string_view csv) {
  std::map<std::string, BackendCount> out;
  std::map<std::string, std::size_t> at;
  for (auto line : lines_of(csv)) {
    auto row = split(line, ',');
    if (line.starts_with("# ")) {
      row[0].erase(0, 2);
      for (std::size_t i = 0; i < row.size(); ++i) at[row[i]] = i;
      continue;
    }
    if (row.size() < 2 || row[1] != "BACKEND" || at.empty()) continue;
    BackendCount count;
    count.requests = number(row, at, "req_tot");
    if (count.requests == 0) count.requests = number(row, at, "stot");
    for (const char* kind : {"2", "3", "4", "5"})
      count.answers[std::string(kind) + "XX"] = number(row, at, "hrsp_" + std::string(kind) + "xx");
    count.answer_ms = number(row, at, "rtime");
    out[row[0]] = count;
  }
  return out;
}

std::vector<Meter::Reading> Meter::read(const Model& model,
                                        const std::map<std::string, BackendCount>& counts,
                                        std::int64_t now_ms) {
  std::vector<Reading> out;
  auto before = std::exchange(last_, counts);
  for (const auto& entry : model.groups) {
    const std::string& arn = entry.first;
    const TargetGroup& group = entry.second;
    auto now = counts.find(backend_name(group));
    if (now == counts.end()) continue;
    auto known = before.find(now->first);
    const BackendCount* old = known == before.end() || known->second.requests > now->second.requests
                                  ? nullptr
                                  : &known->second;
    for (const auto& balancer : balancers_of_group(model, arn)) {
      auto add = [&](const std::string& name, const cloudwatch::Datum& datum) {
        out.push_back({group.scope,
                       {"AWS/ApplicationELB",
                        name,
                        {{"LoadBalancer", dimension_of(balancer, "loadbalancer/")},
                         {"TargetGroup", dimension_of(arn, "targetgroup/")}}},
                       datum});
      };
      double requests = now->second.requests - (old ? old->requests : 0);
      if (requests > 0) {
        add("RequestCount", cloudwatch::datum_of(requests, now_ms, "Count"));
        double seconds = now->second.answer_ms / 1000.0;
        add("TargetResponseTime", {.at_ms = now_ms,
                                   .sum = seconds * requests,
                                   .least = seconds,
                                   .most = seconds,
                                   .count = requests,
                                   .unit = "Seconds"});
      }
      for (const auto& [kind, total] : now->second.answers) {
        double answers = total - (old ? old->answers.at(kind) : 0);
        if (answers > 0)
          add("HTTPCode_Target_" + kind + "_Count", cloudwatch::datum_of(answers, now_ms, "Count"));
      }
      double healthy = 0, unhealthy = 0;
      for (const auto& [key, target] : model.targets) {
        if (target.group_arn != arn) continue;
        healthy += target.state == "healthy" ? 1 : 0;
        unhealthy += target.state == "unhealthy" ? 1 : 0;
      }
      add("HealthyHostCount", cloudwatch::datum_of(healthy, now_ms, "Count"));
      add("UnHealthyHostCount", cloudwatch::datum_of(unhealthy, now_ms, "Count"));
    }
  }
  return out;
}

void Elb::meter(const std::stop_token& stop) {
  constexpr std::chrono::seconds kBetween{10};
  Meter meter;
  Guarded<int> nothing;
  while (!nothing.wait(
             stop, Deadline::in(kBetween), [](int) { return false; }, [](int) {}) &&
         !stop.stop_requested()) {
    Model model = world_.read([](const World& world) { return world.model; });
    if (model.listeners.empty()) continue;
    try {
      auto now = formats::now().time_since_epoch().count();
      for (const auto& reading : meter.read(model, read_counts(haproxy_.command("show stat")), now))
        around_.metrics.put(reading.scope, reading.metric, {reading.datum});
    } catch (const Error& error) {
      around_.log.debug("elb: metrics: {}", error.what());  // it is being started or reloaded
    }
  }
}

}  // namespace slipway::cloud::elb
