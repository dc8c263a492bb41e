// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace slipway::workflow {

enum class ScratchKind { automatic, memory, disk };
/// "auto", "memory", "disk". throws Error{bad_input}
ScratchKind parse_scratch(const std::string& text);

/// Where a run's jobs keep what dies with them: their work directories and what they change of the machine. In memory where there is
/// plenty of it, which makes a checkout or a restored cache several times faster and its removal free; else on disk.
///   threads  one at a time
class ScratchSpace final {
 public:
  /// Makes `directory`, empty.
  ///   throws  Error{unavailable} when `memory` is asked for and cannot be had
  ScratchSpace(std::filesystem::path directory, ScratchKind kind);
  ScratchSpace(const ScratchSpace&) = delete;
  ScratchSpace& operator=(const ScratchSpace&) = delete;
  /// Removes the directory with all that is in it.
  ~ScratchSpace();
  [[nodiscard]] bool is_in_memory() const { return in_memory_; }

 private:
  std::filesystem::path directory_;
  bool in_memory_ = false;
};

/// How much memory scratch space may take of what is available: half, or nothing when that would be too little for a usual job.
///   promised  bytes that other scratch spaces may still take
std::optional<std::uint64_t> memory_for_scratch(std::uint64_t available, std::uint64_t promised);

/// What to tell a user whose step may have failed because a scratch space in memory is full; empty when it is not.
std::string scratch_complaint(const std::filesystem::path& directory);

/// Removes a scratch space that its dead process left behind.
void discard_scratch(const std::filesystem::path& directory);

}  // namespace slipway::workflow
