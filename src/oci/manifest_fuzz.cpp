// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "oci/manifest.hpp"

namespace {

using namespace slipway::oci;

// What was read must survive being printed and read again.
template <typename Value>
void check_printed(const Value& value, Value (*parse)(std::string_view)) {
  std::string bytes = print(value);
  if (!(parse(bytes) == value)) std::abort();
}

}  // namespace

/// Any bytes are a manifest, an index or a configuration, or an Error{bad_input}.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    auto document = parse_manifest_or_index(bytes);
    if (const auto* manifest = std::get_if<Manifest>(&document)) {
      check_printed(*manifest, &parse_manifest);
    } else {
      check_printed(std::get<Index>(document), &parse_index);
      static_cast<void>(select(std::get<Index>(document), Platform::host()));
    }
  } catch (const slipway::Error& error) {
    if (error.fault() != slipway::Fault::bad_input) std::abort();
  }
  try {
    check_printed(parse_image_config(bytes), &parse_image_config);
  } catch (const slipway::Error& error) {
    if (error.fault() != slipway::Fault::bad_input) std::abort();
  }
  return 0;
}
