// SPDX-License-Identifier: Apache-2.0
#include "formats/time.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace slipway::formats {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct Parts {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, milli = 0, weekday = 0;
};

Parts parts_of(Time time) {
  auto day = std::chrono::floor<std::chrono::days>(time);
  std::chrono::year_month_day date{day};
  std::chrono::hh_mm_ss clock{time - day};
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count()),
          static_cast<int>(std::chrono::weekday{day}.c_encoding())};
}

/// Nothing for a day or an hour that there is not; second 60 counts as the next minute's first.
std::optional<Time> time_of(const Parts& p) {
  std::chrono::year_month_day date{std::chrono::year(p.year),
                                   std::chrono::month(static_cast<unsigned>(p.month)),
                                   std::chrono::day(static_cast<unsigned>(p.day))};
  if (!date.ok() || p.hour > 23 || p.minute > 59 || p.second > 60) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours(p.hour) + std::chrono::minutes(p.minute) +
         std::chrono::seconds(p.second) + milliseconds(p.milli);
}

/// Takes things off the front of a text; once one does not fit, all that follow fail.
struct Scanner {
  std::string_view rest;
  bool ok = true;

  int number(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (i >= rest.size() || rest[i] < '0' || rest[i] > '9') {
        ok = false;
        return 0;
      }
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(digits);
    return value;
  }
  bool take(char c) {
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  void need(std::string_view text) {
    if (!rest.starts_with(text)) {
      ok = false;
    } else {
      rest.remove_prefix(text.size());
    }
  }
  int milliseconds_fraction() {
    int value = 0;
    int digits = 0;
    for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), ++digits) {
      if (digits < 3) value = value * 10 + (rest[0] - '0');
    }
    if (digits == 0) ok = false;
    for (; digits < 3; ++digits) value *= 10;
    return value;
  }
};

/// "Z", "+02:00", "-0530" or nothing, in minutes east.
int zone(Scanner& in) {
  if (in.rest.empty() || in.take('Z') || in.take('z')) return 0;
  int sign = in.take('+') ? 1 : in.take('-') ? -1 : 0;
  if (sign == 0) in.ok = false;
  int hours = in.number(2);
  in.take(':');
  int minutes = in.rest.empty() ? 0 : in.number(2);
  if (hours > 23 || minutes > 59) in.ok = false;
  return sign * (hours * 60 + minutes);
}

}  // namespace

Time SystemCalendar::now() const { return formats::now(); }

Time now() { return std::chrono::floor<milliseconds>(std::chrono::system_clock::now()); }

double epoch_seconds(Time time) {
  return static_cast<double>(time.time_since_epoch().count()) / 1000.0;
}

Time from_epoch_seconds(double seconds) {
  return Time(milliseconds(std::llround(seconds * 1000.0)));
}

std::string iso8601(Time time) {
  Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", p.year, p.month, p.day, p.hour,
                     p.minute, p.second);
}

std::string iso8601_millis(Time time) {
  Parts p = parts_of(time);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", p.year, p.month, p.day, p.hour,
                     p.minute, p.second, p.milli);
}

std::optional<Time> parse_iso8601(std::string_view text) {
  Scanner in{text};
  Parts p;
  p.year = in.number(4);
  in.need("-");
  p.month = in.number(2);
  in.need("-");
  p.day = in.number(2);
  int offset = 0;
  if (in.ok && !in.rest.empty()) {
    if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
    p.hour = in.number(2);
    in.need(":");
    p.minute = in.number(2);
    if (in.take(':')) p.second = in.number(2);
    if (in.take('.') || in.take(',')) p.milli = in.milliseconds_fraction();
    offset = zone(in);
  }
  if (!in.ok || !in.rest.empty()) return std::nullopt;
  auto time = time_of(p);
  if (time) *time -= std::chrono::minutes(offset);
  return time;
}

std::string http_date(Time time) {
  Parts p = parts_of(time);
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<std::size_t>(p.weekday)),
      p.day, kMonths.at(static_cast<std::size_t>(p.month - 1)), p.year, p.hour, p.minute, p.second);
}

std::optional<Time> parse_http_date(std::string_view text) {
  if (text.size() != 29) return std::nullopt;
  Scanner in{text.substr(3)};
  Parts p;
  in.need(", ");
  p.day = in.number(2);
  in.need(" ");
  p.month = 0;
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (in.rest.starts_with(kMonths.at(i))) p.month = static_cast<int>(i) + 1;
  }
  if (in.rest.size() < 3) return std::nullopt;
  in.rest.remove_prefix(3);
  in.need(" ");
  p.year = in.number(4);
  in.need(" ");
  p.hour = in.number(2);
  in.need(":");
  p.minute = in.number(2);
  in.need(":");
  p.second = in.number(2);
  in.need(" GMT");
  auto time = in.ok ? time_of(p) : std::nullopt;
  if (time && http_date(*time).substr(0, 3) != text.substr(0, 3) && p.second != 60)
    return std::nullopt;
  return time;
}

std::string aws_date(Time time) {
  Parts p = parts_of(time);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", p.year, p.month, p.day, p.hour, p.minute,
                     p.second);
}

std::optional<Time> parse_aws_date(std::string_view text) {
  Scanner in{text};
  Parts p;
  p.year = in.number(4);
  p.month = in.number(2);
  p.day = in.number(2);
  in.need("T");
  p.hour = in.number(2);
  p.minute = in.number(2);
  p.second = in.number(2);
  in.need("Z");
  return in.ok && in.rest.empty() ? time_of(p) : std::nullopt;
}

std::string print_duration(milliseconds span) {
  long long ms = span.count();
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 60'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000.0);
  long long seconds = (ms + 500) / 1000;
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

}  // namespace slipway::formats
