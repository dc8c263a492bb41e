// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <fmt/format.h>

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::oci {

/// The name of a content: "sha256:" and 64 lower-case hexadecimal digits, or "sha512:" and 128.
/// Always well-formed.
///   source  OCI image-spec 1.1, descriptor.md, "Digests"
class Digest final {
 public:
  /// The digest of no bytes at all; a value to assign to.
  Digest();
  /// throws Error{bad_input} "'x' is not a digest: …"
  static Digest parse(std::string_view text);
  /// Nothing when `text` is not a digest of an algorithm known here.
  static std::optional<Digest> try_parse(std::string_view text);
  /// SHA-256 of `bytes`.
  static Digest of(std::string_view bytes);
  /// `hex` must be 64 lower-case hexadecimal digits.
  static Digest from_sha256_hex(std::string_view hex);

  [[nodiscard]] const std::string& str() const { return text_; }
  /// "sha256" or "sha512".
  [[nodiscard]] std::string_view algorithm() const { return std::string_view(text_).substr(0, 6); }
  [[nodiscard]] std::string_view hex() const { return std::string_view(text_).substr(7); }
  /// The first 12 digits, for people.
  [[nodiscard]] std::string_view brief() const { return hex().substr(0, 12); }
  auto operator<=>(const Digest&) const = default;

 private:
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// Hashes a content that comes in pieces.
class Digester final {
 public:
  /// `algorithm` is "sha256" or "sha512".
  explicit Digester(std::string_view algorithm = "sha256");
  Digester(Digester&&) noexcept;
  Digester& operator=(Digester&&) noexcept;
  Digester(const Digester&) = delete;
  Digester& operator=(const Digester&) = delete;
  ~Digester();
  void update(std::string_view bytes);
  /// Of everything so far; more may be added after it.
  [[nodiscard]] Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The name of layers applied one on another. source OCI image-spec 1.1, config.md, "Layer ChainID"
Digest chain_id(const Digest& parent, const Digest& diff_id);

}  // namespace slipway::oci

template <>
struct fmt::formatter<slipway::oci::Digest> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(const slipway::oci::Digest& digest, Context& context) const {
    return fmt::formatter<std::string_view>::format(digest.str(), context);
  }
};
template <>
struct std::hash<slipway::oci::Digest> {
  std::size_t operator()(const slipway::oci::Digest& digest) const noexcept {
    return std::hash<std::string_view>()(digest.str());
  }
};
