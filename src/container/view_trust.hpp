// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string_view>

#include "container/view_root.hpp"

namespace slipway::container {

/// Makes programs in a view trust further certificates (PEM): in the system's bundle, in OpenSSL's directory of hashes, and where
/// update-ca-certificates will take them from again.
void trust(ViewRoot& root, std::string_view certificates);

}  // namespace slipway::container
