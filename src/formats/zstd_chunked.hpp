// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "formats/io.hpp"

namespace slipway::formats {

/// Compresses a tar to zstd:chunked: to zstd it is frames one after another, to those who know the format a table of contents says which
/// frame holds which piece of which file, so that a pull fetches only the pieces that it lacks. Files above 64 KiB are cut where
/// their content says so: a byte put into one leaves its other pieces as they were. The same bytes come out for the same input
/// whatever the pieces and `threads`.
///   source  github.com/containers/storage, pkg/chunked/internal/minimal/compression.go
class ZstdChunkedWriter final : public Writer {
 public:
  static constexpr int kUsualLevel = 3;
  /// threads  1: compresses in write(); more: that many blocks at a time
  /// level    1 to 22
  explicit ZstdChunkedWriter(Writer& next, unsigned threads = 1, int level = kUsualLevel);
  ~ZstdChunkedWriter() override;
  /// throws  Error{bad_input} when the bytes are no tar
  void write(std::string_view bytes) override;
  /// Writes the rest, the table and the footer; must be called once, after it no write().
  ///   returns  the annotations that a layer's descriptor needs for its table to be found. None when the table cannot say what the tar
  ///            holds (sparse files, names that are not UTF-8): it is plain zstd then
  std::map<std::string, std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The annotation that tells a zstd:chunked layer from a zstd one: the SHA-256 of its table of contents, as a digest.
inline constexpr std::string_view kZstdChunkedChecksum =
    "io.github.containers.zstd-chunked.manifest-checksum";

}  // namespace slipway::formats
