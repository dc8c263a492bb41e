// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "formats/json.hpp"
#include "ledger/ledger.hpp"

namespace slipway::ledger {

/// What to_json(release) printed, read again.
Release release_from_json(const formats::Json& json);
formats::Json images_to_json(const std::vector<ReleasedImage>& images);
std::vector<ReleasedImage> images_from_json(const formats::Json& list);

}  // namespace slipway::ledger
