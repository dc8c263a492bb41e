// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace slipway::aws {

/// What signs a call.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< empty for long-lived keys
  bool operator==(const Credentials&) const = default;
};

/// Where calls go and who makes them, as AWS's SDKs read it from the environment.
struct Config {
  std::string region;
  std::optional<Credentials> credentials;  ///< nothing: only unsigned calls can be made
  std::string endpoint_url;                ///< AWS_ENDPOINT_URL; empty: the real host names
  std::map<std::string, std::string>
      endpoint_urls;      ///< by service id in lower case: AWS_ENDPOINT_URL_<SERVICE>
  std::string ca_bundle;  ///< AWS_CA_BUNDLE; empty: the system's
  /// {"host:port" pattern, "address:port"}: where names are answered that no resolver knows (net::HttpClientOptions).
  std::vector<std::pair<std::string, std::string>> connect_to;
  /// Keys that follow expired ones; nothing when there are none. Called from the thread whose call found them expired; may be empty.
  std::function<std::optional<Credentials>()> renewed;
};

/// Reads AWS_REGION (else AWS_DEFAULT_REGION), AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
/// AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>, AWS_CA_BUNDLE, and where keys are missing the profile AWS_PROFILE (else
/// "default") of AWS_SHARED_CREDENTIALS_FILE's text and its region of AWS_CONFIG_FILE's.
///   credentials_file, config_file   the texts of those files, empty when there are none
Config read_config(const std::map<std::string, std::string>& environment,
                   const std::string& credentials_file = {}, const std::string& config_file = {});

/// The address calls to `service` ("ecs", "sts", …) go to: scheme and authority without a path.
std::string endpoint_of(const Config& config, const std::string& service);

}  // namespace slipway::aws
