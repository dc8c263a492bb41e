// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "workflow/check_call.hpp"
#include "workflow/plan.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

std::string_view name_of(PlannedJob::Verdict verdict) {
  switch (verdict) {
    case PlannedJob::Verdict::runs:
      return "runs";
    case PlannedJob::Verdict::skipped:
      return "skipped";
    case PlannedJob::Verdict::depends:
      break;
  }
  return "depends";
}

void put(Json& into, std::string_view key, const std::string& text) {
  if (!text.empty()) into[key] = text;
}

Json job_json(const PlannedJob& planned) {
  const auto& job = *planned.job;
  Json json = Json::object({{"id", job.id}, {"verdict", std::string(name_of(planned.verdict))}});
  put(json, "reason", planned.reason);
  Json needs = Json::array();
  for (const auto& need : job.needs) needs.push_back(need);
  json["needs"] = needs;
  put(json, "environment", planned.environment);
  put(json, "concurrency", planned.concurrency);
  if (job.permissions.given) {
    Json permissions = Json::object();
    for (const auto& scope : permission_scopes()) {
      auto access = job.permissions.of(scope, Access::none);
      if (access != Access::none) permissions[scope] = std::string(name_of(access));
    }
    json["permissions"] = permissions;
  }
  if (planned.strategy) {
    Json legs = Json::array();
    for (std::size_t i = 0; i < planned.strategy->legs.size(); ++i) {
      const auto& leg = planned.strategy->legs[i];
      Json one = Json::object({{"name", planned.leg_names[i]}, {"index", leg.index}});
      one["matrix"] = leg.matrix.to_json();
      legs.push_back(std::move(one));
    }
    json["legs"] = legs;
    json["fail_fast"] = planned.strategy->fail_fast;
    json["max_parallel"] = planned.strategy->max_parallel;
  }
  if (job.is_call()) {
    json["uses"] = job.uses;
    Json called = Json::array();
    for (const auto& inner : planned.called) called.push_back(job_json(inner));
    json["jobs"] = called;
  } else {
    json["steps"] = job.steps.size();
    json["runs_on"] =
        job.runs_on.is_mapping() || job.runs_on.is_sequence() || job.runs_on.is_expression()
            ? Json(nullptr)
            : Json(job.runs_on.text);
    if (job.runs_on.is_expression()) json["runs_on"] = job.runs_on.literal();
    if (job.runs_on.is_sequence()) {
      Json labels = Json::array();
      for (const auto& item : job.runs_on.items) labels.push_back(item.literal());
      json["runs_on"] = labels;
    }
    if (job.runs_on.is_mapping()) json["runs_on"] = evaluate(job.runs_on, {}).to_json();
  }
  return json;
}

void job_lines(const PlannedJob& planned, const std::string& indent, std::string& text) {
  const auto& job = *planned.job;
  bool skipped = planned.verdict == PlannedJob::Verdict::skipped;
  text += fmt::format("{}{} {}", indent,
                      skipped                                           ? "-"
                      : planned.verdict == PlannedJob::Verdict::depends ? "?"
                                                                        : "+",
                      job.id);
  if (!job.needs.empty()) text += fmt::format("  needs {}", join(job.needs, ", "));
  if (!planned.environment.empty()) text += fmt::format("  environment {}", planned.environment);
  if (!planned.reason.empty()) text += fmt::format("  ({})", planned.reason);
  text += '\n';
  if (!skipped && !planned.strategy)
    text += indent + "    legs are known when what it needs is done\n";
  if (planned.strategy && planned.strategy->legs.size() > 1) {
    for (const auto& name : planned.leg_names) text += fmt::format("{}    {}\n", indent, name);
  }
  for (const auto& inner : planned.called) job_lines(inner, indent + "    ", text);
}

}  // namespace

Json to_json(const RunPlan& plan) {
  const auto& event = plan.event;
  Json workflows = Json::array();
  for (const auto& planned : plan.workflows) {
    Json json =
        Json::object({{"file", planned.workflow->file}, {"name", planned.workflow->title()}});
    json["starts"] = planned.starts;
    json["reason"] = planned.reason;
    put(json, "run_name", planned.run_name);
    put(json, "concurrency", planned.concurrency);
    if (!planned.inputs.is_null()) json["inputs"] = planned.inputs.to_json();
    Json jobs = Json::array();
    for (const auto& job : planned.jobs) jobs.push_back(job_json(job));
    json["jobs"] = jobs;
    workflows.push_back(std::move(json));
  }
  return Json::object({{"event", Json::object({{"name", event.name},
                                               {"ref", event.ref},
                                               {"sha", event.sha},
                                               {"repository", event.repository},
                                               {"actor", event.actor}})},
                       {"workflows", workflows}});
}

std::string to_text(const RunPlan& plan) {
  const auto& event = plan.event;
  auto text = fmt::format("{} {} at {} ({})\n", event.name, event.ref, event.sha.substr(0, 7),
                          event.repository);
  for (const auto& planned : plan.workflows) {
    text += fmt::format("\n{}  {}: {}\n", planned.workflow->file,
                        planned.starts ? "runs" : "does not run", planned.reason);
    for (const auto& job : planned.jobs) job_lines(job, "  ", text);
  }
  return text;
}

}  // namespace slipway::workflow
