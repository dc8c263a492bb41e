// SPDX-License-Identifier: Apache-2.0
#include "cloud/sigv4.hpp"

// Authorization headers and presigned queries: reading and checking never crash, and a random one never verifies.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string text(reinterpret_cast<const char*>(data), size);
  auto half = text.find('\n');
  net::Headers headers = {{"Host", "h"}, {"X-Amz-Date", "20260101T000000Z"}};
  if (half != std::string::npos) headers.set("Authorization", text.substr(0, half));
  cloud::SignedRequest request{
      "GET", "/",
      half == std::string::npos ? std::string_view(text) : std::string_view(text).substr(half + 1),
      headers, ""};
  auto read = cloud::read_signature(request);
  if (auto* claim = std::get_if<cloud::SignatureClaim>(&read)) {
    if (!cloud::check_signature(*claim, request, "a secret that the input cannot know",
                                *formats::parse_aws_date("20260101T000100Z")))
      __builtin_trap();
  }
  return 0;
}
