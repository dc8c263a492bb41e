// SPDX-License-Identifier: Apache-2.0
#include "workflow/run_store.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "base/error.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"
#include "os/process.hpp"
#include "workflow/scratch.hpp"

using namespace slipway;
using namespace slipway::workflow;

TEST_CASE(
    "a run whose process died is told as lost, its books are ended and its jobs' files are gone") {
  os::TempDir directory;
  RunStore store(directory.path());
  std::string id;
  {
    auto writer = store.create({.workflow = "one"});
    id = writer->record().id;
  }
  // Another process began it, and that one is dead.
  auto dead = os::Process::spawn({.argv = {"true"}});
  auto pid = dead.pid();
  dead.wait({}, Deadline::never());
  auto record = *store.find(id);
  record.pid = pid;
  record.process_start = "1";
  os::write_file(store.directory_of(id) / "run.json", to_json(record).dump());
  os::make_dirs(store.directory_of(id) / "jobs/test/work");
  CHECK(store.find(id)->conclusion == "lost");

  store.sweep();
  CHECK(!std::filesystem::exists(store.directory_of(id) / "jobs"));
  CHECK(store.find(id)->conclusion == "lost");
  CHECK(store.find(id)->ended_ms >= record.started_ms);
  auto events = os::read_file(store.directory_of(id) / "events.jsonl");
  CHECK(events.find(R"("type":"run_finished")") != std::string::npos);
  store.sweep();
  CHECK(os::read_file(store.directory_of(id) / "events.jsonl") == events);  // once is enough
}

TEST_CASE("a run that goes on is left alone by the sweep") {
  os::TempDir directory;
  RunStore store(directory.path());
  auto writer = store.create({.workflow = "one"});
  os::make_dirs(writer->directory() / "jobs");
  store.sweep();
  CHECK(std::filesystem::exists(writer->directory() / "jobs"));
  CHECK(store.find(writer->record().id)->conclusion.empty());
}

TEST_CASE("scratch space takes half of the memory that is left, and none when there is little") {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
  CHECK(memory_for_scratch(20 * kGiB, 0) == 10 * kGiB);
  CHECK(memory_for_scratch(20 * kGiB, 10 * kGiB) ==
        5 * kGiB);  // what another run may still take is not there
  CHECK(!memory_for_scratch(5 * kGiB, 0));
  CHECK(!memory_for_scratch(20 * kGiB, 30 * kGiB));
  CHECK_THROWS_AS(parse_scratch("ram"), Error);
}

TEST_CASE("scratch space in memory is mounted, and is gone with its files at the end") {
  if (::geteuid() != 0) {
    MESSAGE("needs root");
    return;
  }
  os::TempDir directory;
  auto jobs = directory.path() / "1/jobs";
  {
    ScratchSpace scratch(jobs, ScratchKind::memory);
    CHECK(scratch.is_in_memory());
    CHECK(os::mounts_below(jobs).size() == 1);
    os::write_file(jobs / "file", "text");
    CHECK(scratch_complaint(jobs).empty());
  }
  CHECK(!std::filesystem::exists(jobs));
  CHECK(os::mounts_below(directory.path()).empty());
  ScratchSpace disk(jobs, ScratchKind::disk);
  CHECK(!disk.is_in_memory());
}
