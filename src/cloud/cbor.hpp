// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "formats/json.hpp"

namespace slipway::cloud {

/// A CBOR item as JSON: byte strings are texts, tagged times the numbers that they hold, undefined is null.
///   throws  Error{bad_input}
///   source  RFC 8949; Smithy 2.0, "RPC v2 CBOR protocol"
formats::Json parse_cbor(std::string_view bytes);
/// JSON as CBOR. Numbers under a name that ends with "Timestamp" or "Timestamps" become times (tag 1, epoch seconds).
std::string print_cbor(const formats::Json& value);

}  // namespace slipway::cloud
