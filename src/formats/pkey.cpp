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

}  // namespace

void FreePkey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Pkey private_key_of(std::string_view pem, const char* kind) {
  PemBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto no_password = [](char*, int, int, void*) { return -1; };
  Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return key && EVP_PKEY_is_a(key.get(), kind) == 1 ? std::move(key) : nullptr;
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
