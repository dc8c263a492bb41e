// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "image/graph.hpp"

// Any text is parsed, sorted into stages and planned without a crash or an endless loop.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto parsed = parse_dockerfile(text, "Dockerfile");
  for (const auto& error : parsed.diagnostics) with_source(error, text);
  Arguments arguments{.given = {{"A", "1"}}};
  auto list = read_stages(parsed, "Dockerfile", arguments);
  if (!list.errors.empty()) return 0;
  std::vector<PlannedStage> done(list.stages.size());
  for (int number : list.needed) {
    const auto& stage = list.stages[static_cast<std::size_t>(number)];
    if (!stage.platform.empty()) continue;  // oci::Platform::parse throws for what is none
    const PlannedStage* below =
        stage.base_stage ? &done[static_cast<std::size_t>(*stage.base_stage)] : nullptr;
    auto plan = plan_stage(list, number, arguments, below, std::nullopt);
    for (const auto& step : plan.steps) fingerprint(step);
    done[static_cast<std::size_t>(number)] = std::move(plan);
  }
  return 0;
}
