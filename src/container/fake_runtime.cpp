// SPDX-License-Identifier: Apache-2.0
#include "container/fake_runtime.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "container/detached.hpp"
#include "container/log_file.hpp"
#include "os/file.hpp"

namespace slipway::container {

using Phase = ContainerState::Phase;

void FakeRuntime::end(const std::string& id, ContainerExit exit) {
  if (exit.ended_ms == 0) exit.ended_ms = now_ms();
  world_.with([&](World& world) {
    auto& state = world.containers.at(id);
    state.phase = Phase::ended;
    state.pid = 0;
    state.exit = std::move(exit);
  });
}

void FakeRuntime::log(const std::string& id, const std::string& text, bool is_stderr) {
  auto path = world_.read([&](const World& world) { return world.containers.at(id).log; });
  os::Fd file = os::open_file(path.string(), O_WRONLY | O_APPEND | O_CREAT);
  os::write_all(file.get(), to_string(LogLine{now_ms(), is_stderr, false, text}));
}

std::vector<ContainerSpec> FakeRuntime::started() const {
  return world_.read([](const World& world) { return world.started; });
}

ContainerExit FakeRuntime::run(const ContainerSpec& spec, const RunIo& io, const StopSteps&,
                               std::stop_token stop, Deadline) {
  if (stop.stop_requested()) throw Cancelled();
  world_.with([&](World& world) { world.started.push_back(spec); });
  return {.exit = on_run(
              spec, io.sink ? io.sink : [](std::string_view) {}),
          .ended_ms = now_ms()};
}

ContainerState FakeRuntime::start(const ContainerSpec& spec) {
  on_start(spec);
  return world_.with([&](World& world) {
    if (world.containers.contains(spec.id))
      fail(Fault::conflict, "there is a container '{}' already", spec.id);
    auto place = directory_ / spec.id;
    os::make_dirs(place);
    ContainerState state{.id = spec.id,
                         .phase = Phase::running,
                         .pid = static_cast<pid_t>(1000 + world.started.size()),
                         .started_ms = now_ms(),
                         .annotations = spec.annotations,
                         .log = place / "log"};
    world.started.push_back(spec);
    world.specs[spec.id] = spec;
    world.containers[spec.id] = state;
    return state;
  });
}

std::optional<ContainerState> FakeRuntime::state(const std::string& id) {
  return world_.read([&](const World& world) {
    auto found = world.containers.find(id);
    return found == world.containers.end() ? std::nullopt : std::optional(found->second);
  });
}

std::vector<ContainerState> FakeRuntime::list() {
  return world_.read([](const World& world) {
    std::vector<ContainerState> all;
    for (const auto& [id, state] : world.containers) all.push_back(state);
    return all;
  });
}

std::optional<ContainerExit> FakeRuntime::wait(const std::string& id, std::stop_token stop,
                                               Deadline deadline) {
  if (!state(id)) fail(Fault::not_found, "no container '{}'", id);
  std::optional<ContainerExit> exit;
  auto is_over = [&](const World& world) {
    auto found = world.containers.find(id);
    return found == world.containers.end() || found->second.exit;
  };
  bool met = world_.wait(stop, deadline, is_over, [&](const World& world) {
    if (auto found = world.containers.find(id); found != world.containers.end())
      exit = found->second.exit;
  });
  if (!met && stop.stop_requested()) throw Cancelled();
  return exit;
}

bool FakeRuntime::kill(const std::string& id, int signal) {
  auto now = state(id);
  if (!now) fail(Fault::not_found, "no container '{}'", id);
  if (now->phase != Phase::running) return false;
  if (on_kill(id, signal)) end(id, {.exit = {0, signal}});
  return true;
}

void FakeRuntime::remove(const std::string& id) {
  world_.with([&](World& world) {
    world.containers.erase(id);
    world.specs.erase(id);
  });
  os::remove_tree(directory_ / id);
}

os::Exit FakeRuntime::exec(const std::string& id, const ExecSpec& exec, const RunIo& io,
                           std::stop_token, Deadline) {
  auto spec = world_.read([&](const World& world) {
    auto found = world.specs.find(id);
    return found == world.specs.end() ? std::nullopt : std::optional(found->second);
  });
  if (!spec) fail(Fault::not_found, "no running container '{}'", id);
  spec->argv = exec.argv;
  spec->env = exec.env;
  spec->cwd = exec.cwd;
  return on_run(
      *spec, io.sink ? io.sink : [](std::string_view) {});
}

}  // namespace slipway::container
