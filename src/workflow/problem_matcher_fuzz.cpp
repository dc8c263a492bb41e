// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/problem_matcher.hpp"

using namespace slipway;
using namespace slipway::workflow;

// The first line is a file of matchers, the rest is output.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto end = text.find('\n');
  MatcherSet set;
  try {
    set.add(read_matchers(formats::parse_json(text.substr(0, end))));
  } catch (const Error&) {
    return 0;
  }
  if (end == std::string_view::npos) return 0;
  MatcherRun run(set);
  for (auto line : lines_of(text.substr(end + 1))) run.take(line);
  return 0;
}
