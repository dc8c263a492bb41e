// SPDX-License-Identifier: Apache-2.0
// What main() is in the real program: the supervisor and the init of containers started by the unit tests. And a slipway that is
// killed: `container_helper die STATE LAYER` starts a detached container "kept" and a view "lost", says so and kills itself.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <string_view>

#include "container/crun_runtime.hpp"
#include "container/host_view.hpp"
#include "os/file.hpp"

namespace {

using namespace slipway;
using namespace slipway::container;

void start_and_die(const std::filesystem::path& state, const std::filesystem::path& layer) {
  RuntimeOptions options{.state = state};
  auto runtime = make_crun_runtime(options);
  for (const char* name : {"upper", "work"}) os::make_dirs(state / name);
  runtime->start({.id = "kept",
                  .rootfs = {.lower = {layer}, .upper = state / "upper", .work = state / "work"},
                  .argv = {"/bin/sh", "-c",
                           "echo alive; while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 5"},
                  .env = {{"PATH", "/bin"}},
                  .mounts = {{.kind = MountPoint::Kind::tmpfs, .target = "/tmp"}}});
  auto directory = state / "job";
  os::make_dirs(directory);
  HostView view(options, {.id = "lost", .directory = directory});
  auto text = std::to_string(view.pid());
  os::write_all(STDOUT_FILENO, text);
  ::raise(SIGKILL);
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "container-shim") return run_shim(argc, argv);
  if (role == "container-init") return run_init(argc, argv);
  if (role == "die" && argc == 4) start_and_die(argv[2], argv[3]);
  return 2;
}
