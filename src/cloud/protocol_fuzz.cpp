// SPDX-License-Identifier: Apache-2.0
#include "cloud/protocol.hpp"

// Query forms: a refusal or a value that can be written as every protocol's answer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::cloud;
  try {
    auto members = decode_query({reinterpret_cast<const char*>(data), size});
    Call call;
    call.operation = "Op";
    ServiceDescription about{.signing_name = "s",
                             .target_prefix = "",
                             .api_version = "",
                             .xml_namespace = "x",
                             .protocol = Protocol::json_1_1,
                             .host_prefixes = {},
                             .action_prefix = ""};
    (void)slipway::formats::parse_json(encode_answer(about, call, members));
  } catch (const Refusal&) {
    // malformed
  }
  return 0;
}
