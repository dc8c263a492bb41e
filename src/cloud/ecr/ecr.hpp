// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "cloud/service.hpp"
#include "cloud/state.hpp"

namespace slipway::oci {
class RegistryStore;
}

namespace slipway::cloud::ecr {

/// A registry name taken apart: 123456789012.dkr.ecr.us-east-1.amazonaws.com.
struct RegistryHost {
  std::string account;
  std::string region;
  bool operator==(const RegistryHost&) const = default;
};

/// Nothing when `host` (with or without a port) is no ECR registry's name.
std::optional<RegistryHost> parse_registry_host(std::string_view host);
/// The registry's name of an account in a region.
std::string registry_host(const Scope& scope);

/// The registries' contents: a store an account and region, opened when first asked for.
///   threads  any
class Registries final {
 public:
  /// `root` is STATE/cloud/registry.
  explicit Registries(std::filesystem::path root);
  Registries(const Registries&) = delete;
  Registries& operator=(const Registries&) = delete;
  ~Registries();
  oci::RegistryStore& of(const Scope& scope);

 private:
  std::filesystem::path root_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<oci::RegistryStore>> stores_;  // guarded by mutex_
};

/// The passwords that GetAuthorizationToken gives (user "AWS"), kept as hashes for twelve hours.
///   threads  any
class Tokens final {
 public:
  explicit Tokens(State& state) : state_(state) {}
  /// A password for `caller`, good until `now` + 12 h.
  std::string issue(const Principal& caller, Time now);
  struct Holder {
    Principal principal;
    Time expires{};
  };
  /// Whose password it is (also when it has ended, for a day), or nothing.
  [[nodiscard]] std::optional<Holder> find(std::string_view password);

 private:
  State& state_;
};

}  // namespace slipway::cloud::ecr
