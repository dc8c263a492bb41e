// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "net/tls.hpp"
#include "os/file.hpp"

namespace slipway::net {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;

[[noreturn]] void refuse(std::string_view doing) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  fail(Fault::unavailable, "{}: {}", doing, text.data());
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Bio bio_of(std::string_view text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string pem_of(X509* certificate) {
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) refuse("printing a certificate");
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  Bio bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    refuse("printing a key");
  return text_of(bio.get());
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) refuse("making a key");
  return key;
}

/// A certificate with version, random serial number and validity.
Certificate blank(EVP_PKEY* key, long days) {
  Certificate made(X509_new());
  if (!made || X509_set_version(made.get(), X509_VERSION_3) != 1) refuse("making a certificate");
  std::string serial = random_bytes(16);
  serial[0] = static_cast<char>(serial[0] & 0x7f);  // positive
  BIGNUM* number = BN_bin2bn(reinterpret_cast<const unsigned char*>(serial.data()),
                             static_cast<int>(serial.size()), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(made.get()));
  BN_free(number);
  constexpr long kDay = 24 * 60 * 60;
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), (days - 1) * kDay);
  if (X509_set_pubkey(made.get(), key) != 1) refuse("making a certificate");
  return made;
}

void set_common_name(X509* certificate, std::string_view name) {
  constexpr std::size_t kLongest =
      64;  // RFC 5280, ub-common-name; the names that count are the SANs
  X509_NAME* subject = X509_get_subject_name(certificate);
  auto add = [&](const char* field, std::string_view value) {
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
  };
  add("O", "slipway local");
  if (name.size() <= kLongest) add("CN", name);
}

/// `value` is in OpenSSL's configuration language: constants only, never text from outside.
void extend(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr || X509_add_ext(certificate, extension, -1) != 1)
    refuse("extending a certificate");
  X509_EXTENSION_free(extension);
}

GENERAL_NAME* general_name(const std::string& name) {
  std::array<unsigned char, 16> bytes{};
  int size = ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1    ? 4
             : ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1 ? 16
                                                                      : 0;
  GENERAL_NAME* made = GENERAL_NAME_new();
  if (size > 0) {
    ASN1_OCTET_STRING* address = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(address, bytes.data(), size);
    GENERAL_NAME_set0_value(made, GEN_IPADD, address);
  } else {
    ASN1_IA5STRING* dns = ASN1_IA5STRING_new();
    ASN1_STRING_set(dns, name.data(), static_cast<int>(name.size()));
    GENERAL_NAME_set0_value(made, GEN_DNS, dns);
  }
  return made;
}

void set_names(X509* certificate, std::span<const std::string> names) {
  GENERAL_NAMES* list = GENERAL_NAMES_new();
  for (const std::string& name : names) sk_GENERAL_NAME_push(list, general_name(name));
  int done = X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT);
  GENERAL_NAMES_free(list);
  if (done != 1) refuse("naming a certificate");
}

}  // namespace

struct CertificateAuthority::State {
  Key key;
  Certificate certificate;
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
CertificateAuthority::CertificateAuthority(CertificateAuthority&&) noexcept = default;
CertificateAuthority& CertificateAuthority::operator=(CertificateAuthority&&) noexcept = default;
CertificateAuthority::~CertificateAuthority() = default;

CertificateAuthority CertificateAuthority::create(std::string_view common_name) {
  Key key = new_key();
  Certificate made = blank(key.get(), 3650);
  set_common_name(made.get(), common_name);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  extend(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  extend(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  extend(made.get(), made.get(), NID_subject_key_identifier, "hash");
  if (X509_sign(made.get(), key.get(), EVP_sha256()) == 0) refuse("signing a certificate");
  return CertificateAuthority(std::make_unique<State>(State{std::move(key), std::move(made)}));
}

CertificateAuthority CertificateAuthority::load(std::string_view key_pem,
                                                std::string_view certificate_pem) {
  Key key(PEM_read_bio_PrivateKey(bio_of(key_pem).get(), nullptr, nullptr, nullptr));
  Certificate certificate(
      PEM_read_bio_X509(bio_of(certificate_pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!key) fail(Fault::bad_input, "the authority's key is not a private key in PEM");
  if (!certificate)
    fail(Fault::bad_input, "the authority's certificate is not a certificate in PEM");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    ERR_clear_error();
    fail(Fault::bad_input, "the authority's key and certificate do not belong together");
  }
  return CertificateAuthority(
      std::make_unique<State>(State{std::move(key), std::move(certificate)}));
}

CertificateAuthority CertificateAuthority::load_or_create(const std::filesystem::path& directory,
                                                          std::string_view common_name) {
  os::make_dirs(directory);
  os::FileLock lock = os::FileLock::take(directory / "ca.lock");
  auto key = os::read_file_if_exists(directory / "ca.key");
  auto certificate = os::read_file_if_exists(directory / "ca.crt");
  if (key && certificate) {
    return while_doing(directory.string(), [&] { return load(*key, *certificate); });
  }
  CertificateAuthority made = create(common_name);
  os::write_file_durably(directory / "ca.key", made.key_pem(), 0600);
  os::write_file_durably(directory / "ca.crt", made.certificate_pem());
  return made;
}

KeyAndCertificate CertificateAuthority::issue(std::span<const std::string> names) const {
  if (names.empty()) fail(Fault::bad_input, "a certificate needs a name");
  Key key = new_key();
  Certificate made = blank(key.get(), 397);
  X509* issuer = state_->certificate.get();
  set_common_name(made.get(), names.front());
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer));
  set_names(made.get(), names);
  extend(made.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  extend(made.get(), issuer, NID_key_usage, "critical,digitalSignature");
  extend(made.get(), issuer, NID_ext_key_usage, "serverAuth");
  extend(made.get(), issuer, NID_subject_key_identifier, "hash");
  extend(made.get(), issuer, NID_authority_key_identifier, "keyid");
  if (X509_sign(made.get(), state_->key.get(), EVP_sha256()) == 0) refuse("signing a certificate");
  return {pem_of(key.get()), pem_of(made.get()) + certificate_pem()};
}

std::string CertificateAuthority::certificate_pem() const {
  return pem_of(state_->certificate.get());
}

std::string CertificateAuthority::key_pem() const { return pem_of(state_->key.get()); }

}  // namespace slipway::net
