// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <string_view>

#include "oci/blob_store.hpp"

namespace slipway::oci {

/// A blob being written: a file in ROOT/ingest, removed at the end unless it was committed.
struct BlobWriter::State {
  State(BlobStore& its_store, std::string_view algorithm);
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  BlobStore& store;
  std::filesystem::path path;
  os::Fd file;
  Digester digester;
  std::uint64_t size = 0;
  std::uint64_t flushed = 0;  ///< bytes that the kernel was asked to write to disk
  bool is_committed = false;
};

}  // namespace slipway::oci
