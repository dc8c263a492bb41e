// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "oci/registry_client.hpp"
#include "oci/registry_store.hpp"

namespace slipway::oci {

/// Fills a registry's store from another registry with what is asked for and missing. What is here is served also when the other
/// registry does not answer; a tag is asked for again each time, as it may lead elsewhere by now, but not for long, and not
/// within ten seconds after the other registry gave no answer.
///   throws   Error{unavailable} when the other registry does not answer or lies, Error{denied} when it refuses us
///   threads  any; a blob that several ask for is fetched once
class PullThrough final {
 public:
  /// `upstream`: a registry's host as in image names, "docker.io" or "127.0.0.1:5000". All are borrowed.
  ///   patience  for the answer whether a tag that is here leads elsewhere by now
  PullThrough(std::string upstream, RegistryClient& client, RegistryStore& store, Log& log,
              std::chrono::milliseconds patience = std::chrono::seconds(5))
      : upstream_(std::move(upstream)),
        client_(client),
        store_(store),
        log_(log),
        patience_(patience) {}

  [[nodiscard]] const std::string& upstream() const { return upstream_; }
  /// Brings a manifest by tag or digest unless it is here and current.
  ///   remote  the repository's name in the other registry; empty: the same
  void bring_manifest(std::string_view repository, std::string_view tag_or_digest,
                      const std::stop_token& stop, std::string_view remote = {});
  void bring_blob(std::string_view repository, const Digest& digest, const std::stop_token& stop,
                  std::string_view remote = {});
  /// The manifests that refer to `subject`; what of them is here must do when the other registry does not tell.
  void bring_referrers(std::string_view repository, const Digest& subject,
                       const std::stop_token& stop);
  /// The other registry's tags, sorted; nothing when it does not tell or does not know the repository.
  std::optional<std::vector<std::string>> tags(std::string_view repository,
                                               const std::stop_token& stop);

 private:
  [[nodiscard]] Reference place(std::string_view repository, std::string_view remote) const;
  void fetch_manifest(std::string_view repository, const Reference& image,
                      const std::stop_token& stop);
  void fetch_blob(std::string_view repository, const Reference& place, const Digest& digest,
                  std::uint64_t size, const std::stop_token& stop);

  std::string upstream_;
  RegistryClient& client_;
  RegistryStore& store_;
  Log& log_;
  std::chrono::milliseconds patience_;
  Guarded<Deadline> silent_until_{
      Deadline::in({})};  // no answer came: not asked before then about what is here
  Guarded<std::set<std::string>> under_way_;  // blobs that are being fetched
};

}  // namespace slipway::oci
