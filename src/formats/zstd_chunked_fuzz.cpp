// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "formats/zstd.hpp"
#include "formats/zstd_chunked.hpp"

/// Any bytes are refused with Error{bad_input} or come back as they were.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway::formats;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  StringWriter packed;
  try {
    ZstdChunkedWriter writer(packed, 1, 1);
    for (std::size_t at = 0; at < size; at += 700) writer.write(bytes.substr(at, 700));
    writer.finish();
  } catch (const slipway::Error& error) {
    if (error.fault() != slipway::Fault::bad_input) std::abort();
    return 0;
  }
  MemoryReader memory(packed.text());
  ZstdReader reader(memory);
  if (read_all(reader) != bytes) std::abort();
  return 0;
}
