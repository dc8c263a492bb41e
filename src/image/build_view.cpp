// SPDX-License-Identifier: Apache-2.0
#include "image/build_view.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::image {
namespace {

constexpr std::size_t kTail = 6;          // lines of output under a running step
constexpr std::size_t kRemembered = 200;  // of a step, for when it fails
constexpr std::string_view kEscape = "\x1b[";

// Bytes of the UTF-8 character at the front of `text`; 0 when there is none.
std::size_t character_length(std::string_view text) {
  auto lead = static_cast<unsigned char>(text[0]);
  std::size_t length = lead < 0x80                   ? 1
                       : lead >= 0xC2 && lead < 0xE0 ? 2
                       : lead >= 0xE0 && lead < 0xF0 ? 3
                       : lead >= 0xF0 && lead < 0xF5 ? 4
                                                     : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

// The length of an escape sequence's rest, after ESC: a CSI up to its final byte, an OSC up to BEL or ESC, else one byte.
std::size_t escape_length(std::string_view rest) {
  if (rest.empty()) return 0;
  if (rest[0] == '[') {
    std::size_t at = 1;
    while (at < rest.size() && (rest[at] < 0x40 || rest[at] > 0x7E)) ++at;
    return std::min(at + 1, rest.size());
  }
  if (rest[0] == ']') {
    std::size_t at = rest.find_first_of("\x07\x1b");
    return at == std::string_view::npos ? rest.size() : at + 1;
  }
  return 1;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string seconds_text(std::chrono::nanoseconds span) {
  return fmt::format("{:.1f}s", std::chrono::duration<double>(span).count());
}

std::string colored(std::string line, const char* color, const BuildView::Screen& screen) {
  return screen.color ? fmt::format("{}{}m{}{}0m", kEscape, color, line, kEscape) : line;
}

// "left", spaces, "right", as wide as the screen less one: a full line would wrap on some terminals.
std::string spread(const std::string& left, const std::string& right, std::size_t columns) {
  std::size_t width = columns > 1 ? columns - 1 : 1;
  std::size_t room = width > right.size() + 1 ? width - right.size() - 1 : 0;
  std::string cut = fit(left, room);
  return cut + std::string(room - std::min(room, width_of(cut)) + 1, ' ') + right;
}

}  // namespace

std::string printable_line(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (auto at = line.rfind('\r'); at != std::string_view::npos) line.remove_prefix(at + 1);
  std::string out;
  for (std::size_t at = 0; at < line.size();) {
    auto c = static_cast<unsigned char>(line[at]);
    if (c == 0x1B) {
      at += 1 + escape_length(line.substr(at + 1));
    } else if (c == '\t') {
      out += "    ";
      ++at;
    } else if (c < 0x20 || c == 0x7F) {
      ++at;
    } else if (auto length = character_length(line.substr(at)); length == 0) {
      out += '?';
      ++at;
    } else {
      // U+0080 to U+009F are control characters too.
      bool is_control = c == 0xC2 && static_cast<unsigned char>(line[at + 1]) < 0xA0;
      if (!is_control) out += line.substr(at, length);
      at += length;
    }
  }
  return out;
}

std::string fit(const std::string& line, std::size_t columns) {
  if (width_of(line) <= columns) return line;
  if (columns == 0) return "";
  std::size_t at = 0;
  for (std::size_t count = 0; count + 1 < columns && at < line.size(); ++count)
    at += std::max<std::size_t>(1, character_length(std::string_view(line).substr(at)));
  return line.substr(0, at) + "…";
}

void BuildView::take(const Progress& event, Time now) {
  int number =
      event.kind == Progress::Kind::message ? -1 - static_cast<int>(order_.size()) : event.step;
  auto [at, is_new] = steps_.try_emplace(number);
  Step& step = at->second;
  if (is_new) {
    order_.push_back(number);
    step.started = now;
  }
  switch (event.kind) {
    case Progress::Kind::output:
      return add_output(step, event.name);
    case Progress::Kind::started:
      break;
    case Progress::Kind::done:
      step.state = State::done;
      step.took = event.took;
      break;
    case Progress::Kind::cached:
      step.state = State::cached;
      break;
    case Progress::Kind::failed:
      step.state = State::failed;
      step.took = std::chrono::duration_cast<std::chrono::milliseconds>(now - step.started);
      break;
    case Progress::Kind::message:
      step.state = State::done;
      step.took = event.took;
      break;
  }
  step.title = printable_line(event.name.substr(0, event.name.find('\n')));
}

void BuildView::add_output(Step& step, std::string_view text) {
  step.partial += text;
  std::size_t start = 0;
  for (auto end = step.partial.find('\n'); end != std::string::npos;
       end = step.partial.find('\n', start)) {
    step.output.push_back(
        printable_line(std::string_view(step.partial).substr(start, end - start)));
    if (step.output.size() > kRemembered) step.output.pop_front();
    start = end + 1;
  }
  step.partial.erase(0, start);
  constexpr std::size_t kLongest = 64u << 10;
  if (step.partial.size() > kLongest) step.partial.erase(0, step.partial.size() - kLongest);
}

std::string BuildView::heading(const Screen& screen, Time now, bool is_over) const {
  std::size_t ended = 0;
  std::size_t all = 0;
  for (const auto& [number, step] : steps_) {
    if (number < 0) continue;
    ++all;
    if (step.state != State::running) ++ended;
  }
  return fit(fmt::format("[+] Building {} ({}/{}){}", seconds_text(now - started_), ended, all,
                         is_over ? " FINISHED" : ""),
             screen.columns > 1 ? screen.columns - 1 : 1);
}

std::vector<std::string> BuildView::lines_of(const Step& step, const Screen& screen, Time now,
                                             std::size_t tail) const {
  bool is_running = step.state == State::running;
  std::string mark = step.state == State::cached   ? "CACHED "
                     : step.state == State::failed ? "ERROR "
                                                   : "";
  std::string line =
      spread(" => " + mark + step.title,
             seconds_text(is_running ? now - step.started : std::chrono::nanoseconds(step.took)),
             screen.columns);
  const char* color = step.state == State::failed ? "31" : "34";
  std::vector<std::string> lines{is_running ? line : colored(std::move(line), color, screen)};
  if (!is_running) return lines;
  std::vector<std::string> shown(
      step.output.end() - static_cast<std::ptrdiff_t>(std::min(tail, step.output.size())),
      step.output.end());
  if (auto rest = printable_line(step.partial); !rest.empty()) shown.push_back(rest);
  if (shown.size() > tail) shown.erase(shown.begin());
  for (const auto& text : shown)
    lines.push_back(fit(" => => # " + text, screen.columns > 1 ? screen.columns - 1 : 1));
  return lines;
}

std::vector<std::string> BuildView::frame(const Screen& screen, Time now) const {
  std::size_t room = screen.rows > 2 ? screen.rows - 2 : 1;  // below the heading
  // Running steps come first when there is not room for all; of the others the latest.
  std::size_t running = 0;
  for (const auto& [number, step] : steps_) running += step.state == State::running ? 1 : 0;
  std::size_t tail =
      running == 0 ? 0 : std::min(kTail, room / running > 1 ? room / running - 1 : 0);
  std::vector<std::vector<std::string>> blocks;
  std::size_t used = 0;
  for (bool want_running : {true, false}) {
    for (std::size_t i = order_.size(); i-- > 0;) {
      if (blocks.size() < order_.size()) blocks.resize(order_.size());
      const Step& step = steps_.at(order_[i]);
      if ((step.state == State::running) != want_running || used >= room) continue;
      auto lines = lines_of(step, screen, now, tail);
      if (used + lines.size() > room) lines.resize(room - used);
      used += lines.size();
      blocks[i] = std::move(lines);
    }
  }
  std::vector<std::string> frame{heading(screen, now, false)};
  for (auto& block : blocks) frame.insert(frame.end(), block.begin(), block.end());
  return frame;
}

std::vector<std::string> BuildView::end(const Screen& screen, Time now) const {
  std::vector<std::string> lines{heading(screen, now, true)};
  for (int number : order_) {
    const Step& step = steps_.at(number);
    if (step.state == State::running) continue;  // stopped because another failed
    auto own = lines_of(step, screen, now, 0);
    lines.insert(lines.end(), own.begin(), own.end());
  }
  for (int number : order_) {
    const Step& step = steps_.at(number);
    if (step.state != State::failed || (step.output.empty() && step.partial.empty())) continue;
    lines.push_back("------");
    lines.push_back(" > " + step.title + ":");
    lines.insert(lines.end(), step.output.begin(), step.output.end());
    if (!step.partial.empty()) lines.push_back(printable_line(step.partial));
    lines.push_back("------");
  }
  return lines;
}

}  // namespace slipway::image
