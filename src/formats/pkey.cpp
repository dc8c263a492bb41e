// SPDX-License-Identifier: Apache-2.0
#include "formats/pkey.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/error.hpp"

namespace slipway::formats {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using PemBio = std::unique_ptr<BIO, FreeBio>;

struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using SigningContext = std::unique_ptr<EVP_MD_CTX, FreeDigestContext>;

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Ed25519 hashes by itself.
const EVP_MD* digest_for(const Pkey& key) {
  return EVP_PKEY_is_a(key.get(), "ED25519") == 1 ? nullptr : EVP_sha256();
}

PemBio pem_reader(std::string_view pem) {
  return PemBio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

int give_password(char* into, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  text.copy(into, text.size());
  return static_cast<int>(text.size());
}

}  // namespace

void FreePkey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Pkey private_key_of(std::string_view pem, const char* kind) {
  PemBio bio = pem_reader(pem);
  auto no_password = [](char*, int, int, void*) { return -1; };
  Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return key && EVP_PKEY_is_a(key.get(), kind) == 1 ? std::move(key) : nullptr;
}

Pkey private_key_with_password(std::string_view pem, const std::string& password) {
  PemBio bio = pem_reader(pem);
  std::string secret = password;
  Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_password, &secret));
  ERR_clear_error();
  return key;
}

Pkey public_key_of_pem(std::string_view pem) {
  PemBio bio = pem_reader(pem);
  Pkey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return key ? std::move(key) : private_key_with_password(pem, "");
}

std::string sign_with(const Pkey& key, std::string_view message) {
  SigningContext context(EVP_MD_CTX_new());
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(key.get()));
  std::string signature(size, '\0');
  if (EVP_DigestSignInit(context.get(), nullptr, digest_for(key), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     octets(message), message.size()) != 1) {
    ERR_clear_error();
    fail(Fault::unavailable, "OpenSSL cannot sign with this key");
  }
  signature.resize(size);
  return signature;
}

bool verify_with(const Pkey& key, std::string_view message, std::string_view signature) {
  SigningContext context(EVP_MD_CTX_new());
  bool is_good =
      EVP_DigestVerifyInit(context.get(), nullptr, digest_for(key), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                       message.size()) == 1;
  ERR_clear_error();
  return is_good;
}

std::string pem_of(const Pkey& key) {
  PemBio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1) {
    fail(Fault::unavailable, "OpenSSL cannot print a key");
  }
  char* data = nullptr;
  long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace slipway::formats
