// SPDX-License-Identifier: Apache-2.0
#include "container/detached.hpp"

#include <chrono>

#include "os/file.hpp"

namespace slipway::container {

using formats::Json;

namespace {

// A supervisor that is gone without an exit.json was killed; its container may still run.
ContainerExit lost() {
  return {.exit = {255, 0}, .reason = "its supervisor was killed, the exit code is not known"};
}

}  // namespace

Json to_json(const Order& order) {
  return Json::object({{"spec", to_json(order.spec)},
                       {"state", order.runtime.state.string()},
                       {"program", order.runtime.program},
                       {"cgroup", order.cgroup},
                       {"keep_output", order.keep_output}});
}

Order order_from_json(const Json& json) {
  return {.spec = spec_from_json(json.at("spec")),
          .runtime = {.state = json.get_string("state"), .program = json.get_string("program")},
          .cgroup = json.get_string("cgroup"),
          .keep_output = json.get_bool("keep_output", true)};
}

Json to_json(const ContainerExit& exit) {
  return Json::object({{"code", exit.exit.code},
                       {"signal", exit.exit.signal},
                       {"out_of_memory", exit.out_of_memory},
                       {"reason", exit.reason},
                       {"ended_ms", exit.ended_ms}});
}

ContainerExit exit_from_json(const Json& json) {
  return {
      .exit = {static_cast<int>(json.get_int("code")), static_cast<int>(json.get_int("signal"))},
      .out_of_memory = json.get_bool("out_of_memory"),
      .reason = json.get_string("reason"),
      .ended_ms = json.get_int("ended_ms")};
}

std::optional<ContainerState> read_state(const std::filesystem::path& directory) {
  auto order = os::read_file_if_exists(directory / "order.json");
  if (!order) return std::nullopt;
  auto spec = order_from_json(formats::parse_json(*order)).spec;
  ContainerState state{.id = spec.id, .annotations = spec.annotations, .log = directory / "log"};
  // The supervisor is looked at before exit.json: it writes the file before it goes.
  auto mark = os::read_file_if_exists(directory / "supervisor");
  bool is_minded = mark && is_owner_alive(*mark);
  bool has_run = false;
  bool is_alive = false;
  if (auto running = os::read_file_if_exists(directory / "running.json")) {
    auto json = formats::parse_json(*running);
    has_run = true;
    state.pid = static_cast<pid_t>(json.get_int("pid"));
    state.started_ms = json.get_int("started_ms");
    is_alive = os::is_alive(state.pid, static_cast<unsigned long long>(json.get_int("ticks")));
  }
  if (auto exit = os::read_file_if_exists(directory / "exit.json")) {
    state.exit = exit_from_json(formats::parse_json(*exit));
  } else if (!is_alive && mark && !is_minded) {
    state.exit = lost();
  }
  using Phase = ContainerState::Phase;
  state.phase = state.exit ? Phase::ended : has_run ? Phase::running : Phase::starting;
  if (state.phase != Phase::running) state.pid = 0;
  return state;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace slipway::container
