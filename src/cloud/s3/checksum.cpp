// SPDX-License-Identifier: Apache-2.0
#include "cloud/s3/checksum.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::cloud::s3 {
namespace {

// A reflected CRC of 32 or 64 bits, by a table for each byte.
template <typename Word>
class Crc final : public Checksum {
 public:
  explicit Crc(Word polynomial) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      Word value = byte;
      for (int bit = 0; bit < 8; ++bit)
        value = static_cast<Word>((value & 1U) != 0 ? value >> 1U ^ polynomial : value >> 1U);
      table_[byte] = value;
    }
  }
  void update(std::string_view bytes) override {
    for (char c : bytes) {
      auto at = static_cast<std::size_t>((sum_ ^ static_cast<unsigned char>(c)) & 0xFFU);
      sum_ = static_cast<Word>(sum_ >> 8U ^ table_[at]);
    }
  }
  std::string base64() override {
    std::string bytes;
    auto sum = static_cast<Word>(~sum_);
    for (std::size_t i = sizeof(Word); i > 0; --i)
      bytes += static_cast<char>(sum >> (8U * (i - 1)) & 0xFFU);
    return slipway::base64(bytes);
  }

 private:
  std::array<Word, 256> table_{};
  Word sum_ = static_cast<Word>(~Word{0});
};

class Hash final : public Checksum {
 public:
  explicit Hash(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr || EVP_DigestInit_ex(context_, kind, nullptr) != 1)
      fail(Fault::unavailable, "OpenSSL has not this hash");
  }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() override { EVP_MD_CTX_free(context_); }
  void update(std::string_view bytes) override {
    EVP_DigestUpdate(context_, bytes.data(), bytes.size());
  }
  std::string base64() override {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_, sum.data(), &size);
    return slipway::base64({reinterpret_cast<const char*>(sum.data()), size});
  }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace

std::unique_ptr<Checksum> make_checksum(std::string_view header) {
  if (header == "x-amz-checksum-crc32")
    return std::make_unique<Crc<std::uint32_t>>(std::uint32_t{0xEDB88320});
  if (header == "x-amz-checksum-crc32c")
    return std::make_unique<Crc<std::uint32_t>>(std::uint32_t{0x82F63B78});
  if (header == "x-amz-checksum-crc64nvme")
    return std::make_unique<Crc<std::uint64_t>>(std::uint64_t{0x9A6C9329AC4BC9B5});
  if (header == "x-amz-checksum-sha1") return std::make_unique<Hash>(EVP_sha1());
  if (header == "x-amz-checksum-sha256") return std::make_unique<Hash>(EVP_sha256());
  return nullptr;
}

}  // namespace slipway::cloud::s3
