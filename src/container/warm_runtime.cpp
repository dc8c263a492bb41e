// SPDX-License-Identifier: Apache-2.0
#include "container/warm_runtime.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/text.hpp"
#include "container/attached.hpp"
#include "container/attend.hpp"
#include "container/cgroup.hpp"
#include "os/file.hpp"

namespace slipway::container {
namespace {

constexpr std::size_t kMostConfig = 60 * 1024;  // a pipe takes 64 KiB at once

// The pipe, open for both ends: so neither side's open() waits for the other.
os::Fd make_config_pipe(const std::filesystem::path& path) {
  if (::mkfifo(path.c_str(), 0600) != 0) os::throw_errno("mkfifo '" + path.string() + "'");
  return os::open_file(path.string(), O_RDWR | O_NONBLOCK);
}

// Waits until the program has opened the pipe: only then may another file take its name.
bool wait_for_open(const os::Fd& watch, const os::Process& process, const std::stop_token& stop) {
  StopSignal wake(stop);
  std::array<pollfd, 3> fds = {
      {{watch.get(), POLLIN, 0}, {process.pidfd().get(), POLLIN, 0}, {wake.get(), POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0) {
    if (errno != EINTR) os::throw_errno("poll");
  }
  return fds[0].revents != 0 && fds[1].revents == 0 && !stop.stop_requested();
}

}  // namespace

WarmRuntime::WarmRuntime(const Places& places)
    : places_(places), id_("warm-" + hex(random_bytes(8))), group_(std::stop_token{}) {
  cgroup_ = places_.attached_cgroup(id_);
  bundle_ = claim_bundle(places_, id_);
  group_.start([this](const std::stop_token& stop) { work(stop); });
}

WarmRuntime::~WarmRuntime() {
  group_.stop();
  try {
    group_.join();
  } catch (...) {  // NOLINT(bugprone-empty-catch): whoever wanted a container got the reason
  }
  try {
    if (!was_taken_) os::remove_tree(bundle_);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): sweep() tries again
  }
}

void WarmRuntime::work(const std::stop_token& stop) {
  enter_private_mounts();
  join_confined(places_.short_id);
  os::Fd pipe = make_config_pipe(bundle_ / "config.json");
  os::Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch.is_open() ||
      ::inotify_add_watch(watch.get(), (bundle_ / "config.json").c_str(), IN_OPEN) < 0)
    return;
  auto argv = places_.command(bundle_ / "runtime.log", !cgroup_.empty());
  if (!places_.sealed.empty()) argv[0] = places_.sealed;
  for (const auto& word : {std::string("run"), std::string("--bundle"), bundle_.string(),
                           std::string("--pid-file"), (bundle_ / "pid").string(), id_}) {
    argv.push_back(word);
  }
  auto process = os::Process::spawn({.argv = std::move(argv), .env = runtime_environment()});
  if (!wait_for_open(watch, process, stop)) return;
  const ContainerSpec* spec = nullptr;
  bool met = state_.wait(
      stop, Deadline::never(), [](const State& state) { return state.spec != nullptr; },
      [&](State& state) { spec = state.spec; });
  if (met) give(*spec, pipe, std::move(process));
}

void WarmRuntime::give(const ContainerSpec& spec, const os::Fd& pipe, os::Process process) {
  auto made = make_bundle(spec, bundle_, cgroup_, "config.new");
  std::optional<MountStubs> stubs;
  if (!spec.rootfs.upper.empty()) stubs.emplace(bundle_ / "rootfs", spec.rootfs.upper, made);
  std::string config = os::read_file(bundle_ / "config.new");
  if (config.size() > kMostConfig) return;
  std::filesystem::rename(bundle_ / "config.new", bundle_ / "config.json");
  os::write_all(pipe.get(), config);
  state_.with([&](State& state) {
    state.started.emplace(StartedContainer{.id = id_,
                                           .cgroup = cgroup_,
                                           .bundle = bundle_,
                                           .stubs = std::move(stubs),
                                           .process = std::move(process)});
  });
}

std::optional<StartedContainer> WarmRuntime::use(const ContainerSpec& spec) {
  state_.with([&](State& state) { state.spec = &spec; });
  group_.join();  // throws what make_bundle() threw
  auto started = state_.with([](State& state) { return std::move(state.started); });
  was_taken_ = started.has_value();
  return started;
}

}  // namespace slipway::container
