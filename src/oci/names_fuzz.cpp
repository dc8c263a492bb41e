// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "oci/digest.hpp"
#include "oci/reference.hpp"
#include "oci/registry_auth.hpp"
#include "oci/signature.hpp"

/// Any text is a reference that means the same once it is printed, or an Error{bad_input}; challenges and digests never fail.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace slipway;
  std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(oci::parse_challenges(text));
  static_cast<void>(oci::signed_digest(text));
  static_cast<void>(oci::Digest::try_parse(text));
  try {
    auto reference = oci::Reference::parse(text);
    if (oci::Reference::parse(reference.str()).str() != reference.str()) std::abort();
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_input) std::abort();
  }
  return 0;
}
