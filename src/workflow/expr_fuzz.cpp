// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "workflow/expr.hpp"

// Any text is an expression or not, and any expression has a value or an Error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::workflow;
  static const Contexts contexts = [] {
    Contexts made;
    made.values["github"] = Value::from_json(
        formats::parse_json(R"({"ref":"refs/heads/main","n":3,"list":[1,"a",{"b":[true,null]}]})"));
    made.values["env"] = Value::object({{"A", "x"}}, KeyCase::exact);
    return made;
  }();
  Availability available{{"github", "env"}, {{"always", 0, 0}}};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto parsed = parse_expression(text, available);
  if (const auto* expression = std::get_if<Expression>(&parsed)) {
    try {
      (void)evaluate(*expression, contexts).to_json_text();
    } catch (const Error&) {
      return 0;
    }
  }
  (void)parse_condition(text, available);
  return 0;
}
