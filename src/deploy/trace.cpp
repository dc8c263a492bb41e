// SPDX-License-Identifier: Apache-2.0
#include "deploy/trace.hpp"

#include <algorithm>

#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

bool is_good(const ledger::Release& release) {
  return release.verdict == ledger::Verdict::succeeded;
}

}  // namespace

formats::Span span_of(const ledger::Release& release) {
  auto above = formats::read_traceparent(release.trace_parent);
  return {
      .context = {above.trace,
                  formats::span_id(above.trace, {"release", std::to_string(release.id)})},
      .parent = above.span,
      .name = "release " + release.service,
      .start = release.started,
      .end = release.ended.value_or(release.started),
      .attributes = {{"deployment.environment.name", release.environment},
                     {"service.name", release.service},
                     {"deployment.id", release.deployment},
                     {"vcs.ref.head.revision", release.sha},
                     {"aws.ecs.task.family", brief_task_definition(release.task_definition)},
                     {"deployment.status", is_good(release) ? "succeeded" : "failed"},
                     {"slipway.release.verdict", std::string(ledger::name_of(release.verdict))}},
      .ok = is_good(release),
      .message = release.reason};
}

formats::Span span_around(const formats::TraceContext& context, const std::string& parent,
                          const std::string& name, const std::vector<ledger::Release>& releases) {
  const auto& first = releases.front();
  formats::Span span{.context = context,
                     .parent = parent,
                     .name = name,
                     .start = first.started,
                     .end = first.ended.value_or(first.started),
                     .attributes = {{"deployment.environment.name", first.environment},
                                    {"vcs.ref.head.revision", first.sha}}};
  for (const auto& release : releases) {
    span.start = std::min(span.start, release.started);
    span.end = std::max(span.end, release.ended.value_or(release.started));
    span.ok = span.ok && is_good(release);
  }
  return span;
}

}  // namespace slipway::deploy
