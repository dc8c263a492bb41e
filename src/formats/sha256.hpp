// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "formats/io.hpp"

namespace slipway::formats {

/// SHA-256 of bytes that come in pieces.
class Sha256 final {
 public:
  Sha256();
  Sha256(Sha256&& other) noexcept;
  Sha256& operator=(Sha256&& other) noexcept;
  /// A copy continues on its own from here.
  Sha256(const Sha256& other);
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();
  void update(std::string_view bytes);
  /// 32 bytes of everything so far; more may be added after it.
  [[nodiscard]] std::string digest() const;
  /// 64 lower-case hexadecimal digits of everything so far.
  [[nodiscard]] std::string hex() const;

 private:
  void* context_;  // EVP_MD_CTX
};

/// 32 bytes.
std::string sha256(std::string_view bytes);
/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
/// 32 bytes. source RFC 2104
std::string hmac_sha256(std::string_view key, std::string_view bytes);
/// Compares without telling by its time where the texts differ.
bool equals_in_constant_time(std::string_view a, std::string_view b);

/// Hashes and counts what passes on its way to `next`.
class HashingWriter final : public Writer {
 public:
  explicit HashingWriter(Writer& next) : next_(next) {}
  void write(std::string_view bytes) override;
  [[nodiscard]] std::string hex() const { return hash_.hex(); }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  Writer& next_;
  Sha256 hash_;
  std::uint64_t count_ = 0;
};

/// Hashes and counts what is read through it.
class HashingReader final : public Reader {
 public:
  explicit HashingReader(Reader& source) : source_(source) {}
  std::size_t read(std::span<char> into) override;
  [[nodiscard]] std::string hex() const { return hash_.hex(); }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  Reader& source_;
  Sha256 hash_;
  std::uint64_t count_ = 0;
};

}  // namespace slipway::formats
