// SPDX-License-Identifier: Apache-2.0
#include "workflow/concurrency.hpp"

#include <unistd.h>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

// A group is a small file changed under a lock that is held for microseconds: who runs, who waits, whom to cancel. A holder is its
// process's pid and start time with an id of its own, so whoever looks next sees that a killed one is gone. Others find a change by
// looking again a few times a second: nothing here is worth a notification channel between processes.
namespace slipway::workflow {
namespace {

using formats::Json;
constexpr auto kLookAgain = std::chrono::milliseconds(200);

class Group final {
 public:
  Group(const std::filesystem::path& directory, const std::string& name)
      : directory_(directory / formats::sha256_hex(to_lower(name)).substr(0, 16)) {
    os::make_dirs(directory_);
  }
  /// Runs `change` on the state with the lock held; writes it back when that returns true.
  template <typename Change>
  void with(Change&& change) {
    auto lock = os::FileLock::take(directory_ / "lock");
    auto text = os::read_file_if_exists(directory_ / "state.json");
    Json state = text ? formats::parse_json(*text, "state.json") : Json::object();
    if (const auto* running = state.find("running"); running && !is_alive(*running))
      state.erase("running");
    auto pending = Json::array();
    for (const auto& one : state.get_array("pending")) {
      if (is_alive(one)) pending.push_back(one);
    }
    state["pending"] = pending;
    if (change(state)) os::replace_file(directory_ / "state.json", state.dump());
  }

 private:
  static bool is_alive(const Json& holder) {
    auto pid = static_cast<pid_t>(holder.get_int("pid"));
    auto start = to_integer(holder.get_string("start")).value_or(0);
    return os::is_alive(pid, static_cast<unsigned long long>(start));
  }
  std::filesystem::path directory_;
};

bool is_held_by(const Json& state, const char* key, const std::string& id) {
  const auto* holder = state.find(key);
  return holder && holder->get_string("id") == id;
}

class HeldPlace final : public GroupPlace {
 public:
  HeldPlace(Group group, std::string id, std::function<void()> on_cancel)
      : group_(std::move(group)), id_(std::move(id)), watch_(std::stop_token()) {
    watch_.start([this, on_cancel = std::move(on_cancel)](const std::stop_token& stop) {
      bool asked = false;
      while (!asked && !stop.stop_requested()) {
        never_.wait(
            stop, Deadline::in(kLookAgain), [](bool) { return false; }, [](bool) {});
        group_.with([&](Json& state) {
          asked = state.get_string("cancel") == id_;
          return false;
        });
      }
      if (asked && on_cancel) on_cancel();
    });
  }
  ~HeldPlace() override {
    watch_.stop();
    try {
      group_.with([&](Json& state) {
        if (!is_held_by(state, "running", id_)) return false;
        state.erase("running");
        if (state.get_string("cancel") == id_) state.erase("cancel");
        return true;
      });
    } catch (const Error&) {
      // The state directory is gone or full. Our end frees the place as well: the next one sees that we are dead.
    }
  }

 private:
  Group group_;
  std::string id_;
  Guarded<bool> never_;
  TaskGroup watch_;
};

enum class Turn { mine, waiting, replaced };

}  // namespace

std::unique_ptr<GroupPlace> enter_group(const std::filesystem::path& directory,
                                        const GroupRequest& request,
                                        const std::function<void(const std::string&)>& on_wait,
                                        std::function<void()> on_cancel, std::stop_token stop) {
  Group group(directory, request.group);
  auto id = uuid();
  auto me = Json::object({{"id", id},
                          {"pid", static_cast<std::int64_t>(::getpid())},
                          {"start", std::to_string(os::start_ticks(::getpid()).value_or(0))},
                          {"who", request.who}});
  std::string runs_now;
  auto turn = Turn::waiting;
  group.with([&](Json& state) {
    if (const auto* running = state.find("running")) {
      runs_now = running->get_string("who");
      if (request.cancel_in_progress) state["cancel"] = running->get_string("id");
      if (!request.queues) state["pending"] = Json::array();
      state["pending"].push_back(me);
    } else if (!state.get_array("pending").empty() && request.queues) {
      state["pending"].push_back(me);  // those that wait come first
    } else {
      turn = Turn::mine;
      state["running"] = me;
    }
    return true;
  });
  if (turn == Turn::waiting && on_wait) on_wait(runs_now);
  Guarded<bool> never;
  while (turn == Turn::waiting) {
    never.wait(
        stop, Deadline::in(kLookAgain), [](bool) { return false; }, [](bool) {});
    group.with([&](Json& state) {
      auto& pending = state["pending"].as_array();
      auto own = std::find_if(pending.begin(), pending.end(),
                              [&](const Json& one) { return one.get_string("id") == id; });
      bool is_pending = own != pending.end();
      if (stop.stop_requested()) {
        if (is_pending) pending.erase(own);
        return is_pending;
      }
      if (!is_pending) {
        turn = Turn::replaced;
        return false;
      }
      if (own != pending.begin() || state.find("running")) return false;
      turn = Turn::mine;
      pending.erase(own);
      state["running"] = me;
      return true;
    });
    if (stop.stop_requested() && turn != Turn::mine) throw Cancelled();
  }
  if (turn == Turn::replaced) return nullptr;
  return std::make_unique<HeldPlace>(std::move(group), id, std::move(on_cancel));
}

}  // namespace slipway::workflow
