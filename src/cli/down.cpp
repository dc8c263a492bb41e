// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "base/error.hpp"
#include "cli/verbs.hpp"
#include "container/crun_runtime.hpp"
#include "container/leftovers.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

int down(const Invocation& given, Surroundings& around) {
  auto process = os::Process::spawn(
      {.argv = {"/proc/self/exe", "--state", around.state.string(), "cloud", "stop"},
       .stdout_fd = STDERR_FILENO,
       .stderr_fd = STDERR_FILENO});
  if (auto exit = process.run(around.stop, Deadline::never(), std::chrono::seconds(60)); !exit.ok())
    return exit.status();
  auto left = container::remove_everything({.state = around.state});
  formats::Json list = formats::Json::array();
  for (const auto& item : left) {
    list.push_back(container::to_string(item));
    print_error("slipway: could not remove " + container::to_string(item) + "\n");
  }
  if (given.has("--purge")) {
    for (const char* name :
         {"cloud", "oidc", "runs", "network", "containers", "groups", "cache", "images",
          "ledger.db", "ledger.key", "attestations", "ledger.db-wal", "ledger.db-shm"}) {
      os::remove_tree(around.state / name);
    }
  }
  if (around.json) print(formats::Json::object({{"left", list}}).dump() + "\n");
  return left.empty() ? 0 : 3;
}

}  // namespace

Verb down_verb() {
  return {.name = "down",
          .usage = "[--purge]",
          .summary = "stops everything that up started",
          .options = {{"--purge", Option::Kind::flag, "", "forget its data too"}},
          .max_arguments = 0,
          .run = down};
}

}  // namespace slipway::cli
