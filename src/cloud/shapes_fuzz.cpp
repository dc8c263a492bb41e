// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "cloud/protocol.hpp"
#include "cloud/shapes.hpp"

// A JSON body, or a form when it begins with '=', against shapes with every kind of member.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  bool is_query = text.starts_with('=');
  cloud::Call call;
  call.service = is_query ? "iam" : "ecs";
  call.operation = is_query ? "CreateRole" : "RegisterTaskDefinition";
  static cloud::ShapeTables tables;
  try {
    call.input = is_query ? cloud::decode_query(text.substr(1)) : formats::parse_json(text);
    tables.check(call, is_query);
  } catch (const cloud::Refusal&) {  // NOLINT(bugprone-empty-catch)
  } catch (const Error&) {           // NOLINT(bugprone-empty-catch)
  }
  return 0;
}
