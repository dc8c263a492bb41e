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
#include "workflow/toolkit_services.hpp"

namespace slipway::workflow {

/// The services behind a run's toolkit: OIDC tokens, caches, artifacts. Serves on an address that jobs reach.
class ToolkitServer final {
 public:
  /// Where caches and runs are kept.
  struct Places {
    std::filesystem::path caches;  ///< STATE/cache
    std::filesystem::path runs;    ///< STATE/runs
  };
  /// Binds at once. `address` "10.213.4.1:0".
  ToolkitServer(const std::string& address, const OidcIssuer& issuer, const Places& places,
                Log& log);
  ToolkitServer(const ToolkitServer&) = delete;
  ToolkitServer& operator=(const ToolkitServer&) = delete;
  ~ToolkitServer();

  /// What a job gets.
  struct Grant {
    std::string
        url;  ///< ACTIONS_ID_TOKEN_REQUEST_URL: ends in a query, so that "&audience=" can be added
    std::string token;          ///< ACTIONS_ID_TOKEN_REQUEST_TOKEN; empty without `id-token: write`
    std::string service_url;    ///< ACTIONS_RESULTS_URL and its like
    std::string runtime_token;  ///< ACTIONS_RUNTIME_TOKEN
  };
  /// `claims`  of its OIDC tokens; nothing: it may have none
  Grant admit(const ToolkitJob& job, const std::optional<formats::Json>& claims);
  /// The job is over: its tokens are worth nothing from now on.
  void dismiss(const Grant& grant);
  /// A signed token as the endpoint would give it; empty audience: GitHub's default.
  ///   throws  Error{denied} when the grant is not (or no longer) known
  [[nodiscard]] std::string id_token(const Grant& grant, const std::string& audience) const;
  /// Serves until stopped.
  void run(const std::stop_token& stop);

 private:
  ToolkitServer(net::Listener listener, const OidcIssuer& issuer, const Places& places, Log& log);
  void answer(net::ServerRequest& request, net::ResponseWriter& response);
  void answer_oidc(net::ServerRequest& request, net::ResponseWriter& response) const;
  ToolkitAnswer answer_twirp(const ToolkitJob& job, net::ServerRequest& request);
  ToolkitAnswer answer_v1(const ToolkitJob& job, net::ServerRequest& request);

  const OidcIssuer& issuer_;
  std::string base_;
  Guarded<std::map<std::string, formats::Json>> claims_;  // by OIDC request token
  Guarded<std::map<std::string, ToolkitJob>> jobs_;       // by runtime token
  BlobServer blobs_;
  ToolkitCaches caches_;
  ToolkitArtifacts artifacts_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace slipway::workflow
