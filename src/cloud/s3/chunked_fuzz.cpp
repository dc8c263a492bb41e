// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "cloud/s3/door.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  slipway::formats::MemoryReader body({reinterpret_cast<const char*>(data), size});
  try {
    auto reader = slipway::cloud::s3::chunked_body(body);
    std::string buffer(100, '\0');
    std::size_t all = 0;
    while (std::size_t got = reader->read(buffer)) all += got;
    if (all > size) __builtin_trap();
  } catch (const slipway::Error&) {  // NOLINT(bugprone-empty-catch): the expected answer
  }
  return 0;
}
