// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/text.hpp"
#include "cloud/ecr/ecr.hpp"
#include "cloud/input.hpp"
#include "cloud/sts/sessions.hpp"
#include "formats/sha256.hpp"
#include "oci/registry_store.hpp"

namespace slipway::cloud::ecr {

std::optional<RegistryHost> parse_registry_host(std::string_view host) {
  host = host.substr(0, host.find(':'));
  auto labels = split(host, '.');
  if (labels.size() < 5 || labels[0].size() != 12 ||
      labels[0].find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  for (const auto& label : labels) {
    if (label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
      return std::nullopt;
  }
  bool plain = labels[1] == "dkr" && labels[2] == "ecr" && labels.size() >= 6 &&
               labels[4] == "amazonaws" && labels[5] == "com";
  if (plain) return RegistryHost{labels[0], labels[3]};
  if (labels[1] == "dkr-ecr" && labels[3] == "on" && labels[4] == "aws")
    return RegistryHost{labels[0], labels[2]};
  return std::nullopt;
}

std::string registry_host(const Scope& scope) {
  auto suffix = scope.region.starts_with("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return fmt::format("{}.dkr.ecr.{}.{}", scope.account, scope.region, suffix);
}

Registries::Registries(std::filesystem::path root) : root_(std::move(root)) {}
Registries::~Registries() = default;

oci::RegistryStore& Registries::of(const Scope& scope) {
  std::lock_guard lock(mutex_);
  auto& store = stores_[scope.account + "/" + scope.region];
  if (!store) store = std::make_unique<oci::RegistryStore>(root_ / scope.account / scope.region);
  return *store;
}

std::string Tokens::issue(const Principal& caller, Time now) {
  auto password = base64url(random_bytes(96));
  Json body = sts::to_json(caller);
  body["access_key_id"] = caller.access_key_id;
  auto expires = now + std::chrono::hours(12);
  state_.write([&](Tables& tables) {
    tables.database().run("INSERT INTO registry_token VALUES(?,?,?)", formats::sha256_hex(password),
                          expires.time_since_epoch().count(), body.dump());
  });
  return password;
}

std::optional<Tokens::Holder> Tokens::find(std::string_view password) {
  return state_.read([&](Tables& tables) -> std::optional<Holder> {
    auto row = tables.database().prepare("SELECT expires, body FROM registry_token WHERE hash=?");
    row.bind(formats::sha256_hex(password));
    if (!row.step()) return std::nullopt;
    auto body = formats::parse_json(row.get_text(1));
    return Holder{sts::principal_from(body, body.get_string("access_key_id")),
                  Time(std::chrono::milliseconds(row.get_int(0)))};
  });
}

}  // namespace slipway::cloud::ecr
