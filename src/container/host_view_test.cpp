// SPDX-License-Identifier: Apache-2.0
#include "container/host_view.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/leftovers.hpp"
#include "container/test_machine.hpp"
#include "container/view_root.hpp"

using namespace slipway;
using namespace slipway::container;
using namespace std::chrono_literals;
using testing::Machine;

namespace {

constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

HostViewOptions options_of(const Machine& machine, const std::string& id) {
  auto directory = machine.directory.path() / id;
  os::make_dirs(directory);
  return {.id = id, .directory = directory};
}

struct Said {
  os::Exit exit;
  std::string output;
};

Said shell(HostView& view, const std::string& script, std::map<std::string, std::string> env = {}) {
  Said said;
  env.emplace("PATH", kPath);
  said.exit = view.exec({.argv = {"sh", "-c", script}, .env = std::move(env)},
                        {.sink = [&](std::string_view bytes) { said.output += bytes; }}, {});
  return said;
}

}  // namespace

TEST_CASE(
    "a view is the host without its secrets, and what is done in it does not reach the host") {
  NEEDS_CONTAINERS();
  Machine machine;
  os::write_file(machine.options.state / "secret", "x");
  auto workspace = machine.directory.path() / "work";
  os::make_dirs(workspace);
  os::write_file("/tmp/slipway-host-view-test", "host");
  auto options = options_of(machine, "view-1");
  options.mounts = {{.source = workspace, .target = "/home/runner/work"}};
  {
    HostView view(machine.options, options);
    CHECK(shell(view, "ls /usr/bin | head -1").exit.ok());
    CHECK(shell(view, "ls -A /root /tmp").output.find("slipway") == std::string::npos);
    CHECK(shell(view, "ls -A /root").output.empty());
    CHECK(shell(view, fmt::format("ls -A {}", machine.options.state.string())).exit.ok() == false);
    CHECK(
        shell(view,
              "rm -rf /usr/share/doc /etc/passwd; echo new > /etc/slipway-new; test -e /etc/passwd")
            .exit.code == 1);
    CHECK(shell(view, "echo kept > /home/runner/work/file; hostname").output == "runner\n");
    CHECK(shell(view, "sudo -E A=b sh -c 'echo $A; id -u'").output == "b\n0\n");
    CHECK(os::read_file(view.outside("/home/runner/work/file")) == "kept\n");
    CHECK(os::read_file(view.outside("/etc/slipway-new")) == "new\n");
    CHECK(view.find_program("sh", kPath) == std::optional<std::string>("/usr/bin/sh"));
    CHECK_FALSE(view.find_program("no-such-program", kPath).has_value());
    CHECK(shell(view, "ps 2>/dev/null >/dev/null; ls -d /proc/[0-9]* | wc -l").output.size() <= 3);
  }
  CHECK(os::read_file(workspace / "file") == "kept\n");
  CHECK(std::filesystem::exists("/etc/passwd"));
  CHECK_FALSE(std::filesystem::exists("/etc/slipway-new"));
  CHECK_FALSE(std::filesystem::exists(options.directory / "view"));
  CHECK(leftovers(machine.options).empty());
  std::filesystem::remove("/tmp/slipway-host-view-test");
}

TEST_CASE(
    "commands in a view have exits, signals, users, environments and directories of their own") {
  NEEDS_CONTAINERS();
  Machine machine;
  HostView view(machine.options, options_of(machine, "view-2"));
  CHECK(shell(view, "exit 5").exit == os::Exit{5, 0});
  CHECK(shell(view, "kill -9 $$").exit == os::Exit{0, SIGKILL});
  CHECK(shell(view, "echo $A; env | wc -l", {{"A", "b"}, {"PWD", "/"}}).output.starts_with("b\n"));
  CHECK(shell(view, "echo out; echo err >&2").output == "out\nerr\n");
  std::string output;
  RunIo io{.sink = [&](std::string_view bytes) { output += bytes; }};
  CHECK(view.exec({.argv = {"/usr/bin/id", "-u"}, .cwd = "/tmp", .user = {1000, 1000, {}}}, io, {})
            .ok());
  CHECK(output == "1000\n");
  CHECK_THROWS_AS(view.exec({.argv = {"no-such-program"}}, io, {}), Error);
  CHECK_THROWS_AS(view.exec({.argv = {"/bin/true"}, .cwd = "/no/such"}, io, {}), Error);
  CHECK(shell(view, "(sleep 100 &) ; echo done").output == "done\n");
  std::string big(300000, 'x');
  CHECK(shell(view, "echo ${#BIG1}", {{"BIG1", big.substr(0, 100000)}}).output == "100000\n");
  output.clear();
  view.exec({.argv = {"/usr/bin/head", "-c", "5000000", "/dev/zero"}}, io, {});
  CHECK(output.size() == 5000000);
}

TEST_CASE("a stopped command gets its signals in order, and is killed") {
  NEEDS_CONTAINERS();
  Machine machine;
  HostView view(machine.options, options_of(machine, "view-3"));
  std::stop_source stop;
  std::string output;
  RunIo io{.sink = [&](std::string_view bytes) {
    output += bytes;
    stop.request_stop();
  }};
  ExecSpec exec{
      .argv =
          {"/bin/sh", "-c",
           "trap 'echo int' INT; trap 'echo term' TERM; echo ready; while :; do sleep 0.02; done"},
      .env = {{"PATH", kPath}},
      .stop_steps = {.after_interrupt = 300ms, .after_terminate = 300ms}};
  CHECK(view.exec(exec, io, stop.get_token()) == os::Exit{0, SIGKILL});
  CHECK(output.starts_with("ready\nint\n"));  // the shell may say that its sleep was terminated
  CHECK(output.ends_with("term\n"));
}

TEST_CASE("many commands at a time in one view") {
  NEEDS_CONTAINERS();
  Machine machine;
  HostView view(machine.options, options_of(machine, "view-4"));
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k)
        good += shell(view, fmt::format("echo {}", i)).output == fmt::format("{}\n", i);
    });
  }
  threads.clear();
  CHECK(good == 40);
}

TEST_CASE("certificates given to a view are trusted by its bundle") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto options = options_of(machine, "view-5");
  auto made = os::capture({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                                    "/dev/null", "-subj", "/CN=slipway test", "-days", "1"}},
                          {}, Deadline::in(20s));
  REQUIRE(made.exit.ok());
  options.trusted_certificates = made.out;
  HostView view(machine.options, options);
  os::write_file(view.outside("/tmp/ca.pem"), made.out);
  CHECK(shell(view, "openssl verify /tmp/ca.pem").output == "/tmp/ca.pem: OK\n");
  CHECK(shell(view, "openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /tmp/ca.pem")
            .exit.ok());
}

TEST_CASE("a view that cannot be made says why and leaves nothing") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto options = options_of(machine, "view-6");
  options.network = {.kind = NetworkChoice::Kind::joined, .path = "/run/netns/no-such-namespace"};
  CHECK_THROWS_AS(HostView(machine.options, options), Error);
  CHECK_FALSE(std::filesystem::exists(options.directory / "view"));
  CHECK(leftovers(machine.options).empty());
}

TEST_CASE("only real file systems of the host belong into a view") {
  auto found = further_file_systems(
      "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "2 1 8:2 / /var rw shared:1 - xfs /dev/sda2 rw\n"
      "3 1 8:3 / /home rw - ext4 /dev/sda3 rw\n"
      "4 1 0:5 / /proc rw - proc proc rw\n"
      "5 2 8:4 / /var/lib/data rw - btrfs /dev/sda4 rw\n"
      "6 1 8:5 / /mnt/with\\040space rw - ext4 /dev/sda5 rw\n");
  CHECK(found == std::vector<std::filesystem::path>{"/var", "/var/lib/data"});
}

TEST_CASE("a view is of use although its runtime is slow to write down its process") {
  NEEDS_CONTAINERS();
  Machine machine;
  auto slow = machine.directory.path() / "slow-runtime";
  os::write_file(slow,
                 fmt::format("#!/bin/bash\nargs=()\nfor a; do case $a in */pid) "
                             "args+=(\"$a.late\");; *) args+=(\"$a\");; esac; done\n"
                             "exec {} \"${{args[@]}}\"\n",
                             machine.options.program),
                 0755);
  machine.options.program = slow.string();
  HostView view(machine.options, options_of(machine, "view-slow"));
  REQUIRE(view.pid() > 0);
  CHECK(view.find_program("sh", kPath) == std::optional<std::string>("/usr/bin/sh"));
  CHECK(shell(view, "echo here").output == "here\n");
}
