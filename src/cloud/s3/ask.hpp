// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <optional>
#include <string>

#include "cloud/s3/door.hpp"
#include "cloud/sigv4.hpp"
#include "formats/xml.hpp"

namespace slipway::cloud::s3 {

/// One request on its way through the door.
struct Door::Ask {
  net::ServerRequest& request;
  net::ResponseWriter& response;
  Call call;
  std::string bucket;
  std::string key;
  std::map<std::string, std::string> query;              ///< decoded; a name without '=' has ""
  std::string payload_hash;                              ///< x-amz-content-sha256; empty: not given
  std::optional<ChunkSignatures> chunk_signatures = {};  ///< of a body whose chunks are signed

  [[nodiscard]] bool has(const std::string& name) const { return query.contains(name); }
  [[nodiscard]] std::string get(const std::string& name, const std::string& other = "") const {
    auto it = query.find(name);
    return it == query.end() ? other : it->second;
  }
  [[nodiscard]] std::int64_t now_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(call.now.time_since_epoch())
        .count();
  }
  /// Answers with a status, x-amz-request-id, and XML when there is some.
  void send(int status, const std::string& xml = "", net::Headers headers = {});
};

/// What the body says, its hash held to what was signed, its checksums to what headers or trailers say. throws Refusal
void receive(Incoming& incoming, net::ServerRequest& request, const std::string& payload_hash,
             ChunkSignatures* signatures);
/// A small XML body. throws Refusal MalformedXML
formats::XmlNode read_xml(net::ServerRequest& request);
/// "2026-11-24T17:00:05.000Z" and "Tue, 24 Nov …" of milliseconds since the epoch.
std::string iso_time(std::int64_t ms);
std::string http_time(std::int64_t ms);

}  // namespace slipway::cloud::s3
