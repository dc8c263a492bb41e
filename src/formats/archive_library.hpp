// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <archive.h>
#include <archive_entry.h>

#include "base/library.hpp"

namespace slipway::formats {

/// What we call of libarchive, by its names without "archive_". It is loaded with the first archive: it brings a dozen libraries along.
struct Archives {
  Library library{"libarchive.so.13"};
#define SLIPWAY_ARCHIVE(name) \
  decltype(&::archive_##name) name = library.find<decltype(&::archive_##name)>("archive_" #name)
  SLIPWAY_ARCHIVE(entry_filetype);
  SLIPWAY_ARCHIVE(entry_free);
  SLIPWAY_ARCHIVE(entry_mtime);
  SLIPWAY_ARCHIVE(entry_new);
  SLIPWAY_ARCHIVE(entry_pathname);
  SLIPWAY_ARCHIVE(entry_pathname_utf8);
  SLIPWAY_ARCHIVE(entry_perm);
  SLIPWAY_ARCHIVE(entry_set_filetype);
  SLIPWAY_ARCHIVE(entry_set_mtime);
  SLIPWAY_ARCHIVE(entry_set_pathname_utf8);
  SLIPWAY_ARCHIVE(entry_set_perm);
  SLIPWAY_ARCHIVE(entry_set_size);
  SLIPWAY_ARCHIVE(entry_size);
  SLIPWAY_ARCHIVE(error_string);
  SLIPWAY_ARCHIVE(read_data);
  SLIPWAY_ARCHIVE(read_free);
  SLIPWAY_ARCHIVE(read_new);
  SLIPWAY_ARCHIVE(read_next_header);
  SLIPWAY_ARCHIVE(read_open_filename);
  SLIPWAY_ARCHIVE(read_support_filter_all);
  SLIPWAY_ARCHIVE(read_support_format_raw);
  SLIPWAY_ARCHIVE(read_support_format_zip_seekable);
  SLIPWAY_ARCHIVE(write_close);
  SLIPWAY_ARCHIVE(write_data);
  SLIPWAY_ARCHIVE(write_free);
  SLIPWAY_ARCHIVE(write_header);
  SLIPWAY_ARCHIVE(write_new);
  SLIPWAY_ARCHIVE(write_open_filename);
  SLIPWAY_ARCHIVE(write_set_format_option);
  SLIPWAY_ARCHIVE(write_set_format_zip);
#undef SLIPWAY_ARCHIVE
};

/// throws Error{unavailable} where libarchive is not installed
inline const Archives& archives() {
  static const Archives kLoaded;
  return kLoaded;
}

}  // namespace slipway::formats
