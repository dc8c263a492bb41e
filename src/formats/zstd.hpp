// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "formats/io.hpp"

namespace slipway::formats {

/// Compresses to one zstd frame. The bytes are the same for any number of threads above 0.
class ZstdWriter final : public Writer {
 public:
  static constexpr int kUsualLevel = 3;
  /// threads  0: compresses in write(), with less memory and to other bytes than with threads
  /// level    1 to 22
  explicit ZstdWriter(Writer& next, unsigned threads = 1, int level = kUsualLevel);
  ~ZstdWriter() override;
  void write(std::string_view bytes) override;
  /// Writes the rest; must be called once, after it no write().
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Decompresses zstd, also several frames after one another; windows up to 128 MiB.
class ZstdReader final : public Reader {
 public:
  /// `most_bytes` caps what comes out. throws (read) Error{bad_input} for broken, cut or too large
  /// input
  explicit ZstdReader(Reader& source, std::uint64_t most_bytes = std::uint64_t{1} << 40);
  ~ZstdReader() override;
  std::size_t read(std::span<char> into) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True when the bytes begin as a zstd frame does.
bool looks_like_zstd(std::string_view bytes);

}  // namespace slipway::formats
