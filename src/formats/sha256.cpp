// SPDX-License-Identifier: Apache-2.0
#include "formats/sha256.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::formats {
namespace {

/// Fetched once: looking an algorithm up costs more than hashing a small text.
const EVP_MD* algorithm() {
  static const EVP_MD* const kFetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return kFetched;
}

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

EVP_MD_CTX* copy_of(void* context) {
  EVP_MD_CTX* copy = EVP_MD_CTX_new();
  if (copy == nullptr || EVP_MD_CTX_copy_ex(copy, as_context(context)) != 1) {
    EVP_MD_CTX_free(copy);
    fail(Fault::unavailable, "OpenSSL cannot copy a SHA-256 state");
  }
  return copy;
}

std::string finish(EVP_MD_CTX* context) {
  std::array<unsigned char, 32> out{};
  if (EVP_DigestFinal_ex(context, out.data(), nullptr) != 1)
    fail(Fault::unavailable, "OpenSSL cannot end SHA-256");
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr || EVP_DigestInit_ex2(as_context(context_), algorithm(), nullptr) != 1) {
    EVP_MD_CTX_free(as_context(context_));
    fail(Fault::unavailable, "OpenSSL has no SHA-256");
  }
}

Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

Sha256::Sha256(const Sha256& other) : context_(copy_of(other.context_)) {}

Sha256::~Sha256() { EVP_MD_CTX_free(as_context(context_)); }

void Sha256::update(std::string_view bytes) {
  if (EVP_DigestUpdate(as_context(context_), bytes.data(), bytes.size()) != 1) {
    fail(Fault::unavailable, "OpenSSL cannot hash");
  }
}

std::string Sha256::digest() const {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> copy(copy_of(context_), &EVP_MD_CTX_free);
  return finish(copy.get());
}

std::string Sha256::hex() const { return slipway::hex(digest()); }

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> out{};
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, algorithm(), nullptr) != 1) {
    fail(Fault::unavailable, "OpenSSL cannot hash");
  }
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}

std::string sha256_hex(std::string_view bytes) { return slipway::hex(sha256(bytes)); }

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::array<unsigned char, 32> out{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data(),
           &length) == nullptr) {
    fail(Fault::unavailable, "OpenSSL cannot make an HMAC");
  }
  return {reinterpret_cast<const char*>(out.data()), length};
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void HashingWriter::write(std::string_view bytes) {
  hash_.update(bytes);
  count_ += bytes.size();
  next_.write(bytes);
}

std::size_t HashingReader::read(std::span<char> into) {
  std::size_t count = source_.read(into);
  hash_.update({into.data(), count});
  count_ += count;
  return count;
}

}  // namespace slipway::formats
