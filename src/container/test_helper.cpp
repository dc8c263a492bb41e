// SPDX-License-Identifier: Apache-2.0
// What main() is in the real program: the supervisor and the init of containers started by the unit tests.
#include <cstring>

#include "container/crun_runtime.hpp"
#include "container/host_view.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "container-shim") == 0) return slipway::container::run_shim(argc, argv);
  if (argc > 1 && std::strcmp(argv[1], "container-init") == 0) return slipway::container::run_init(argc, argv);
  return 2;
}
