// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/error.hpp"
#include "os/drain.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"
#include "os/process.hpp"
#include "os/user_namespace.hpp"

using namespace slipway;
using namespace slipway::os;

TEST_CASE("a command's output and exit code come back") {
  auto result = capture({.argv = {"sh", "-c", "cat; echo err >&2; exit 3"}}, {},
                        Deadline::in(std::chrono::seconds(10)), "in\n");
  CHECK(result.out == "in\n");
  CHECK(result.err == "err\n");
  CHECK(result.exit == Exit{3, 0});
}

TEST_CASE("a process past its deadline is terminated, and killed after the grace") {
  auto process = Process::spawn(
      {.argv = {"sh", "-c", "trap '' TERM; echo up; while :; do read x < /dev/zero; done"}});
  std::string out;
  CHECK_THROWS_AS(
      process.run({}, Deadline::in(std::chrono::milliseconds(50)), std::chrono::milliseconds(50),
                  [&](std::string_view chunk) { out += chunk; }),
      Error);
}

TEST_CASE("whoever writes to an output that is drained neither waits nor dies of it") {
  Drain drain;
  for (int i = 0; i < 2; ++i) {
    auto pipe = make_pipe();
    auto writer = Process::spawn(
        {.argv = {"head", "-c", "1000000", "/dev/zero"}, .stdout_fd = pipe.write.get()});
    pipe.write.reset();
    drain.take(std::move(pipe.read));
    CHECK(writer.wait({}, Deadline::in(std::chrono::seconds(30))) == Exit{});
  }
}

TEST_CASE("stopping cancels a running process") {
  std::stop_source stop;
  auto process = Process::spawn({.argv = {"sh", "-c", "echo up; exec cat /dev/zero > /dev/null"}});
  pid_t pid = process.pid();
  CHECK_THROWS_AS(process.run(stop.get_token(), Deadline::never(), std::chrono::seconds(5),
                              [&](std::string_view) { stop.request_stop(); }),
                  Cancelled);
  CHECK_FALSE(start_ticks(pid));
}

TEST_CASE("a file of a process that has ended since it was opened is not found") {
  auto process = Process::spawn({.argv = {"cat"}, .stdin_fd = make_pipe().read.get()});
  Fd stat = open_file(fmt::format("/proc/{}/stat", process.pid()), O_RDONLY);
  process.wait({}, Deadline::never());
  try {
    read_all(stat.get());
    FAIL("read");
  } catch (const Error& error) {
    CHECK(error.fault() == Fault::not_found);
  }
}

TEST_CASE("a program that does not exist is named") {
  CHECK_THROWS_WITH(Process::spawn({.argv = {"no-such-program-x"}}),
                    "no program 'no-such-program-x' on this machine");
}

TEST_CASE("the environment, directory and extra descriptors are the ones asked for") {
  TempDir dir;
  Pipe pipe = make_pipe();
  auto process = Process::spawn({.argv = {"sh", "-c", "echo $A $(pwd) >&7"},
                                 .env = {{{"A", "1"}, {"PATH", "/usr/bin:/bin"}}},
                                 .cwd = dir.path().string(),
                                 .inherit = {{pipe.write.get(), 7}}});
  pipe.write.reset();
  CHECK(process.run({}, Deadline::in(std::chrono::seconds(10)), std::chrono::seconds(1)).ok());
  CHECK(read_all(pipe.read.get()) == "1 " + dir.path().string() + "\n");
}

TEST_CASE("files are replaced whole and trees removed without following links") {
  TempDir dir;
  auto file = dir.path() / "f";
  write_file_durably(file, "one");
  write_file_durably(file, "two");
  CHECK(read_file(file) == "two");
  CHECK_FALSE(read_file_if_exists(dir.path() / "none"));
  make_dirs(dir.path() / "t/deep");
  write_file(dir.path() / "t/deep/x", "x");
  std::filesystem::create_symlink(file, dir.path() / "t/link");
  std::filesystem::permissions(dir.path() / "t/deep", std::filesystem::perms::none);
  remove_tree(dir.path() / "t");
  CHECK_FALSE(std::filesystem::exists(dir.path() / "t"));
  CHECK(read_file(file) == "two");
}

TEST_CASE("a lock is held by one at a time") {
  TempDir dir;
  auto first = FileLock::try_take(dir.path() / "lock");
  REQUIRE(first);
  CHECK_FALSE(FileLock::try_take(dir.path() / "lock"));
  std::stop_source stop;
  std::jthread impatient(
      [&] { CHECK_THROWS_AS(FileLock::take(dir.path() / "lock", stop.get_token()), Cancelled); });
  stop.request_stop();
  impatient.join();
  std::jthread patient([&] { FileLock::take(dir.path() / "lock", {}); });
  first.reset();
  patient.join();
  CHECK(FileLock::try_take(dir.path() / "lock"));
}

TEST_CASE("what a killed process left in memory goes with the next one's, what lives stays") {
  if (!std::filesystem::is_directory("/dev/shm")) return;
  auto process = Process::spawn({.argv = {"true"}});
  pid_t dead = process.pid();
  process.wait({}, Deadline::in(std::chrono::seconds(20)));
  std::filesystem::path left = fmt::format("/dev/shm/slipway-memory-{}-1-abcdef", dead);
  std::filesystem::path other = fmt::format("/dev/shm/slipway-memory-{}-x-abcdef", dead);
  make_dirs(left / "deep");
  make_dirs(other);
  write_file(left / "secret", "s");
  TempDir first = TempDir::in_memory();
  write_file(first.path() / "secret", "s");
  CHECK_FALSE(std::filesystem::exists(left));
  CHECK(std::filesystem::exists(other));  // no name of ours
  TempDir moved(std::move(first));
  TempDir second = TempDir::in_memory();
  remove_abandoned_memory();
  CHECK(read_file(moved.path() / "secret") == "s");
  CHECK(second.path() != moved.path());
  remove_tree(other);
}

TEST_CASE(
    "an overlay shows its layers, one of them twice, and keeps writes in the upper directory") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: mounting needs root");
    return;
  }
  TempDir dir("/dev/shm");
  for (const char* name : {"a", "b:,x", "up", "work", "at"}) make_dirs(dir.path() / name);
  write_file(dir.path() / "a/f", "a");
  write_file(dir.path() / "b:,x/f", "b");
  write_file(dir.path() / "b:,x/g", "g");
  {
    mount_overlay({{dir.path() / "a", dir.path() / "b:,x", dir.path() / "a"},
                   dir.path() / "up",
                   dir.path() / "work"},
                  dir.path() / "at");
    Mount mount(dir.path() / "at");
    CHECK(read_file(dir.path() / "at/f") == "a");
    CHECK(read_file(dir.path() / "at/g") == "g");
    write_file(dir.path() / "at/h", "h");
    CHECK(mounts_below(dir.path()).size() == 1);
  }
  CHECK(mounts_below(dir.path()).empty());
  CHECK(read_file(dir.path() / "up/h") == "h");
}

TEST_CASE("a user's ranges of ids are found by name and number; what is no range is left out") {
  using Ranges = std::vector<slipway::os::IdRange>;
  std::string text =
      "ann:100000:65536\n# bob:1:1\nbob:200000:10\n1000:300000:5\nann:x:5\nann:5\nann:0:9\n"
      "ann:4294967295:9\n";
  CHECK(slipway::os::id_ranges(text, "ann", 1) == Ranges{{100000, 65536}});
  CHECK(slipway::os::id_ranges(text, "bob", 1000) == Ranges{{200000, 10}, {300000, 5}});
  CHECK(slipway::os::id_ranges(text, "", 7).empty());
}
