// SPDX-License-Identifier: Apache-2.0
#include "cli/run_view.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <deque>

#include "base/guarded.hpp"
#include "base/text.hpp"
#include "formats/markdown.hpp"
#include "formats/time.hpp"

namespace slipway::cli {
namespace {

using workflow::EventKind;
using workflow::RunEvent;
using workflow::Severity;

constexpr std::size_t kKeptLines = 25;  // of a failed step's log

/// Colours, or nothing where they are not wanted.
class Paint final {
 public:
  explicit Paint(bool on) : on_(on) {}
  [[nodiscard]] std::string operator()(const char* code, std::string_view text) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  [[nodiscard]] bool is_on() const { return on_; }
  [[nodiscard]] std::string mark(const std::string& conclusion) const {
    if (conclusion == "success") return (*this)("32", "✓");
    if (conclusion == "failure") return (*this)("31", "✗");
    if (conclusion == "cancelled") return (*this)("33", "■");
    return (*this)("90", "–");
  }
  [[nodiscard]] std::string severity(Severity severity) const {
    return (*this)(severity == Severity::error     ? "31"
                   : severity == Severity::warning ? "33"
                                                   : "36",
                   workflow::name_of(severity));
  }

 private:
  bool on_;
};

std::string place_text(const workflow::AnnotationPlace& place) {
  if (place.file.empty()) return "";
  std::string text = place.file;
  if (place.line > 0) text += ":" + std::to_string(place.line);
  if (place.column > 0) text += ":" + std::to_string(place.column);
  return text + ": ";
}

/// What is told when all is over, whatever the view.
class Findings final {
 public:
  void take(const RunEvent& event) {
    if (event.kind == EventKind::annotation) annotations_.push_back(event);
    if (event.kind == EventKind::summary) summaries_.push_back(event);
  }
  [[nodiscard]] std::string text(const Paint& paint) const {
    std::string text;
    for (const auto& event : annotations_) {
      if (event.severity == Severity::notice && event.text.empty()) continue;
      auto title = event.place.title.empty() ? "" : event.place.title + ": ";
      text += fmt::format(
          "{} {}{}{}{}\n", paint.severity(event.severity), place_text(event.place), title,
          event.text,
          paint("90", "  [" + event.job + (event.step_name.empty() ? "" : " / " + event.step_name) +
                          "]"));
    }
    for (const auto& event : summaries_) {
      auto shown = paint.is_on() ? formats::markdown_for_terminal(event.text) : event.text;
      text += fmt::format("{}\n{}{}", paint("1", "Summary of " + event.job), shown,
                          shown.ends_with('\n') ? "" : "\n");
    }
    return text;
  }

 private:
  std::vector<RunEvent> annotations_;
  std::vector<RunEvent> summaries_;
};

class JsonView final : public RunView {
 public:
  void on(const RunEvent& event) override { print(workflow::to_json_line(event) + "\n"); }
  void finish() override {}
};

class PlainView final : public RunView {
 public:
  PlainView(bool color, bool quiet, bool terminal)
      : paint_(color), quiet_(quiet), terminal_(terminal) {}
  [[nodiscard]] bool can_ask() const override { return terminal_; }
  void ask(const std::string& question) override { print_error(question); }
  void answered(bool is_typed) override {
    if (!is_typed) print_error("\n");
  }
  void on(const RunEvent& event) override {
    findings_.take(event);
    auto text = show(event);
    if (!text.empty()) print_error(text);
  }
  void finish() override {
    if (auto text = findings_.text(paint_); !text.empty()) print_error("\n" + text);
  }

 private:
  std::string show(const RunEvent& event) {
    auto job = event.job.empty() ? "run " + event.run : event.job;
    auto head = paint_("36", job) + " | ";
    if (quiet_ && event.kind != EventKind::run_finished) return "";
    switch (event.kind) {
      case EventKind::run_started:
        return fmt::format("{}{}\n", head, paint_("1", event.text));
      case EventKind::job_waiting:
        return fmt::format("{}{}\n", head, event.text);
      case EventKind::job_started:
        return "";
      case EventKind::step_started:
        return fmt::format("{}{} {}\n", head, paint_("34", "▶"), paint_("1", event.step_name));
      case EventKind::output:
        return with_head(event.text, head + "  ");
      case EventKind::group_started:
        return fmt::format("{}  {}\n", head, paint_("90", "▾ " + event.text));
      case EventKind::group_ended:
        return "";
      case EventKind::annotation:
        if (event.is_shown) return "";
        return fmt::format("{}  {}: {}{}\n", head, paint_.severity(event.severity),
                           place_text(event.place), event.text);
      case EventKind::summary:
        return "";
      case EventKind::step_finished:
        if (event.conclusion == "skipped")
          return fmt::format("{}{} {}\n", head, paint_.mark("skipped"), event.step_name);
        return fmt::format("{}{} {} ({})\n", head, paint_.mark(event.conclusion), event.step_name,
                           short_duration(event.took_ms));
      case EventKind::job_finished:
        return fmt::format(
            "{}{} {}{}\n", head, paint_.mark(event.conclusion), paint_("1", event.conclusion),
            event.text.empty() ? " (" + short_duration(event.took_ms) + ")" : ": " + event.text);
      case EventKind::run_finished:
        return fmt::format("{}{} {} ({})\n", head, paint_.mark(event.conclusion), event.conclusion,
                           short_duration(event.took_ms));
    }
    return "";
  }
  static std::string with_head(std::string_view text, const std::string& head) {
    std::string out;
    for (auto line : lines_of(text)) {
      out += head;
      out += line;
      out += '\n';
    }
    return out;
  }

  Paint paint_;
  bool quiet_;
  bool terminal_;
  Findings findings_;
};

// Finished steps are lines that stay; below them a block that is drawn again: a line a running job, with its step, time and last line.
class LiveView final : public RunView {
 public:
  explicit LiveView(bool color) : paint_(color), timer_(std::stop_token{}) {
    timer_.start([this](const std::stop_token& stop) {
      Guarded<bool> never;
      while (!stop.stop_requested()) {
        never.wait(
            stop, Deadline::in(std::chrono::milliseconds(120)), [](bool) { return false; },
            [](bool) {});
        std::lock_guard lock(mutex_);
        if (question_.empty()) draw("");  // what is typed stays to be seen
      }
    });
  }
  ~LiveView() override {
    timer_.stop();
    std::lock_guard lock(mutex_);
    running_.clear();
    draw("");
  }
  void on(const RunEvent& event) override {
    std::lock_guard lock(mutex_);
    findings_.take(event);
    auto lines = take(event);
    if (!lines.empty()) draw(lines);
  }
  [[nodiscard]] bool can_ask() const override { return true; }
  void ask(const std::string& question) override {
    std::lock_guard lock(mutex_);
    if (!question_.empty()) ++drawn_;  // the Enter behind the last answer
    question_ = question;
    draw("");
  }
  void answered(bool is_typed) override {
    std::lock_guard lock(mutex_);
    question_.clear();
    if (!is_typed) print_error("\n");
    drawn_ = 0;  // question and answer stay
  }
  void finish() override {
    std::lock_guard lock(mutex_);
    running_.clear();
    auto text = findings_.text(paint_);
    draw(text.empty() ? "" : "\n" + text);
  }

 private:
  struct Running {
    std::string step;
    std::int64_t since_ms = 0;
    std::string last;
    std::deque<std::string> kept;
  };

  std::string take(const RunEvent& event) {
    auto key = event.run + "/" + event.job;
    switch (event.kind) {
      case EventKind::run_started:
        return paint_("1", fmt::format("run {}: {}", event.run, event.text)) + "\n";
      case EventKind::job_waiting:
        running_[key] = {.step = event.text, .since_ms = event.at_ms, .last = {}, .kept = {}};
        return "";
      case EventKind::job_started:
        running_[key] = {.step = "", .since_ms = event.at_ms, .last = {}, .kept = {}};
        return "";
      case EventKind::step_started:
        running_[key] = {.step = event.step_name, .since_ms = event.at_ms, .last = {}, .kept = {}};
        return "";
      case EventKind::output:
        keep_last_lines(running_[key], event.text);
        return "";
      case EventKind::step_finished:
        return step_line(event, running_[key]);
      case EventKind::job_finished: {
        running_.erase(key);
        auto detail = event.text.empty() ? short_duration(event.took_ms) : event.text;
        return fmt::format("{} {} {}\n", paint_.mark(event.conclusion), paint_("1", event.job),
                           paint_("90", detail));
      }
      case EventKind::run_finished:
        return fmt::format("{} {}\n", paint_.mark(event.conclusion),
                           paint_("1", fmt::format("run {}: {} in {}", event.run, event.conclusion,
                                                   short_duration(event.took_ms))));
      default:
        return "";
    }
  }
  // Only what may be shown is looked at: a step may print a hundred megabytes a second.
  static void keep_last_lines(Running& job, std::string_view text) {
    auto begin = text.size();
    for (std::size_t lines = 0; begin > 0 && lines <= kKeptLines; ++lines) {
      auto end = text.rfind('\n', begin - 1);
      begin = end == std::string_view::npos ? 0 : end;
    }
    for (auto line : lines_of(text.substr(begin > 0 ? begin + 1 : 0))) {
      job.kept.emplace_back(line);
      if (job.kept.size() > kKeptLines) job.kept.pop_front();
      if (!trim(line).empty()) job.last = line;
    }
  }
  std::string step_line(const RunEvent& event, Running& job) {
    if (event.conclusion == "skipped") return "";
    std::string text =
        fmt::format("  {} {} {} {}\n", paint_.mark(event.conclusion), paint_("36", event.job),
                    event.step_name, paint_("90", short_duration(event.took_ms)));
    if (event.conclusion == "failure") {
      for (const auto& line : job.kept) text += "      " + line + "\n";
    }
    job = {};
    return text;
  }

  static std::size_t columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80U;
  }
  // Up to `width` bytes without control characters, cut at a character's end.
  static std::string clipped(std::string_view text, std::size_t width) {
    std::string out;
    for (std::size_t i = 0; i < text.size() && out.size() < width; ++i) {
      if (text[i] == '\x1b') {
        while (i + 1 < text.size() && !(text[i] >= '@' && text[i] <= '~' && text[i] != '[')) ++i;
      } else if (static_cast<unsigned char>(text[i]) >= 0x20) {
        out += text[i];
      }
    }
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
    return out;
  }
  void draw(const std::string& lines) {
    std::string text;
    if (drawn_ > 0) text += fmt::format("\x1b[{}A", drawn_);
    if (drawn_ > 0 || !question_.empty()) text += "\r\x1b[J";
    text += lines;
    constexpr const char* kSpinner[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
    auto now = formats::now().time_since_epoch().count();
    auto width = columns();
    drawn_ = 0;
    for (const auto& [key, job] : running_) {
      if (job.since_ms == 0) continue;
      auto head = fmt::format("{} {} {}  ", key.substr(key.find('/') + 1), job.step,
                              short_duration(now - job.since_ms));
      auto room = width > head.size() + 4 ? width - head.size() - 4 : 0;
      text +=
          fmt::format("{} {}{}\n", paint_("34", kSpinner[static_cast<std::size_t>(now / 120) % 10]),
                      clipped(head, width - 3), paint_("90", clipped(job.last, room)));
      ++drawn_;
    }
    if (!question_.empty()) text += paint_("1", question_);
    if (!text.empty()) print_error(text);
  }

  Paint paint_;
  std::mutex mutex_;
  Findings findings_;
  std::map<std::string, Running> running_;  // by run and job
  std::string question_;                    // below the block; empty: none is open
  int drawn_ = 0;                           // lines of the block on the screen
  TaskGroup timer_;                         // last: its thread uses the others
};

}  // namespace

std::string short_duration(std::int64_t milliseconds) {
  if (milliseconds < 0) milliseconds = 0;
  if (milliseconds < 1000) return fmt::format("{} ms", milliseconds);
  if (milliseconds < 60000)
    return fmt::format("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100);
  return fmt::format("{} min {} s", milliseconds / 60000, milliseconds % 60000 / 1000);
}

std::unique_ptr<RunView> make_run_view(const Surroundings& around) {
  if (around.json) return std::make_unique<JsonView>();
  if (around.terminal && around.color && !around.quiet)
    return std::make_unique<LiveView>(around.color);
  return std::make_unique<PlainView>(around.color, around.quiet, around.terminal);
}

}  // namespace slipway::cli
