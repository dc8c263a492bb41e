// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "formats/json.hpp"
#include "oci/manifest.hpp"

namespace slipway::oci {

// Between the values of manifest.hpp and their JSON, for the files of this room that keep more than
// one value in a text.
formats::Json to_json(const Descriptor& descriptor);
formats::Json to_json(const Platform& platform);
/// throws Error{bad_input} naming the field
Descriptor descriptor_from(const formats::Json& json);

}  // namespace slipway::oci
