// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

#include "formats/json.hpp"
#include "ledger/ledger.hpp"

namespace slipway::ledger {

/// What to_json(release) printed, read again.
Release release_from_json(const formats::Json& json);
/// What an entry says of its release: `kind` "release.begun" makes it, the others change it.
void apply_entry(Release& release, std::int64_t number, const std::string& kind,
                 const formats::Json& body);
formats::Json images_to_json(const std::vector<ReleasedImage>& images);
std::vector<ReleasedImage> images_from_json(const formats::Json& list);

}  // namespace slipway::ledger
