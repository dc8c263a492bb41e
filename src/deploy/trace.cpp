// SPDX-License-Identifier: Apache-2.0
#include "deploy/trace.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

struct Parent {
  std::string trace;
  std::string span;  // empty: none
};

// "00-<32 hex>-<16 hex>-01"
Parent parent_of(const std::string& text) {
  auto parts = split(text, '-');
  bool is_good = parts.size() == 4 && parts[1].size() == 32 && parts[2].size() == 16 &&
                 unhex(parts[1]) && unhex(parts[2]) &&
                 parts[1].find_first_not_of('0') != std::string::npos;
  if (is_good) return {parts[1], parts[2]};
  return {hex(random_bytes(16)), ""};
}

Json attribute(const std::string& key, const std::string& value) {
  return Json::object({{"key", key}, {"value", Json::object({{"stringValue", value}})}});
}

std::string nanoseconds(formats::Time time) {
  return std::to_string(time.time_since_epoch().count()) + "000000";
}

Json status_of(bool ok, const std::string& reason) {
  constexpr int kOk = 1;
  constexpr int kError = 2;
  Json status = Json::object({{"code", ok ? kOk : kError}});
  if (!reason.empty()) status["message"] = reason;
  return status;
}

}  // namespace

Json to_spans(const std::vector<ledger::Release>& releases, const std::string& name,
              const std::string& trace_parent) {
  if (releases.empty()) return Json::object({{"resourceSpans", Json::array()}});
  Parent parent = parent_of(trace_parent);
  std::string root = hex(random_bytes(8));
  formats::Time begin = formats::Time::max();
  formats::Time end = formats::Time::min();
  bool ok = true;
  Json spans = Json::array();
  for (const auto& release : releases) {
    formats::Time ended = release.ended.value_or(release.started);
    begin = std::min(begin, release.started);
    end = std::max(end, ended);
    bool is_good = release.verdict == ledger::Verdict::succeeded;
    ok = ok && is_good;
    Json attributes = Json::array(
        {attribute("deployment.environment.name", release.environment),
         attribute("service.name", release.service), attribute("deployment.id", release.deployment),
         attribute("vcs.ref.head.revision", release.sha),
         attribute("aws.ecs.task.family", brief_task_definition(release.task_definition)),
         attribute("deployment.status", is_good ? "succeeded" : "failed")});
    spans.push_back(Json::object({{"traceId", parent.trace},
                                  {"spanId", hex(random_bytes(8))},
                                  {"parentSpanId", root},
                                  {"name", "release " + release.service},
                                  {"kind", 1},
                                  {"startTimeUnixNano", nanoseconds(release.started)},
                                  {"endTimeUnixNano", nanoseconds(ended)},
                                  {"attributes", attributes},
                                  {"status", status_of(is_good, release.reason)}}));
  }
  Json whole = Json::object(
      {{"traceId", parent.trace},
       {"spanId", root},
       {"name", name},
       {"kind", 1},
       {"startTimeUnixNano", nanoseconds(begin)},
       {"endTimeUnixNano", nanoseconds(end)},
       {"attributes",
        Json::array({attribute("deployment.environment.name", releases.front().environment),
                     attribute("cicd.pipeline.run.id", releases.front().run_id)})},
       {"status", status_of(ok, "")}});
  if (!parent.span.empty()) whole["parentSpanId"] = parent.span;
  spans.push_back(std::move(whole));
  Json scope = Json::object({{"scope", Json::object({{"name", "slipway"}})}, {"spans", spans}});
  Json resource =
      Json::object({{"attributes", Json::array({attribute("service.name", "slipway")})}});
  return Json::object(
      {{"resourceSpans", Json::array({Json::object(
                             {{"resource", resource}, {"scopeSpans", Json::array({scope})}})})}});
}

}  // namespace slipway::deploy
