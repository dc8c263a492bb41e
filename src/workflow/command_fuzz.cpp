// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "workflow/command.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(bytes), size);
  using namespace slipway::workflow;
  auto command = parse_command(input, registered_commands());
  if (command && !registered_commands().contains(command->name)) std::abort();
  if (command && !may_hold_command(input)) std::abort();
  return 0;
}
