// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/guarded.hpp"
#include "base/log.hpp"
#include "formats/json.hpp"
#include "net/http_server.hpp"
#include "workflow/oidc.hpp"

namespace slipway::workflow {

/// The services behind a job's toolkit: OIDC tokens. Serves on an address that jobs reach.
class ToolkitServer final {
 public:
  /// Binds at once. `address` "10.213.4.1:0".
  ToolkitServer(const std::string& address, const OidcIssuer& issuer, Log& log);
  ToolkitServer(const ToolkitServer&) = delete;
  ToolkitServer& operator=(const ToolkitServer&) = delete;
  ~ToolkitServer();

  /// What a job with `id-token: write` gets: ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN.
  struct Grant {
    std::string url;    ///< ends in a query, so that "&audience=" can be added
    std::string token;
  };
  Grant admit(const formats::Json& claims);
  /// The job is over: its token is worth nothing from now on.
  void dismiss(const Grant& grant);
  /// A signed token as the endpoint would give it; empty audience: GitHub's default.
  ///   throws  Error{denied} when the grant is not (or no longer) known
  [[nodiscard]] std::string id_token(const Grant& grant, const std::string& audience) const;
  /// Serves until stopped.
  void run(const std::stop_token& stop);

 private:
  void answer(net::ServerRequest& request, net::ResponseWriter& response);

  const OidcIssuer& issuer_;
  std::string base_;
  Guarded<std::map<std::string, formats::Json>> jobs_;  // bearer token -> claims
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace slipway::workflow
