// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "formats/json.hpp"
#include "formats/jwt.hpp"
#include "formats/time.hpp"

namespace slipway::workflow {

inline constexpr std::string_view kOidcIssuer = "https://token.actions.githubusercontent.com";

/// What a job's token says about it.
struct OidcFacts {
  formats::Json github;     ///< the `github` context
  std::string environment;  ///< empty: none
  std::string
      job_workflow_ref;  ///< "owner/repo/.github/workflows/x.yml@refs/heads/main"; empty: github.workflow_ref
  std::string check_run_id;
};

/// The claims of a token but for aud, iat, nbf, exp and jti, as GitHub makes them.
///   source  docs.github.com, "OpenID Connect reference"; facts a.10
formats::Json oidc_claims(const OidcFacts& facts);

/// "repo:O/R:environment:E", "repo:O/R:pull_request" or "repo:O/R:ref:refs/heads/B", with ':' inside values as %3A.
std::string oidc_subject(const OidcFacts& facts);

/// Whether `github` is of a pull request from a fork: its jobs get no OIDC token, whatever the workflow asks for.
///   source  docs.github.com, "Permissions for the GITHUB_TOKEN": forks read at most
bool is_from_fork(const formats::Json& github);

/// Signs job tokens with a key that is kept: key.pem and jwks.json in its directory.
class OidcIssuer final {
 public:
  /// Loads the key, or makes one (once, whoever comes first).
  explicit OidcIssuer(const std::filesystem::path& directory);
  /// A token for `audience`, good for five minutes.
  [[nodiscard]] std::string sign(const formats::Json& claims, const std::string& audience,
                                 formats::Time now) const;
  [[nodiscard]] formats::Json jwks() const;

 private:
  std::unique_ptr<formats::RsaKey> key_;
};

}  // namespace slipway::workflow
