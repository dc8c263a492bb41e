// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/task_group.hpp"
#include "cli/verb.hpp"
#include "workflow/run_event.hpp"

namespace slipway::cli {

/// Shows runs while they go on. The whole of a log goes to its file; see `slipway logs`.
///   threads  as EventSink
class RunView : public workflow::EventSink {
 public:
  /// Annotations, summaries and where to read more; called once when all runs have ended.
  virtual void finish() = 0;
  /// Whether a person reads this and may be asked.
  [[nodiscard]] virtual bool can_ask() const { return false; }
  /// Shows a question; the answer is typed behind it. Again: the last answer was none.
  virtual void ask(const std::string& question) { (void)question; }
  /// The question is over. `is_typed`: an answer was typed, with its Enter; else it was taken back.
  virtual void answered(bool is_typed) { (void)is_typed; }
};

/// The view that fits: live on a terminal, plain lines elsewhere, JSON lines on stdout with --json, failures only with --quiet.
std::unique_ptr<RunView> make_run_view(const Surroundings& around);

/// "1.2 s", "3 min 20 s".
std::string short_duration(std::int64_t milliseconds);

}  // namespace slipway::cli
