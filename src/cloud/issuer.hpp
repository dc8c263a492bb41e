// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "cloud/service.hpp"
#include "net/http_message.hpp"

namespace slipway::cloud {

/// The OIDC issuers whose tokens STS verifies: GitHub's name stands for the local one (STATE/oidc/jwks.json, written by the side
/// that mints tokens); every other issuer's keys are fetched by its discovery document.
///   threads  any
class Issuer final {
 public:
  explicit Issuer(std::filesystem::path state) : state_(std::move(state)) {}
  /// The key set of an issuer; nothing when it cannot be had.
  [[nodiscard]] std::optional<Json> key_set(const std::string& issuer) const;
  /// True for requests that handle() answers: the discovery document and key set under GitHub's host name.
  [[nodiscard]] static bool serves(std::string_view host, std::string_view path);
  [[nodiscard]] net::HttpResponse handle(std::string_view path) const;

 private:
  [[nodiscard]] std::optional<Json> local_keys() const;
  std::filesystem::path state_;
};

}  // namespace slipway::cloud
