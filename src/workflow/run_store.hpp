// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.hpp"
#include "os/fd.hpp"
#include "workflow/run.hpp"
#include "workflow/run_event.hpp"

namespace slipway::workflow {

/// What is known of a run without reading its events: STATE/runs/ID/run.json.
struct RunRecord {
  std::string id;
  std::string workflow;  ///< title
  std::string file;
  std::string title;  ///< run-name
  std::string event;
  std::string ref;
  std::string sha;
  std::string repository;
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;  ///< 0: not ended
  std::string conclusion;     ///< empty while it runs; "lost" when its process died
  std::int64_t pid = 0;
  std::int64_t attempt = 1;
  std::string rerun_of;  ///< the run whose failed jobs this one ran again; may be empty
  formats::Json
      request;  ///< how it was asked for, without secrets: {"arguments": […], "options": {"--event": […]}}
  std::string process_start;  ///< tells the process from a later one with its pid
};

formats::Json to_json(const RunRecord& record);

/// Keeps one run: events.jsonl (all but the output), a log file a step, and at the end the record.
///   threads  as EventSink
class RunWriter final : public EventSink {
 public:
  RunWriter(std::filesystem::path directory, RunRecord record);
  void on(const RunEvent& event) override;
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] const RunRecord& record() const { return record_; }

 private:
  void log(const RunEvent& event, std::string_view text);
  std::filesystem::path directory_;
  RunRecord record_;
  os::Fd events_;
  std::map<std::pair<std::string, int>, os::Fd> logs_;  // of running steps, by job and number
};

/// All runs of a state directory: STATE/runs.
class RunStore final {
 public:
  explicit RunStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  /// Takes the next number and makes its directory; fills in id, start and process of the record.
  std::unique_ptr<RunWriter> create(RunRecord record);
  /// Newest first. Runs whose process died are told as lost.
  [[nodiscard]] std::vector<RunRecord> list() const;
  /// Ends the books of runs whose process died (conclusion "lost") and removes what their jobs left on disk or in memory. Their
  /// containers are gone before: see container::sweep().
  void sweep();
  [[nodiscard]] std::optional<RunRecord> find(const std::string& id) const;
  /// What a run has done: see RunOrder::kept. throws Error{not_found}
  [[nodiscard]] KeptJobs done_by(const std::string& id) const;
  [[nodiscard]] std::filesystem::path directory_of(const std::string& id) const {
    return directory_ / id;
  }

 private:
  std::filesystem::path directory_;
};

/// The log file of a step: "logs/JOB/03.log" below a run's directory.
std::filesystem::path log_path(const std::string& job, int step);

}  // namespace slipway::workflow
