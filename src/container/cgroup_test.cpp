// SPDX-License-Identifier: Apache-2.0
#include "container/cgroup.hpp"

#include <doctest/doctest.h>

#include "os/file.hpp"

using namespace slipway;
using namespace slipway::container;

TEST_CASE("the layout is told by what is mounted") {
  os::TempDir root;
  auto& path = root.path();
  CHECK(cgroup_layout(path) == CgroupLayout::none);
  os::make_dirs(path / "memory");
  CHECK(cgroup_layout(path) == CgroupLayout::v1);
  os::make_dirs(path / "unified");
  os::write_file(path / "unified/cgroup.controllers", "\n");
  CHECK(cgroup_layout(path) == CgroupLayout::hybrid);
  os::write_file(path / "unified/cgroup.controllers", "hugetlb\n");
  CHECK(cgroup_layout(path) == CgroupLayout::mixed);
  os::write_file(path / "cgroup.controllers", "cpu memory\n");
  CHECK(cgroup_layout(path) == CgroupLayout::v2);
}

TEST_CASE("usage is read from cgroup v1 and v2 alike") {
  os::TempDir root;
  auto v1 = root.path() / "v1";
  os::make_dirs(v1 / "memory/slipway/a/c");
  os::make_dirs(v1 / "cpuacct/slipway/a/c");
  os::write_file(v1 / "memory/slipway/a/c/memory.usage_in_bytes", "4096\n");
  os::write_file(v1 / "memory/slipway/a/c/memory.oom_control",
                 "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  os::write_file(v1 / "cpuacct/slipway/a/c/cpuacct.usage", "77\n");
  auto used = usage(cgroup_path("a", "c"), v1);
  CHECK(used.memory_bytes == 4096);
  CHECK(used.cpu_nanoseconds == 77);
  CHECK(used.out_of_memory_kills == 2);
  CHECK_FALSE(used.pids.has_value());
  auto v2 = root.path() / "v2";
  os::make_dirs(v2 / "slipway/a/c");
  os::write_file(v2 / "cgroup.controllers", "memory\n");
  os::write_file(v2 / "slipway/a/c/memory.current", "8192\n");
  os::write_file(v2 / "slipway/a/c/memory.events", "low 0\noom 1\noom_kill 1\n");
  os::write_file(v2 / "slipway/a/c/cpu.stat", "usage_usec 5\nuser_usec 1\n");
  used = usage(cgroup_path("a", "c"), v2);
  CHECK(used.memory_bytes == 8192);
  CHECK(used.cpu_nanoseconds == 5000);
  CHECK(used.out_of_memory_kills == 1);
}
