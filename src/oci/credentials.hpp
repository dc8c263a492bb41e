// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

namespace slipway::oci {

/// What a registry is told about who asks.
struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  ///< an OAuth2 refresh token instead of a password
  bool operator==(const Credentials&) const = default;
};

/// Credentials for a registry host ("docker.io", "ghcr.io", "127.0.0.1:5000"), or nothing to go
/// without. Called from several threads.
using CredentialProvider = std::function<std::optional<Credentials>(const std::string& host)>;

/// Looks a host up as the docker command line does: `credHelpers`, `credsStore`, then `auths` of
/// DIRECTORY/config.json. A helper is the program docker-credential-NAME in PATH.
///   directory  empty: $DOCKER_CONFIG, else ~/.docker
///   throws     (when called) Error{bad_input} for a file that is no such file, Error{failed} when
///   a helper fails
CredentialProvider docker_config_credentials(std::filesystem::path directory = {});

/// The first that has something for the host.
CredentialProvider first_of(CredentialProvider first, CredentialProvider second);

/// Adds or replaces a host's entry in DIRECTORY/config.json, as `docker login` does: 0600, other
/// keys kept, replaced atomically.
void save_docker_login(const std::filesystem::path& directory, const std::string& host,
                       const Credentials& credentials);
/// Takes the entry away; false when there was none.
bool remove_docker_login(const std::filesystem::path& directory, const std::string& host);

}  // namespace slipway::oci
