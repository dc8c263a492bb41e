// SPDX-License-Identifier: Apache-2.0
#include "cli/build_progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"

namespace slipway::cli {
namespace {

using formats::Json;
using image::Progress;

constexpr auto kFrame = std::chrono::milliseconds(100);  // between two frames of a live view

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string_view name_of(Progress::Kind kind) {
  static constexpr std::string_view kNames[] = {"started", "output", "done",
                                                "cached",  "failed", "message"};
  return kNames[static_cast<int>(kind)];
}

image::BuildView::Screen screen_of(bool color) {
  image::BuildView::Screen screen{.color = color};
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 && size.ws_row > 2) {
    screen.columns = size.ws_col;
    screen.rows = size.ws_row;
  }
  return screen;
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\x1b[K\n";
  return text;
}

// Takes the last frame's place.
std::string over(std::size_t drawn, const std::string& text) {
  return (drawn > 0 ? fmt::format("\x1b[{}A\r", drawn) : "\r") + text + "\x1b[J";
}

}  // namespace

BuildProgress::BuildProgress(Style style, bool color)
    : style_(style),
      color_(color),
      started_(std::chrono::steady_clock::now()),
      live_(Live{image::BuildView(started_)}) {
  if (style_ != Style::live) return;
  clock_.emplace(std::stop_token{});
  clock_->start([this](const std::stop_token& stop) {
    for (;;) {
      live_.wait(
          stop, Deadline::in(kFrame), [](const Live&) { return false; }, [](Live&) {});
      if (stop.stop_requested()) return;
      draw();
    }
  });
}

BuildProgress::~BuildProgress() {
  try {
    end_live();
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): the terminal is gone
  }
}

void BuildProgress::draw() {
  auto now = std::chrono::steady_clock::now();
  auto screen = screen_of(color_);
  std::string text = live_.with([&](Live& live) {
    auto lines = live.view.frame(screen, now);
    return over(std::exchange(live.drawn, lines.size()), joined_lines(lines));
  });
  print_error(text);
}

void BuildProgress::end_live() {
  if (!clock_) return;
  clock_->stop();
  clock_->join();
  clock_.reset();
  auto now = std::chrono::steady_clock::now();
  auto screen = screen_of(color_);
  print_error(live_.with([&](Live& live) {
    return over(std::exchange(live.drawn, 0), joined_lines(live.view.end(screen, now)));
  }));
}

void BuildProgress::show(const Progress& event) {
  switch (style_) {
    case Style::plain:
      return show_plain(event);
    case Style::live:
      live_.with([&](Live& live) { live.view.take(event, std::chrono::steady_clock::now()); });
      return;
    case Style::rawjson:
      return show_raw(event);
    case Style::json:
      print_error(Json::object({{"kind", name_of(event.kind)},
                                {"step", event.step},
                                {"text", event.name},
                                {"ms", event.took.count()}})
                      .dump() +
                  "\n");
      return;
    case Style::quiet:
      return;
  }
}

// source BuildKit, client/graph.go: SolveStatus with its Vertexes and Logs
void BuildProgress::show_raw(const Progress& event) {
  auto now = std::chrono::system_clock::now();
  if (event.kind == Progress::Kind::message && event.step == 0) {  // a vertex that is over at once
    steps_[0].began = now - event.took;
    steps_[0].partial = event.name;
  }
  auto& step = steps_[event.step];
  std::string digest =
      "sha256:" + formats::sha256_hex(fmt::format("{}\n{}", event.step, step.partial));
  if (event.kind == Progress::Kind::output ||
      (event.kind == Progress::Kind::message && event.step)) {
    Json log = Json::object({{"vertex", digest},
                             {"stream", 1},
                             {"data", base64(event.name)},
                             {"timestamp", formats::iso8601_millis(formats::now())}});
    print_error(Json::object({{"logs", Json::array({log})}}).dump() + "\n");
    return;
  }
  if (event.kind == Progress::Kind::started || event.kind == Progress::Kind::cached)
    step.began = now;
  auto text_of = [](std::chrono::system_clock::time_point time) {
    return formats::iso8601_millis(formats::Time(
        std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch())));
  };
  Json vertex =
      Json::object({{"digest", digest}, {"name", event.name}, {"started", text_of(step.began)}});
  if (event.kind != Progress::Kind::started) vertex["completed"] = text_of(now);
  if (event.kind == Progress::Kind::cached) vertex["cached"] = true;
  if (event.kind == Progress::Kind::failed) vertex["error"] = "the step failed";
  print_error(Json::object({{"vertexes", Json::array({vertex})}}).dump() + "\n");
}

void BuildProgress::show_plain(const Progress& event) {
  switch (event.kind) {
    case Progress::Kind::started:
      steps_[event.step].started = std::chrono::steady_clock::now();
      print_error(fmt::format("#{} {}\n", event.step, event.name));
      break;
    case Progress::Kind::output:
      show_output(event.step, event.name);
      break;
    case Progress::Kind::done:
    case Progress::Kind::failed: {
      auto& step = steps_[event.step];
      if (!step.partial.empty()) show_output(event.step, "\n");
      if (event.kind == Progress::Kind::failed) {
        print_error(fmt::format("#{} ERROR {}\n", event.step, event.name));
      } else {
        print_error(fmt::format("#{} DONE {:.1f}s\n", event.step,
                                static_cast<double>(event.took.count()) / 1000));
      }
      steps_.erase(event.step);
      break;
    }
    case Progress::Kind::cached:
      print_error(fmt::format("#{} {}\n#{} CACHED\n", event.step, event.name, event.step));
      break;
    case Progress::Kind::message:
      print_error(event.name +
                  (event.took.count() > 0
                       ? fmt::format(" {:.1f}s", static_cast<double>(event.took.count()) / 1000)
                       : "") +
                  "\n");
      break;
  }
}

void BuildProgress::show_output(int number, const std::string& text) {
  auto& step = steps_[number];
  step.partial += text;
  std::string out;
  std::size_t start = 0;
  for (auto end = step.partial.find('\n'); end != std::string::npos;
       end = step.partial.find('\n', start)) {
    out += fmt::format("#{} {:.3f} {}\n", number, seconds_since(step.started),
                       step.partial.substr(start, end - start));
    start = end + 1;
  }
  step.partial.erase(0, start);
  if (!out.empty()) print_error(out);
}

void BuildProgress::finish(const image::BuildResult& result) {
  end_live();
  if (style_ != Style::plain && style_ != Style::live) return;
  print_error(fmt::format("built {} steps ({} cached) in {:.2f}s\n", result.steps, result.cached,
                          seconds_since(started_)));
  for (const auto& name : result.names) print_error(fmt::format("named {}\n", name));
}

std::unique_ptr<BuildProgress> make_build_progress(const std::string& style,
                                                   const Surroundings& around) {
  using Style = BuildProgress::Style;
  const char* term =
      std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  bool can_draw = around.terminal && term && std::string_view(term) != "dumb";
  std::optional<Style> chosen;
  if (style == "auto" || style == "tty") chosen = can_draw ? Style::live : Style::plain;
  if (style == "plain") chosen = Style::plain;
  if (style == "json") chosen = Style::json;
  if (style == "rawjson") chosen = Style::rawjson;
  if (style == "quiet") chosen = Style::quiet;
  if (!chosen)
    fail(Fault::bad_input,
         "--progress '{}' is not known: it is auto, plain, tty, json, rawjson or quiet", style);
  return std::make_unique<BuildProgress>(*chosen, around.color);
}

}  // namespace slipway::cli
