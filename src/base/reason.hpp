// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace slipway {

/// What an errno means, in words; for a full disk also how to mend it.
std::string reason_of(int error);

}  // namespace slipway
