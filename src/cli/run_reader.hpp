// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "formats/json.hpp"
#include "workflow/run_store.hpp"

namespace slipway::cli {

/// Reads a run's events and logs while they are written, or afterwards.
class RunReader final {
 public:
  /// `run`  a run's number, or "latest". throws Error{not_found}
  RunReader(const std::filesystem::path& runs, const std::string& run);
  /// Each line of events.jsonl, without its end. `follow`: until the run has ended.
  void events(const std::function<void(std::string_view)>& sink, bool follow,
              const std::stop_token& stop);
  /// The logs of the steps that `wanted` names ("", "JOB", "JOB/STEP": a step's id, number or name), a heading before each.
  ///   throws  Error{not_found} when nothing of that name ran
  void logs(const std::string& wanted, const std::function<void(std::string_view)>& sink,
            bool follow, const std::stop_token& stop);

 private:
  [[nodiscard]] bool has_ended() const;
  void follow_logs(const std::string& wanted, const std::function<void(std::string_view)>& sink,
                   const std::stop_token& stop);

  workflow::RunStore store_;
  std::string run_;
  std::filesystem::path directory_;
};

}  // namespace slipway::cli
