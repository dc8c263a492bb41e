// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <vector>

#include "formats/io.hpp"
#include "image/tree.hpp"

namespace slipway::image {

/// Reads an overlay's upper directory as a layer: whiteouts become ".wh." files, opaque directories get ".wh..wh..opq".
Entries read_upper(const std::filesystem::path& upper, const std::stop_token& stop);

/// Writes a layer's files as a tar: parents before what they hold, the second of two names of a file as a hard link.
///   clamp_mtime  later times become this one, seconds since 1970
///   throws       Error{unavailable} when a file changed its size meanwhile; Cancelled
void write_tar(const Entries& entries, formats::Writer& out,
               std::optional<std::int64_t> clamp_mtime, const std::stop_token& stop);

/// Writes a layer's files into the directory `root`, for use as an overlay's lower directory or by a user.
/// Files that are there already are replaced.
///   may_link  files whose `real` is below one of these directories are hard-linked, not copied: nobody changes them
void write_directory(const Entries& entries, const std::filesystem::path& root,
                     const std::vector<std::filesystem::path>& may_link,
                     const std::stop_token& stop);

}  // namespace slipway::image
