// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>

#include "formats/json.hpp"

namespace slipway::cloud {

/// What exists in a cloud's state file and in what state it is: [{kind, scope, id, state}]. Reads only; the cloud may be running.
formats::Json status_of(const std::filesystem::path& state_file);

}  // namespace slipway::cloud
