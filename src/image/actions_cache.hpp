// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "formats/io.hpp"
#include "formats/json.hpp"
#include "net/http_client.hpp"
#include "oci/digest.hpp"
#include "os/fd.hpp"

namespace slipway::image {

/// A client of the cache service that GitHub gives to jobs (and `slipway run` to its own): entries by key and version, uploaded to and
/// downloaded from addresses that the service signs. 429, 5xx and broken connections are tried again.
///   threads  any
///   source   actions/toolkit, cache service v2 (Twirp over JSON); Azure's Put Blob, Put Block, Put Block List
class ActionsCache final {
 public:
  /// results_url, token  ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN
  ActionsCache(std::string results_url, std::string token);

  struct Hit {
    std::string key;  ///< the entry's own: begins with the prefix that found it
    std::string url;
  };
  /// The entry `key`, else the newest whose key begins with `prefix` (when there is one), as far as the token's branches allow.
  ///   throws  Error{denied, unavailable}
  std::optional<Hit> find(const std::string& key, const std::string& prefix,
                          const std::stop_token& stop);
  /// throws  Error{unavailable}; what `sink` throws
  void download(const Hit& hit, formats::Writer& sink, const std::stop_token& stop);
  /// Makes an entry of a file's first `size` bytes.
  ///   returns  false when there is one of that key already, or somebody is uploading it
  ///   throws   Error{denied, unavailable}
  bool save(const std::string& key, const os::Fd& file, std::uint64_t size,
            const std::stop_token& stop);

 private:
  std::optional<formats::Json> call(std::string_view method, formats::Json request,
                                    const std::stop_token& stop);
  net::HttpResponse send(const net::HttpRequest& request, const std::stop_token& stop);
  void upload(const std::string& url, const os::Fd& file, std::uint64_t size,
              const std::stop_token& stop);

  std::string results_url_;
  std::string token_;
  net::HttpClient client_;
};

/// The key under which a layer lies in the cache service: BuildKit's, so that both use one.
std::string layer_key(const oci::Digest& digest);
/// What the keys of a scope's descriptions begin with; a number follows, each newer one has a higher.
std::string index_prefix(std::string_view scope);
/// The key that comes after `last`; the first when there is none. Keys that are not of this prefix count as none.
std::string next_index_key(std::string_view scope, const std::optional<std::string>& last);

}  // namespace slipway::image
