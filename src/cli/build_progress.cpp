// SPDX-License-Identifier: Apache-2.0
#include "cli/build_progress.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"

namespace slipway::cli {
namespace {

using image::Progress;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string_view name_of(Progress::Kind kind) {
  static constexpr std::string_view kNames[] = {"started", "output", "done",
                                                "cached",  "failed", "message"};
  return kNames[static_cast<int>(kind)];
}

}  // namespace

void BuildProgress::show(const Progress& event) {
  if (style_ == Style::plain) show_plain(event);
  if (style_ != Style::json) return;
  auto line = formats::Json::object({{"kind", name_of(event.kind)},
                                     {"step", event.step},
                                     {"text", event.name},
                                     {"ms", event.took.count()}});
  print_error(line.dump() + "\n");
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
  if (style_ != Style::plain) return;
  print_error(fmt::format("built {} steps ({} cached) in {:.2f}s\n", result.steps, result.cached,
                          seconds_since(started_)));
  for (const auto& name : result.names) print_error(fmt::format("named {}\n", name));
}

std::unique_ptr<BuildProgress> make_build_progress(const std::string& style) {
  using Style = BuildProgress::Style;
  if (style == "auto" || style == "plain" || style == "tty")
    return std::make_unique<BuildProgress>(Style::plain);
  if (style == "json" || style == "rawjson") return std::make_unique<BuildProgress>(Style::json);
  if (style == "quiet") return std::make_unique<BuildProgress>(Style::quiet);
  fail(Fault::bad_input, "--progress '{}' is not known: it is auto, plain, json or quiet", style);
}

}  // namespace slipway::cli
