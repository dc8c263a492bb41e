// SPDX-License-Identifier: Apache-2.0
#include "container/runtime.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <thread>

#include "base/error.hpp"
#include "container/bundle.hpp"
#include "container/leftovers.hpp"
#include "container/log_file.hpp"
#include "container/test_machine.hpp"

using namespace slipway;
using namespace slipway::container;
using namespace std::chrono_literals;
using testing::Machine;

namespace {

struct Ran {
  ContainerExit exit;
  std::string output;
};

Ran run(Runtime& runtime, const ContainerSpec& spec, std::stop_token stop = {}) {
  Ran ran;
  ran.exit = runtime.run(spec, {.sink = [&](std::string_view bytes) { ran.output += bytes; }}, {},
                         stop, Deadline::in(60s));
  return ran;
}

Fault fault_of(auto work) {
  try {
    work();
  } catch (const Error& error) {
    INFO(error.what());
    return error.fault();
  }
  FAIL("nothing was thrown");
  return Fault::failed;
}

std::string log_of(const ContainerState& state) {
  std::string text;
  for (const auto& line : last_lines(state.log, 100)) text += line.text + "\n";
  return text;
}

}  // namespace

TEST_CASE("an attached container gives its output and exit code, and leaves only its changes") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto spec = machine.shell("run-1",
                            "echo out; echo err >&2; echo $HOME; pwd; echo new > /tmp/new; exit 7");
  spec.env["HOME"] = "/root";
  auto ran = run(*runtime, spec);
  CHECK(ran.exit.exit == os::Exit{7, 0});
  CHECK(ran.output == "out\nerr\n/root\n/\n");
  CHECK(os::read_file(spec.rootfs.upper / "tmp/new") == "new\n");
  CHECK_FALSE(std::filesystem::exists(spec.rootfs.upper / "proc"));
  CHECK_FALSE(std::filesystem::exists(spec.rootfs.upper / "dev"));
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE(
    "with the host's network a container sees the host's resolver, and no stub of it stays "
    "behind") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto spec = machine.shell("run-2", "cat /etc/resolv.conf; cat /hello/there");
  spec.network = {.kind = NetworkChoice::Kind::host};
  os::write_file(machine.directory.path() / "file", "bound\n");
  spec.mounts = {{.source = machine.directory.path() / "file", .target = "/hello/there"}};
  auto ran = run(*runtime, spec);
  CHECK(ran.output == os::read_file("/etc/resolv.conf") + "bound\n");
  CHECK_FALSE(std::filesystem::exists(spec.rootfs.upper / "etc"));  // not even an empty copy of it
  CHECK_FALSE(std::filesystem::exists(spec.rootfs.upper / "hello"));
}

TEST_CASE("user, working directory and host name are those of the spec") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto spec = machine.shell("run-3", "id -u; id -G; pwd; hostname");
  spec.user = {1000, 1000, {27}};
  spec.cwd = "/srv/app";
  spec.hostname = "box";
  CHECK(run(*runtime, spec).output == "1000\n1000 27\n/srv/app\nbox\n");
}

TEST_CASE("a program that is not there is the spec's fault") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto spec = machine.shell("run-4", "");
  spec.argv = {"/bin/nothing"};
  CHECK(fault_of([&] { run(*runtime, spec); }) == Fault::not_found);
  spec.argv = {"nothing"};
  CHECK(fault_of([&] { run(*runtime, spec); }) == Fault::not_found);
  CHECK(fault_of([&] { runtime->start(spec); }) == Fault::not_found);
  CHECK_FALSE(runtime->state("run-4").has_value());
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("an attached container with limits behaves like one without") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto spec = machine.shell("limited", "echo out; exit 6");
  spec.limits = {.memory_bytes = 64ULL << 20, .cpu_thousandths = 500, .pids = 20};
  auto ran = run(*runtime, spec);
  CHECK(ran.exit.exit == os::Exit{6, 0});
  CHECK_FALSE(ran.exit.out_of_memory);
  CHECK(ran.output == "out\n");
  spec.argv = {"/bin/none"};
  CHECK(fault_of([&] { run(*runtime, spec); }) == Fault::not_found);
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("a stopped container ends with all its processes, whatever they do about signals") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  std::stop_source stop;
  auto spec = machine.shell("run-5", "trap '' TERM INT; echo ready; while :; do sleep 1; done");
  CHECK_THROWS_AS(runtime->run(spec, {.sink = [&](std::string_view) { stop.request_stop(); }},
                               {.after_interrupt = 50ms, .after_terminate = 50ms}, stop.get_token(),
                               Deadline::in(60s)),
                  Cancelled);
  CHECK(leftovers(machine.options).empty());
  CHECK(fault_of([&] {
          runtime->run(spec, {}, {.after_terminate = 50ms}, {}, Deadline::in(300ms));
        }) == Fault::failed);
}

TEST_CASE("a container past its memory limit is killed and told so, attached and detached") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto spec = machine.shell("run-6", "echo begin; tail /dev/zero; echo never");
  spec.argv = {"/bin/tail", "/dev/zero"};
  spec.limits.memory_bytes = 16ULL << 20;
  auto ran = run(*runtime, spec);
  CHECK(ran.exit.exit.status() == 137);
  CHECK(ran.exit.out_of_memory);
  runtime->start(spec);
  auto exit = runtime->wait("run-6", {}, Deadline::in(30s));
  REQUIRE(exit);
  CHECK(exit->exit == os::Exit{0, SIGKILL});
  CHECK(exit->out_of_memory);
  runtime->remove("run-6");
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE(
    "a detached container is found again by another runtime, with its log, exit and annotations") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto spec = machine.shell(
      "task-1",
      "echo up; echo bad >&2; while [ ! -e /tmp/end ]; do sleep 0.02; done; printf last; exit 3");
  spec.annotations = {{"slipway.task", "t1"}};
  {
    auto runtime = make_crun_runtime(machine.options);
    auto state = runtime->start(spec);
    CHECK(state.phase == ContainerState::Phase::running);
    CHECK(state.pid > 0);
    CHECK(fault_of([&] { runtime->start(spec); }) == Fault::conflict);
  }
  auto runtime = make_crun_runtime(machine.options);
  auto all = runtime->list();
  REQUIRE(all.size() == 1);
  CHECK(all[0].annotations == spec.annotations);
  CHECK(all[0].phase == ContainerState::Phase::running);
  CHECK_FALSE(runtime->wait("task-1", {}, Deadline::in(1ms)).has_value());
  auto made =
      runtime->exec("task-1", {.argv = {"/bin/touch", "/tmp/end"}}, {}, {}, Deadline::in(20s));
  CHECK(made.ok());
  auto exit = runtime->wait("task-1", {}, Deadline::in(20s));
  REQUIRE(exit);
  CHECK(exit->exit == os::Exit{3, 0});
  CHECK(exit->reason.empty());
  auto lines = last_lines(all[0].log, 10);
  REQUIRE(lines.size() == 3);
  CHECK(log_of(all[0]).find("up\n") != std::string::npos);
  CHECK(lines[2].text == "last");
  CHECK((lines[0].is_stderr || lines[1].is_stderr));
  CHECK_FALSE(runtime->kill("task-1", SIGTERM));
  runtime->remove("task-1");
  runtime->remove("task-1");
  CHECK(runtime->list().empty());
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("stop_container asks first and kills then") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  runtime->start(
      machine.shell("soft", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done"));
  runtime->start(machine.shell("hard", "trap '' TERM; echo ready; while :; do sleep 0.02; done"));
  for (const char* id : {"soft", "hard"}) {
    while (last_lines(runtime->state(id)->log, 1).empty()) std::this_thread::yield();
  }
  CHECK(stop_container(*runtime, "soft", SIGTERM, 20s, {}).exit == os::Exit{9, 0});
  CHECK(stop_container(*runtime, "hard", SIGTERM, 100ms, {}).exit == os::Exit{0, SIGKILL});
  CHECK_THROWS_AS(runtime->kill("none", SIGTERM), Error);
  runtime->remove("soft");
  runtime->remove("hard");
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE(
    "a container whose supervisor was killed is still there, can be ended, and its exit is said to "
    "be unknown") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  auto state = runtime->start(machine.shell("orphan", "while :; do sleep 0.05; done"));
  auto mark = os::read_file(machine.options.state / "containers/orphan/supervisor");
  REQUIRE(::kill(std::stoi(mark), SIGKILL) == 0);
  CHECK(runtime->state("orphan")->phase == ContainerState::Phase::running);
  CHECK(runtime->kill("orphan", SIGKILL));
  auto exit = runtime->wait("orphan", {}, Deadline::in(20s));
  REQUIRE(exit);
  CHECK(exit->reason.find("supervisor was killed") != std::string::npos);
  runtime->remove("orphan");
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("the exit of a container that ended before the runtime's helper is known") {
  NEEDS_CONTAINERS();
  Machine machine;
  // As crun: a helper that outlives `crun run --detach` is the container's parent, and has not collected it yet.
  auto crun = machine.directory.path() / "crun-late";
  os::write_file(crun, R"(#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in run) is_run=1 ;; --pid-file) file=$2 ;; esac
  shift
done
[ -n "$is_run" ] || exit 0
exec perl -e '
  pipe(my $ready, my $done);
  if (fork()) { close $done; <$ready>; exit 0; }
  close STDOUT; close STDERR;
  my $pid = fork(); if (!$pid) { exit 3; }
  open(my $out, ">", $ARGV[0]); print $out $pid; close $out;
  close $done; select(undef, undef, undef, 0.3);
' "$file"
)",
                 0755);
  machine.options.program = crun;
  auto runtime = make_crun_runtime(machine.options);
  runtime->start(machine.shell("quick", "exit 3"));
  auto exit = runtime->wait("quick", {}, Deadline::in(20s));
  REQUIRE(exit);
  CHECK(exit->reason.empty());
  CHECK(exit->exit == os::Exit{3, 0});
  runtime->remove("quick");
}

TEST_CASE("a further process has its own user, directory, environment and exit") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  runtime->start(machine.shell("host", "while :; do sleep 1; done"));
  std::string output;
  RunIo io{.sink = [&](std::string_view bytes) { output += bytes; }};
  ExecSpec exec{.argv = {"sh", "-c", "id -u; pwd; echo $A; exit 4"},
                .env = {{"PATH", "/bin"}, {"A", "b"}},
                .cwd = "/tmp",
                .user = {1000, 1000, {}}};
  CHECK(runtime->exec("host", exec, io, {}, Deadline::in(20s)) == os::Exit{4, 0});
  CHECK(output == "1000\n/tmp\nb\n");
  exec.argv = {"/bin/none"};
  CHECK(fault_of([&] { runtime->exec("host", exec, io, {}, Deadline::in(20s)); }) ==
        Fault::not_found);
  std::stop_source stop;
  ExecSpec stubborn{
      .argv = {"/bin/sh", "-c", "trap '' TERM; echo ready; while :; do /bin/sleep 1; done"},
      .stop_steps = {.after_terminate = 50ms}};
  RunIo stopping{.sink = [&](std::string_view) { stop.request_stop(); }};
  CHECK(runtime->exec("host", stubborn, stopping, stop.get_token(), Deadline::never()) ==
        os::Exit{137, 0});
  CHECK(runtime->state("host")->phase == ContainerState::Phase::running);
  runtime->remove("host");
  CHECK(fault_of([&] { runtime->exec("host", exec, io, {}, Deadline::in(20s)); }) ==
        Fault::not_found);
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE(
    "kill -9 of slipway: detached containers live on and are found, views end, the next start "
    "sweeps") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto died = os::capture({.argv = {machine.options.supervisor.string(), "die",
                                    machine.options.state.string(), machine.layer.string()}},
                          {}, Deadline::in(60s));
  CHECK(died.exit.signal == SIGKILL);
  auto init = static_cast<pid_t>(std::stoi(died.out));
  auto runtime = make_crun_runtime(machine.options);
  CHECK_FALSE(std::filesystem::exists(machine.options.state / "job/view"));
  CHECK_FALSE(os::start_ticks(init).has_value());
  auto state = runtime->state("kept");
  REQUIRE(state);
  CHECK(state->phase == ContainerState::Phase::running);
  CHECK(
      runtime->exec("kept", {.argv = {"/bin/touch", "/tmp/end"}}, {}, {}, Deadline::in(20s)).ok());
  auto exit = runtime->wait("kept", {}, Deadline::in(20s));
  REQUIRE(exit);
  CHECK(exit->exit == os::Exit{5, 0});
  CHECK(log_of(*state) == "alive\n");
  runtime->remove("kept");
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("a root without a place for changes is read-only, of one layer or of two") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  for (const char* name : {"proc", "sys", "dev"}) os::make_dirs(machine.layer / name);
  auto spec = machine.shell("ro", "touch /tmp/x 2>/dev/null || echo refused");
  spec.rootfs = {.lower = {machine.layer}};
  CHECK(run(*runtime, spec).output == "refused\n");
  os::make_dirs(machine.directory.path() / "empty");
  spec.rootfs.lower.push_back(machine.directory.path() / "empty");
  CHECK(run(*runtime, spec).output == "refused\n");
  spec.rootfs = {.directory = machine.layer, .read_only = true};
  CHECK(run(*runtime, spec).output == "refused\n");
}

TEST_CASE(
    "a device node of the host's disk in a layer cannot be opened, attached or detached, and "
    "neither by exec") {
  NEEDS_CONTAINERS();
  Machine machine;
  struct stat disk {};
  if (::stat("/", &disk) != 0 || ::major(disk.st_dev) == 0)
    return;  // the host's root is on no device
  REQUIRE(::mknod((machine.layer / "disk").c_str(), S_IFBLK | 0666, disk.st_dev) == 0);
  auto runtime = make_crun_runtime(machine.options);
  const char* script =
      "head -c 1 /disk >/dev/null 2>/tmp/why && echo leaked; cat /tmp/why; echo x >/dev/null && "
      "echo works";
  auto ran = run(*runtime, machine.shell("disk-1", script));
  CHECK(ran.output.find("not permitted") != std::string::npos);
  CHECK(ran.output.find("works") != std::string::npos);
  runtime->start(machine.shell("disk-2", "while :; do sleep 1; done"));
  std::string output;
  RunIo io{.sink = [&](std::string_view bytes) { output += bytes; }};
  runtime->exec("disk-2", {.argv = {"/bin/sh", "-c", script}, .env = {{"PATH", "/bin"}}}, io, {},
                Deadline::in(20s));
  CHECK(output.find("not permitted") != std::string::npos);
  runtime->remove("disk-2");
}

TEST_CASE("containers may not make user namespaces or keys") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto runtime = make_crun_runtime(machine.options);
  std::filesystem::create_symlink("busybox", machine.layer / "bin/unshare");
  auto ran =
      run(*runtime, machine.shell("sec", "unshare -U true 2>&1; grep Seccomp: /proc/self/status"));
  CHECK(ran.output.find("Operation not permitted") != std::string::npos);
  CHECK(run(*runtime,
            machine.shell("sec-2", "while read line; do echo $line; done < /proc/self/status"))
            .output.find("Seccomp: 2") != std::string::npos);
}

TEST_CASE("attached containers of a slipway that was killed are swept, with their processes") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto places = Places::of(machine.options);
  auto runtime = make_crun_runtime(machine.options);
  std::stop_source stop;
  auto spec = machine.shell("lost", "echo ready; while :; do sleep 1; done");
  RunIo io{.sink = [&](std::string_view) {
    os::write_file(places.attached / "lost/owner", "1 1");  // as if its owner were dead
    sweep(machine.options);
  }};
  auto exit = runtime->run(spec, io, {}, stop.get_token(), Deadline::in(30s));
  CHECK(exit.exit == os::Exit{137, 0});
  CHECK(leftovers(machine.options).empty());
}
