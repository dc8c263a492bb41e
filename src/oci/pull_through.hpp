// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stop_token>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "oci/registry_client.hpp"
#include "oci/registry_store.hpp"

namespace slipway::oci {

/// Fills a registry's store from another registry with what is asked for and missing. What is here is served also when the other
/// registry does not answer; a tag is asked for again each time, as it may lead elsewhere by now.
///   threads  any
class PullThrough final {
 public:
  /// `upstream`: a registry's host as in image names, "docker.io" or "127.0.0.1:5000". All are borrowed.
  PullThrough(std::string upstream, RegistryClient& client, RegistryStore& store, Log& log)
      : upstream_(std::move(upstream)), client_(client), store_(store), log_(log) {}

  /// Brings a manifest by tag or digest unless it is here and current.
  ///   remote  the repository's name in the other registry; empty: the same
  void bring_manifest(std::string_view repository, std::string_view tag_or_digest,
                      const std::stop_token& stop, std::string_view remote = {});
  void bring_blob(std::string_view repository, const Digest& digest, const std::stop_token& stop,
                  std::string_view remote = {});

 private:
  std::string upstream_;
  RegistryClient& client_;
  RegistryStore& store_;
  Log& log_;
};

}  // namespace slipway::oci
