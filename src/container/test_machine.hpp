// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "container/crun_runtime.hpp"
#include "container/leftovers.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::container::testing {

/// A state directory and a layer with busybox in it, for tests that start real containers.
struct Machine {
  os::TempDir directory;
  std::filesystem::path layer = directory.path() / "layer";
  RuntimeOptions options{.state = directory.path() / "state",
                         .supervisor = std::filesystem::canonical("/proc/self/exe").parent_path() /
                                       "container_helper"};

  Machine() {
    os::make_dirs(options.state);
    os::make_dirs(layer / "bin");
    os::make_dirs(layer / "etc");
    os::make_dirs(layer / "tmp");
    os::write_file(layer / "etc/passwd",
                   "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
    os::write_file(layer / "etc/group", "root:x:0:\napp:x:1000:\n");
    auto busybox = os::find_program("busybox");
    REQUIRE(busybox);
    std::filesystem::copy_file(*busybox, layer / "bin/busybox");
    for (const char* name :
         {"sh",   "cat",  "echo", "sleep",    "id",    "env",  "ls",       "mknod",
          "dd",   "head", "kill", "true",     "touch", "tail", "hostname", "pwd",
          "wget", "nc",   "ip",   "nslookup", "mkdir", "test", "ps",       "readlink"}) {
      std::filesystem::create_symlink("busybox", layer / "bin" / name);
    }
  }

  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() {
    auto left = remove_everything(options);
    CHECK(left.empty());
  }

  /// A container of the layer that runs a shell script.
  [[nodiscard]] ContainerSpec shell(const std::string& id, const std::string& script) const {
    auto place = directory.path() / ("upper-" + id);
    os::make_dirs(place / "upper");
    os::make_dirs(place / "work");
    return {.id = id,
            .rootfs = {.lower = {layer}, .upper = place / "upper", .work = place / "work"},
            .argv = {"/bin/sh", "-c", script},
            .env = {{"PATH", "/bin"}}};
  }
};

/// What keeps this machine from starting containers; empty: nothing does.
inline std::string why_no_containers() {
  if (::geteuid() != 0) return "not root";
  if (!os::find_program("crun")) return "no crun";
  if (!os::find_program("busybox")) return "no busybox";
  return {};
}

}  // namespace slipway::container::testing

/// Leaves the test, saying why, on machines that cannot start containers.
#define NEEDS_CONTAINERS()                                                         \
  if (auto why = slipway::container::testing::why_no_containers(); !why.empty()) { \
    MESSAGE("skipped: " << why);                                                   \
    return;                                                                        \
  }
