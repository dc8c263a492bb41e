// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/stat.h>

#include <ctime>
#include <memory>
#include <mutex>

#include "oci/blob_store.hpp"

namespace slipway::oci {

/// index.json as it was when last read; every change of it is a rename, so its inode and times
/// tell.
struct BlobStore::Names {
  std::mutex mutex;
  ino_t inode = 0;      // guarded by mutex
  timespec modified{};  // guarded by mutex
  std::shared_ptr<const Index>
      index;  // guarded by mutex; shared with callers that read while it is replaced
};

}  // namespace slipway::oci
