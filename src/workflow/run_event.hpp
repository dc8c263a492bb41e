// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "workflow/action.hpp"

namespace slipway::workflow {

/// What happened in a run, in the order it happened. Everything is masked already.
enum class EventKind {
  run_started,  ///< text: the run's name
  job_waiting,  ///< text: for what (a concurrency group, an approval)
  job_started,
  step_started,
  output,         ///< text: one or more whole lines of log, with their line breaks
  group_started,  ///< text: the title
  group_ended,
  annotation,
  summary,        ///< text: Markdown a step added
  step_finished,  ///< conclusion, outcome, took
  job_finished,   ///< conclusion, outputs, took; also for jobs that were skipped (text: why)
  run_finished,   ///< conclusion, took
};

enum class Severity { notice, warning, error };

struct RunEvent {
  EventKind kind = EventKind::output;
  std::int64_t at_ms = 0;  ///< since the epoch
  std::string run;
  std::string
      job;  ///< the leg's id within the run: "test", "test (3.11)", "caller / inner"; empty for the run's own events
  int step = 0;  ///< 1-based within the job, in order of execution; 0: the job itself
  std::string step_name;
  std::string step_id;  ///< the step's `id`, also the made-up ones ("__run_2")
  std::string text;
  std::string conclusion;  ///< success, failure, cancelled, skipped
  std::string outcome;     ///< the step's before continue-on-error
  std::int64_t took_ms = 0;
  Severity severity = Severity::notice;  ///< of an annotation
  AnnotationPlace place;                 ///< of an annotation
  bool is_shown = false;                 ///< of an annotation: its line is in the log already
  std::map<std::string, std::string> outputs;
};

/// Receives events. Called from several threads, one call at a time per run.
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;
  virtual void on(const RunEvent& event) = 0;
};

/// "job_started" and its like.
std::string_view name_of(EventKind kind);
std::string_view name_of(Severity severity);
/// One JSON document without a line break: {"type":"step_finished","at":"2026-…Z","job":…}; what is empty is left out.
std::string to_json_line(const RunEvent& event);

}  // namespace slipway::workflow
