// SPDX-License-Identifier: Apache-2.0
#include "formats/cosign_key.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <optional>

#include "base/error.hpp"
#include "base/library.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"

namespace slipway::formats {
namespace {

constexpr std::size_t kNonce = 24;
constexpr std::size_t kKey = 32;
constexpr std::size_t kSeal = 16;  // what the box is longer than its content
constexpr std::int64_t kMostMemory = std::int64_t{1} << 30;

unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

/// The text inside of the PEM; nothing when it is no such key.
std::optional<std::string> inside(std::string_view pem) {
  struct Free {
    void operator()(BIO* bio) const { BIO_free_all(bio); }
    void operator()(char* text) const { OPENSSL_free(text); }
    void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
  };
  std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  int found = PEM_read_bio(bio.get(), &name, &header, &data, &size);
  ERR_clear_error();
  if (found != 1) return std::nullopt;
  std::unique_ptr<char, Free> its_name(name);
  std::unique_ptr<char, Free> its_header(header);
  std::unique_ptr<unsigned char, Free> its_data(data);
  std::string_view kind(name);
  if (kind != "ENCRYPTED SIGSTORE PRIVATE KEY" && kind != "ENCRYPTED COSIGN PRIVATE KEY")
    return std::nullopt;
  return std::string(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::string bytes_of(const Json& json, std::string_view name) {
  auto bytes = unbase64(json.get_string(name));
  if (!bytes) fail(Fault::bad_input, "the key's '{}' is not base64", name);
  return *bytes;
}

const Json& part(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  if (found == nullptr) fail(Fault::bad_input, "the key has no '{}'", name);
  return *found;
}

std::string scrypt(const Json& kdf, const std::string& password) {
  if (kdf.get_string("name") != "scrypt")
    fail(Fault::bad_input, "the key's kdf is '{}', not scrypt", kdf.get_string("name"));
  const Json& numbers = part(kdf, "params");
  std::int64_t n = numbers.get_int("N", 0);
  std::int64_t r = numbers.get_int("r", 0);
  std::int64_t p = numbers.get_int("p", 0);
  std::string salt = bytes_of(kdf, "salt");
  std::string key(kKey, '\0');
  bool is_sane = n > 1 && r > 0 && p > 0 && r <= 64 && p <= 16 && n <= kMostMemory / (128 * r);
  if (!is_sane || EVP_PBE_scrypt(password.data(), password.size(), octets(salt), salt.size(),
                                 static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(r),
                                 static_cast<std::uint64_t>(p), 2 * kMostMemory, octets(key),
                                 key.size()) != 1) {
    ERR_clear_error();
    fail(Fault::bad_input, "the key's scrypt parameters N={}, r={}, p={} are out of range", n, r,
         p);
  }
  return key;
}

}  // namespace

bool is_cosign_key(std::string_view pem) { return inside(pem).has_value(); }

Pkey private_key_of_cosign(std::string_view pem, const std::string& password) {
  auto text = inside(pem);
  if (!text) fail(Fault::bad_input, "this is no key of cosign's");
  Json json = parse_json(*text, "the key");
  const Json& cipher = part(json, "cipher");
  std::string nonce = bytes_of(cipher, "nonce");
  std::string box = bytes_of(json, "ciphertext");
  if (cipher.get_string("name") != "nacl/secretbox" || nonce.size() != kNonce ||
      box.size() <= kSeal)
    fail(Fault::bad_input, "the key is damaged: its cipher is no secretbox of NaCl's");
  std::string key = scrypt(part(json, "kdf"), password);
  // Loaded for the few who have such keys.
  static const Library kSodium("libsodium.so.23");
  static const auto kOpen =
      kSodium.find<int (*)(unsigned char*, const unsigned char*, unsigned long long,
                           const unsigned char*, const unsigned char*)>(
          "crypto_secretbox_open_easy");
  std::string content(box.size() - kSeal, '\0');
  if (kOpen(octets(content), octets(box), box.size(), octets(nonce), octets(key)) != 0)
    fail(Fault::bad_input, "COSIGN_PASSWORD does not open the key");
  const unsigned char* at = octets(content);
  Pkey opened(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(content.size())));
  ERR_clear_error();
  if (!opened) fail(Fault::bad_input, "the key is damaged: what it holds is no private key");
  return opened;
}

}  // namespace slipway::formats
