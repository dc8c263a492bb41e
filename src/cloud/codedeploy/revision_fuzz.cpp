// SPDX-License-Identifier: Apache-2.0
#include "cloud/codedeploy/api.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    (void)slipway::cloud::codedeploy::parse_app_spec({reinterpret_cast<const char*>(data), size});
  } catch (const slipway::cloud::Refusal&) {  // NOLINT(bugprone-empty-catch): the expected answer
  }
  return 0;
}
