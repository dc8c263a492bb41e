// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/verb.hpp"
#include "deploy/environment_release.hpp"
#include "formats/otlp.hpp"
#include "ledger/ledger.hpp"
#include "workflow/event.hpp"
#include "workflow/run_spans.hpp"

// Spans for $OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT): OTLP over HTTP, JSON. Where neither is set nothing is traced. What
// is traced belongs to $TRACEPARENT's trace when there is one. A collector that does not answer is a warning.
//   source  OpenTelemetry specification, "OpenTelemetry Protocol Exporter", "Environment Variable Specification"
namespace slipway::cli {

/// The span of a verb that releases, known before its releases are so that the ledger can name it.
class VerbSpan final {
 public:
  VerbSpan();
  /// The traceparent of what is released; empty when nothing is traced.
  [[nodiscard]] std::string for_releases() const { return formats::print_traceparent(context_); }
  /// Sends it with the releases below it; nothing when there are none.
  void end(const std::string& name, const std::vector<ledger::Release>& releases) const;

 private:
  formats::TraceContext context_;  // its own
  std::string parent_;
};

/// The spans of a run, its jobs, their steps and what those release.
class RunSpan final {
 public:
  /// Puts the trace into `facts`, from which steps have it.
  RunSpan(workflow::RunFacts& facts, const std::string& title, const workflow::Event& event);
  /// Null when nothing is traced.
  [[nodiscard]] workflow::EventSink* sink() const { return spans_.get(); }
  void end(const std::vector<ledger::Release>& releases) const;

 private:
  std::unique_ptr<workflow::RunSpans> spans_;
};

/// The releases that outcomes tell of.
std::vector<ledger::Release> releases_of(const ledger::Ledger& ledger,
                                         const std::vector<deploy::ServiceOutcome>& outcomes);

}  // namespace slipway::cli
