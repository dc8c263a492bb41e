// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::formats {

/// A point of calendar time (UTC), to the millisecond.
using Time = std::chrono::sys_time<std::chrono::milliseconds>;

/// The calendar. A parameter where tests need another one.
class Calendar {
 public:
  Calendar() = default;
  Calendar(const Calendar&) = delete;
  Calendar& operator=(const Calendar&) = delete;
  virtual ~Calendar() = default;
  [[nodiscard]] virtual Time now() const = 0;
};
/// The machine's clock.
class SystemCalendar final : public Calendar {
 public:
  [[nodiscard]] Time now() const override;
};

/// The machine's clock.
Time now();
/// Seconds since 1970, with a fraction; as AWS's JSON protocols have them.
double epoch_seconds(Time time);
Time from_epoch_seconds(double seconds);

/// "2026-11-24T17:00:05Z".
std::string iso8601(Time time);
/// "2026-11-24T17:00:05.123Z".
std::string iso8601_millis(Time time);
/// RFC 3339 and ISO 8601 with a date alone, a fraction of any length, "Z" or an offset; without a
/// zone it is UTC.
std::optional<Time> parse_iso8601(std::string_view text);
/// "Tue, 24 Nov 2026 17:00:05 GMT" (RFC 9110, 5.6.7).
std::string http_date(Time time);
/// The same form only (IMF-fixdate).
std::optional<Time> parse_http_date(std::string_view text);
/// "20261124T170005Z": the X-Amz-Date of SigV4.
std::string aws_date(Time time);
std::optional<Time> parse_aws_date(std::string_view text);
/// "12 ms", "1.2 s", "3 min 20 s", "2 h 5 min": for people.
std::string print_duration(std::chrono::milliseconds span);

}  // namespace slipway::formats
