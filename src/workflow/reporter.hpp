// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <mutex>
#include <string>
#include <utility>

#include "workflow/run_event.hpp"

namespace slipway::workflow {

/// Lets one event through at a time.
class SerialSink final : public EventSink {
 public:
  explicit SerialSink(EventSink& next) : next_(next) {}
  void on(const RunEvent& event) override {
    std::lock_guard lock(mutex_);
    next_.on(event);
  }

 private:
  std::mutex mutex_;  // held while next_ is called: that is what this class is for
  EventSink& next_;
};

/// Fills in which run, job and step an event is of, and when it happened.
class Reporter final {
 public:
  Reporter(EventSink& sink, std::string run, std::string job)
      : sink_(sink), run_(std::move(run)), job_(std::move(job)) {}
  void emit(RunEvent event) const;
  [[nodiscard]] const std::string& job() const { return job_; }

 private:
  EventSink& sink_;
  std::string run_;
  std::string job_;
};

}  // namespace slipway::workflow
