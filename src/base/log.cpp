// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <ctime>

namespace slipway {

void FdLog::write(Level level, std::string_view line) {
  if (level > most_) return;
  constexpr std::array<std::string_view, 4> kNames = {"error", "warn ", "info ", "debug"};
  auto now = std::chrono::system_clock::now();
  std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  std::string text =
      fmt::format("{:02}:{:02}:{:02}.{:03} {} {}\n", local.tm_hour, local.tm_min, local.tm_sec,
                  millis, kNames[static_cast<std::size_t>(level)], line);
  // A log that cannot be written has nowhere to complain.
  [[maybe_unused]] ssize_t written = ::write(fd_, text.data(), text.size());
}

}  // namespace slipway
