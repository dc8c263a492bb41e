// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "formats/otlp.hpp"
#include "workflow/run_event.hpp"

namespace slipway::workflow {

/// The span of a job's step, or of the job itself (step 0), in the trace of its run. Known before the step has begun.
///   run  the run's trace and span; an empty one gives an empty one
formats::TraceContext step_span(const formats::TraceContext& run, const std::string& job, int step);

/// What a run's spans say of it.
struct RunLabels {
  std::string workflow;  ///< title
  std::string run_id;
  std::string sha;
  std::string ref;
  std::string repository;  ///< "owner/name"
};

/// Makes spans of a run's events: one for the run, below it its jobs, below them their steps. What was skipped has none.
///   source  OpenTelemetry semantic conventions, "CICD"
class RunSpans final : public EventSink {
 public:
  /// `run`     its trace and its own span
  /// `parent`  the span above it; empty: none
  RunSpans(formats::TraceContext run, std::string parent, RunLabels labels);
  void on(const RunEvent& event) override;
  /// What has ended.
  [[nodiscard]] std::vector<formats::Span> spans() const;

 private:
  struct State {
    std::map<std::pair<std::string, int>, formats::Time> began;  // by job and step
    std::vector<formats::Span> ended;
  };
  void begin(const RunEvent& event);
  void end(const RunEvent& event);

  formats::TraceContext run_;
  std::string parent_;
  RunLabels labels_;
  Guarded<State> state_;
};

}  // namespace slipway::workflow
