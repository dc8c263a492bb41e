// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "formats/tar.hpp"

/// Any bytes are entries or an Error{bad_input}; a small sparse file may claim a large size, so
/// little is read of each.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway::formats;
  MemoryReader memory({reinterpret_cast<const char*>(data), size});
  TarReader reader(memory);
  try {
    while (auto entry = reader.next()) {
      LimitedReader some(reader.content(), 1U << 16);
      CountingWriter counter;
      copy_all(some, counter);
    }
  } catch (const slipway::Error& error) {
    if (error.fault() != slipway::Fault::bad_input) std::abort();
  }
  return 0;
}
