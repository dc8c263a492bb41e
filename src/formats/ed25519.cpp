// SPDX-License-Identifier: Apache-2.0
#include "formats/ed25519.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/error.hpp"
#include "formats/pkey.hpp"

namespace slipway::formats {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kSignatureSize = 64;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Pkey public_key_of(std::string_view bytes) {
  if (bytes.size() != kKeySize) return nullptr;
  return Pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(bytes), kKeySize));
}

}  // namespace

struct Ed25519Key::Key {
  Pkey pkey;
};

Ed25519Key::Ed25519Key(std::unique_ptr<Key> key) : key_(std::move(key)) {}
Ed25519Key::Ed25519Key(Ed25519Key&&) noexcept = default;
Ed25519Key& Ed25519Key::operator=(Ed25519Key&&) noexcept = default;
Ed25519Key::~Ed25519Key() = default;

Ed25519Key Ed25519Key::generate() {
  Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) fail(Fault::unavailable, "OpenSSL cannot make an Ed25519 key");
  return Ed25519Key(std::make_unique<Key>(Key{std::move(key)}));
}

Ed25519Key Ed25519Key::from_pem(std::string_view pem) {
  auto key = private_key_of(pem, "ED25519");
  if (!key) fail(Fault::bad_input, "not an Ed25519 private key in PEM");
  return Ed25519Key(std::make_unique<Key>(Key{std::move(key)}));
}

std::string Ed25519Key::private_pem() const { return pem_of(key_->pkey); }

std::string Ed25519Key::public_bytes() const {
  std::string bytes(kKeySize, '\0');
  std::size_t size = kKeySize;
  if (EVP_PKEY_get_raw_public_key(key_->pkey.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                                  &size) != 1) {
    fail(Fault::unavailable, "OpenSSL gives no public key");
  }
  return bytes;
}

std::string Ed25519Key::sign(std::string_view message) const {
  return sign_with(key_->pkey, message);
}

bool verify_ed25519(std::string_view public_key, std::string_view message,
                    std::string_view signature) {
  Pkey key = public_key_of(public_key);
  return key && signature.size() == kSignatureSize && verify_with(key, message, signature);
}

std::string ed25519_public_pem(std::string_view public_key) {
  Pkey key = public_key_of(public_key);
  if (!key) fail(Fault::bad_input, "not an Ed25519 public key");
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PUBKEY(bio.get(), key.get()) != 1) {
    fail(Fault::unavailable, "OpenSSL cannot print a key");
  }
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace slipway::formats
