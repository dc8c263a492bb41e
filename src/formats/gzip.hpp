// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "formats/io.hpp"

namespace slipway::formats {

/// Compresses to one gzip member: blocks of 1 MiB each ended by a full flush, header without name or
/// time. The same bytes come out for the same input on every machine, whatever the pieces and
/// `threads`.
class GzipWriter final : public Writer {
 public:
  static constexpr int kUsualLevel = 1;
  /// threads  1: compresses in write(); more: that many blocks at a time
  /// level    0 to 3: ISA-L's; 4 to 9: zlib's, smaller and ten times slower
  explicit GzipWriter(Writer& next, unsigned threads = 1, int level = kUsualLevel);
  ~GzipWriter() override;
  void write(std::string_view bytes) override;
  /// Writes the rest and the trailer; must be called once, after it no write().
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decompresses gzip, also several members after one another.
class GzipReader final : public Reader {
 public:
  /// `most_bytes` caps what comes out. throws (read) Error{bad_input} for broken, cut or too large
  /// input
  explicit GzipReader(Reader& source, std::uint64_t most_bytes = std::uint64_t{1} << 40);
  ~GzipReader() override;
  std::size_t read(std::span<char> into) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string gzip(std::string_view bytes);
std::string gunzip(std::string_view bytes, std::uint64_t most_bytes = std::uint64_t{1} << 30);
/// True when the bytes begin as gzip does.
bool looks_like_gzip(std::string_view bytes);

}  // namespace slipway::formats
