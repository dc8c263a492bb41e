// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace slipway {

/// error = someone must act; warn = we coped; info = one line per unit of work; debug = the rest.
enum class Level { error, warn, info, debug };

/// Where log lines go. A parameter, never a global. Implementations are safe to call from any thread.
class Log {
 public:
  Log() = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  virtual ~Log() = default;
  virtual void write(Level level, std::string_view line) = 0;

  template <typename... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) {
    write(Level::error, fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) {
    write(Level::warn, fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) {
    write(Level::info, fmt::format(text, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) {
    write(Level::debug, fmt::format(text, std::forward<Args>(args)...));
  }
};

/// Drops everything; for tests and callers that do not care.
class NoLog final : public Log {
 public:
  void write(Level, std::string_view) override {}
};

/// Lines "12:00:01.234 info  text" on a file descriptor, in one write each; nothing less urgent than `most`.
class FdLog final : public Log {
 public:
  /// `fd` is borrowed and must outlive the log.
  FdLog(int fd, Level most) : fd_(fd), most_(most) {}
  void write(Level level, std::string_view line) override;

 private:
  int fd_;
  Level most_;
};

}  // namespace slipway
