// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "base/guarded.hpp"
#include "cloud/state.hpp"

namespace slipway::cloud::logs {

struct LogEvent {
  std::int64_t timestamp = 0;  ///< milliseconds since the epoch
  std::string message;
  std::int64_t ingested = 0;  ///< milliseconds; set by the store
  std::int64_t number = 0;    ///< grows with every event stored; set by the store
  std::string stream;         ///< set by the store
  bool operator==(const LogEvent&) const = default;
};

/// Which events to give.
struct LogQuery {
  std::string group;
  std::vector<std::string> streams;  ///< empty: all
  std::string stream_prefix;
  std::optional<std::int64_t> from_ms;  ///< inclusive
  std::optional<std::int64_t> to_ms;    ///< exclusive
  std::int64_t after_number = 0;        ///< only events stored after this one
  std::int64_t before_number = 0;       ///< 0: no bound
  bool newest_first = false;
  std::size_t limit = 10'000;
};

/// The kind under which log groups stand in the tables.
inline constexpr std::string_view kGroupKind = "logs.group";

/// The log groups, streams and events: behind the CloudWatch Logs API, and what the ECS side appends task output to.
///   threads  any
class LogStore final {
 public:
  explicit LogStore(State& state);
  /// True when it was made, false when it was there.
  bool create_group(const Scope& scope, const std::string& group, std::int64_t now_ms);
  [[nodiscard]] bool has_group(const Scope& scope, const std::string& group);
  /// True when it was made, false when it was there. throws Refusal ResourceNotFoundException without the group.
  bool create_stream(const Scope& scope, const std::string& group, const std::string& stream,
                     std::int64_t now_ms);
  /// Stores the events, durably, in the order given. throws Refusal ResourceNotFoundException without group or stream.
  void append(const Scope& scope, const std::string& group, const std::string& stream,
              const std::vector<LogEvent>& events, std::int64_t now_ms);
  /// By timestamp, then number. throws Refusal ResourceNotFoundException without the group.
  std::vector<LogEvent> read(const Scope& scope, const LogQuery& query);
  /// The number of the newest event of all.
  [[nodiscard]] std::int64_t newest_number();
  /// Waits until something was appended after the append numbered `seen` (0: the first look), then sets it to the newest; false when stopped
  /// or past the deadline.
  bool wait_for_append(const std::stop_token& stop, Deadline deadline, std::uint64_t& seen);
  /// Deletes events older than their group's retention.
  void expire(std::int64_t now_ms);
  /// Deletes the group with its streams and events; false when there was none.
  bool delete_group(const Scope& scope, const std::string& group);
  bool delete_stream(const Scope& scope, const std::string& group, const std::string& stream);

 private:
  State& state_;
  Guarded<std::uint64_t> appends_;
};

}  // namespace slipway::cloud::logs
