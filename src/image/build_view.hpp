// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "image/build.hpp"

namespace slipway::image {

/// What a terminal shows of a build, as BuildKit's shows it: a line a step with its time, below the running ones the last lines of their
/// output; of a failed one, in the end, all that is remembered. Pure: events and the time in, lines out.
class BuildView final {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Screen {
    std::size_t columns = 80;
    std::size_t rows = 24;  ///< a frame has one line less at most, so that nothing scrolls away
    bool color = false;
  };

  explicit BuildView(Time started) : started_(started) {}
  void take(const Progress& event, Time now);
  /// The lines of a frame while the build goes on; none is wider than the screen.
  [[nodiscard]] std::vector<std::string> frame(const Screen& screen, Time now) const;
  /// The lines that stay: every step, and what failed ones wrote.
  [[nodiscard]] std::vector<std::string> end(const Screen& screen, Time now) const;

 private:
  enum class State { running, done, cached, failed };
  struct Step {
    std::string title;
    State state = State::running;
    Time started;
    std::chrono::milliseconds took{0};
    std::deque<std::string> output;  ///< the last lines, printable
    std::string partial;             ///< since the last line end
  };
  void add_output(Step& step, std::string_view text);
  [[nodiscard]] std::vector<std::string> lines_of(const Step& step, const Screen& screen, Time now,
                                                  std::size_t tail) const;
  [[nodiscard]] std::string heading(const Screen& screen, Time now, bool is_over) const;

  Time started_;
  std::vector<int> order_;     // of steps_, as they began
  std::map<int, Step> steps_;  // messages have negative numbers
};

/// Text as a terminal may be given it: without control characters and escape sequences, what follows the last carriage return only; bytes
/// that are no UTF-8 become '?'.
std::string printable_line(std::string_view line);
/// At most so many characters (not bytes); what is cut ends in "…".
std::string fit(const std::string& line, std::size_t columns);

}  // namespace slipway::image
