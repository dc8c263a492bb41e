// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

namespace slipway {

/// "%41" as "A"; what is no such pair stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace slipway
