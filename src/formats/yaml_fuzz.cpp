// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "formats/yaml.hpp"

/// Any bytes give a tree or a diagnostic, and a tree prints as JSON that reads back.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway::formats;
  YamlDocument document = parse_yaml({reinterpret_cast<const char*>(data), size}, "fuzz.yml");
  if (!document.ok()) return 0;
  duplicate_keys(document.root, "fuzz.yml", KeyComparison::ignoring_case);
  try {
    parse_json(yaml_to_json(document.root).dump());
  } catch (const slipway::Error& error) {
    if (error.fault() != slipway::Fault::bad_input) std::abort();
  }
  return 0;
}
