// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::container {

/// One line that a container wrote.
struct LogLine {
  std::int64_t time_ms = 0;  ///< when its first byte was read, since the epoch
  bool is_stderr = false;
  bool partial =
      false;  ///< the line goes on in the next one of the same stream (it was longer than 16 KiB)
  std::string text;  ///< without the line end
  bool operator==(const LogLine&) const = default;
};

/// "2026-11-24T17:00:00.123Z stdout F text\n" (P for a part), the format of Kubernetes' CRI logs with milliseconds.
std::string to_string(const LogLine& line);
/// Nothing when the text is not such a line.
std::optional<LogLine> parse_log_line(std::string_view line);

/// Reads a log from a place on; never blocks. The place survives a restart of the reader.
class LogReader final {
 public:
  explicit LogReader(std::filesystem::path path, std::uint64_t offset = 0)
      : path_(std::move(path)), offset_(offset) {}
  /// The whole lines written since the last call, at most about `limit`; empty when there are none (yet).
  std::vector<LogLine> next(std::size_t limit = 1000);
  /// Where the next call goes on, in bytes.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  std::filesystem::path path_;
  std::uint64_t offset_;
};

/// The last `count` lines of a log.
std::vector<LogLine> last_lines(const std::filesystem::path& path, std::size_t count);

}  // namespace slipway::container
