// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace slipway::cloud {

/// A trouble that calls are to meet: `slipway cloud fault` asks for it.
struct FaultRule {
  std::string target;  ///< "ecs:UpdateService", "ecs:*" or "*"
  std::string code;    ///< the error that is answered: "ThrottlingException"; empty: only the delay
  int times = 0;       ///< how many calls meet it; 0: all
  std::chrono::milliseconds delay{0};  ///< before the answer
  bool operator==(const FaultRule&) const = default;
};

/// The rules of a file, and back. throws Error{bad_input}
std::vector<FaultRule> read_faults(const std::filesystem::path& file);
void write_faults(const std::filesystem::path& file, const std::vector<FaultRule>& rules);

/// The troubles that are due, by a file that may change at any time.
///   threads  any
class Faults final {
 public:
  explicit Faults(std::filesystem::path file) : file_(std::move(file)) {}
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;
  /// What the next call of an operation meets; it is counted.
  std::optional<FaultRule> next(const std::string& service, const std::string& operation);

 private:
  void look();

  std::filesystem::path file_;
  std::mutex mutex_;
  std::filesystem::file_time_type seen_{};  // guarded by mutex_, as what follows
  std::vector<FaultRule> rules_;
  std::map<std::size_t, int> met_;  // rule's number -> calls
};

/// The HTTP status of an error by its code: 503, 500 or 400.
int fault_status(const std::string& code);

}  // namespace slipway::cloud
