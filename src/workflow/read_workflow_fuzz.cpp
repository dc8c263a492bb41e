// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "workflow/lint.hpp"
#include "workflow/plan.hpp"
#include "workflow/read_workflow.hpp"

// Any text is a workflow or has diagnostics; one that is read can be planned and held against the rules.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::workflow;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)read_action(text, "action.yml");
  auto read = read_workflow(text, "fuzz.yml");
  if (!read.ok()) return 0;
  (void)lint(text, "fuzz.yml", {});
  Event event;
  event.ref = "refs/heads/main";
  event.repository = "owner/name";
  event.payload = formats::Json::object();
  try {
    (void)to_json(plan({std::make_shared<const Workflow>(std::move(read.workflow))}, event, {}))
        .dump();
  } catch (const Error&) {
    return 0;
  }
  return 0;
}
