// SPDX-License-Identifier: Apache-2.0
#include "cli/run_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/run_view.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/file_watch.hpp"

namespace slipway::cli {
namespace {

constexpr auto kLookAgain =
    std::chrono::seconds(1);  // a writer that was killed changes no file any more

constexpr auto kLogAgain =
    std::chrono::milliseconds(150);  // a log that grows does not wake the watch on the events

std::string newest(const workflow::RunStore& store) {
  auto list = store.list();
  if (list.empty()) fail(Fault::not_found, "there is no run yet");
  return list.front().id;
}

// What was written since the last call.
class Tail final {
 public:
  explicit Tail(const std::filesystem::path& path)
      : file_(os::open_file(path.string(), O_RDONLY)) {}
  std::string more() {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
      auto count = ::pread(file_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset_));
      if (count <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(count));
      offset_ += static_cast<std::size_t>(count);
    }
  }

 private:
  os::Fd file_;
  std::size_t offset_ = 0;
};

struct StepKey {
  std::string job;
  std::string step;
};

StepKey key_of(const std::string& wanted) {
  // A job's id may hold " / " of a called workflow; the step stands after a slash without blanks.
  for (auto slash = wanted.rfind('/'); slash != std::string::npos && slash > 0;
       slash = wanted.rfind('/', slash - 1)) {
    if (wanted[slash - 1] != ' ') return {wanted.substr(0, slash), wanted.substr(slash + 1)};
  }
  return {wanted, ""};
}

bool matches(const StepKey& key, const formats::Json& event) {
  if (!key.job.empty() && !equals_ignoring_case(event.get_string("job"), key.job)) return false;
  if (key.step.empty()) return true;
  return event.get_string("step_id") == key.step ||
         std::to_string(event.get_int("step")) == key.step ||
         equals_ignoring_case(event.get_string("step_name"), key.step);
}

}  // namespace

RunReader::RunReader(const std::filesystem::path& runs, const std::string& run)
    : store_(runs),
      run_(run == "latest" ? newest(store_) : run),
      directory_(store_.directory_of(run_)) {
  if (!store_.find(run_)) fail(Fault::not_found, "there is no run '{}'; see: slipway runs", run);
}

bool RunReader::has_ended() const {
  auto record = store_.find(run_);
  return !record || !record->conclusion.empty();
}

void RunReader::events(const std::function<void(std::string_view)>& sink, bool follow,
                       const std::stop_token& stop) {
  auto path = directory_ / "events.jsonl";
  os::FileWatch watch(path);
  Tail tail(path);
  std::string partial;
  for (;;) {
    bool ended = has_ended();  // asked before reading: what comes after the end is read, too
    partial += tail.more();
    for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n')) {
      auto line = partial.substr(0, end);
      partial.erase(0, end + 1);
      sink(line);
    }
    if (!follow || ended) return;
    watch.wait(stop, Deadline::in(kLookAgain));
    if (stop.stop_requested()) throw Cancelled();
  }
}

void RunReader::logs(const std::string& wanted, const std::function<void(std::string_view)>& sink,
                     bool follow, const std::stop_token& stop) {
  if (follow) return follow_logs(wanted, sink, stop);
  auto key = key_of(wanted);
  bool any = false;
  events(
      [&](std::string_view line) {
        auto event = formats::parse_json(line);
        auto type = event.get_string("type");
        if (type != "step_finished" || !matches(key, event) ||
            event.get_string("conclusion") == "skipped")
          return;
        any = true;
        auto text = os::read_file_if_exists(
            directory_ /
            workflow::log_path(event.get_string("job"), static_cast<int>(event.get_int("step"))));
        sink(fmt::format("==> {} / {} ({})\n{}", event.get_string("job"),
                         event.get_string("step_name"), event.get_string("conclusion"),
                         text.value_or("")));
      },
      false, stop);
  if (!any && !wanted.empty())
    fail(Fault::not_found, "run {} has no finished step '{}'; see: slipway events {}", run_, wanted,
         run_);
}

// What running steps print, as they print it: a heading whenever another step speaks.
void RunReader::follow_logs(const std::string& wanted,
                            const std::function<void(std::string_view)>& sink,
                            const std::stop_token& stop) {
  struct Speaking {
    std::string title;
    std::filesystem::path path;
    std::optional<Tail> tail;
  };
  auto key = key_of(wanted);
  std::map<std::pair<std::string, std::int64_t>, Speaking> running;
  std::string spoke_last;
  auto tell = [&](Speaking& step) {
    if (!step.tail && std::filesystem::exists(step.path)) step.tail.emplace(step.path);
    auto text = step.tail ? step.tail->more() : std::string();
    if (text.empty()) return;
    if (spoke_last != step.title) sink("==> " + step.title + "\n");
    spoke_last = step.title;
    sink(text);
  };
  auto take = [&](const formats::Json& event) {
    auto type = event.get_string("type");
    if (!matches(key, event)) return;
    std::pair id(event.get_string("job"), event.get_int("step"));
    if (type == "step_started") {
      running[id] = {.title = fmt::format("{} / {}", id.first, event.get_string("step_name")),
                     .path = directory_ / workflow::log_path(id.first, static_cast<int>(id.second)),
                     .tail = {}};
    } else if (type == "step_finished" && running.contains(id)) {
      auto& step = running[id];
      tell(step);
      sink(fmt::format("<== {} ({}, {})\n", step.title, event.get_string("conclusion"),
                       short_duration(event.get_int("took_ms"))));
      spoke_last.clear();
      running.erase(id);
    }
  };
  auto path = directory_ / "events.jsonl";
  os::FileWatch watch(path);
  Tail tail(path);
  std::string partial;
  for (;;) {
    bool ended = has_ended();
    partial += tail.more();
    for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n')) {
      take(formats::parse_json(partial.substr(0, end)));
      partial.erase(0, end + 1);
    }
    for (auto& [id, step] : running) tell(step);
    if (ended) return;
    watch.wait(stop, Deadline::in(kLogAgain));
    if (stop.stop_requested()) throw Cancelled();
  }
}

}  // namespace slipway::cli
