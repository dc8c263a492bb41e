// SPDX-License-Identifier: Apache-2.0
#include "oci/digest.hpp"

#include <openssl/evp.h>

#include <array>
#include <cassert>
#include <new>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::oci {
namespace {

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Fetched once: EVP_sha256() looks the algorithm up in the providers at every use.
const EVP_MD* algorithm_named(std::string_view name) {
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  return name == "sha512" ? sha512 : sha256;
}

}  // namespace

Digest::Digest()
    : text_("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") {}

std::optional<Digest> Digest::try_parse(std::string_view text) {
  if (text.size() < 8 || text[6] != ':') return std::nullopt;
  std::string_view algorithm = text.substr(0, 6);
  std::string_view digits = text.substr(7);
  bool has_length = (algorithm == "sha256" && digits.size() == 64) ||
                    (algorithm == "sha512" && digits.size() == 128);
  if (!has_length || !is_lower_hex(digits)) return std::nullopt;
  return Digest(std::string(text));
}

Digest Digest::parse(std::string_view text) {
  if (auto digest = try_parse(text)) return *digest;
  fail(Fault::bad_input, "'{}' is not a digest: sha256: and 64 hexadecimal digits are expected",
       text.substr(0, 200));
}

Digest Digest::of(std::string_view bytes) {
  Digester digester;
  digester.update(bytes);
  return digester.digest();
}

Digest Digest::from_sha256_hex(std::string_view hex) {
  assert(hex.size() == 64 && is_lower_hex(hex) && "a digest is made of 64 lower-case digits");
  return Digest("sha256:" + std::string(hex));
}

struct Digester::State {
  explicit State(std::string_view name) : algorithm(name), context(EVP_MD_CTX_new()) {
    if (context == nullptr || EVP_DigestInit_ex(context, algorithm_named(name), nullptr) != 1)
      throw std::bad_alloc();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { EVP_MD_CTX_free(context); }
  std::string algorithm;
  EVP_MD_CTX* context;
};

Digester::Digester(std::string_view algorithm) : state_(std::make_unique<State>(algorithm)) {
  assert((algorithm == "sha256" || algorithm == "sha512") && "only these algorithms are known");
}
Digester::Digester(Digester&&) noexcept = default;
Digester& Digester::operator=(Digester&&) noexcept = default;
Digester::~Digester() = default;

void Digester::update(std::string_view bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) throw std::bad_alloc();
}

Digest Digester::digest() const {
  State copy(state_->algorithm);
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned length = 0;
  if (EVP_MD_CTX_copy_ex(copy.context, state_->context) != 1 ||
      EVP_DigestFinal_ex(copy.context, sum.data(), &length) != 1) {
    throw std::bad_alloc();
  }
  return Digest::parse(
      state_->algorithm + ":" +
      slipway::hex(std::string_view(reinterpret_cast<const char*>(sum.data()), length)));
}

Digest chain_id(const Digest& parent, const Digest& diff_id) {
  return Digest::of(parent.str() + " " + diff_id.str());
}

}  // namespace slipway::oci
