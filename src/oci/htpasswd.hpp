// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/guarded.hpp"
#include "oci/registry_server.hpp"

namespace slipway::oci {

/// Lets in whom a password file names, for everything. Lines "USER:HASH"; HASH is what `htpasswd -B` writes (bcrypt, "$2y$…"), another
/// hash that crypt(3) knows by its "$…$", or "{SHA256}" and 64 hexadecimal digits.
///   threads  any
class HtpasswdPolicy : public RegistryPolicy {
 public:
  /// throws Error{bad_input} with file:line
  HtpasswdPolicy(std::string_view text, const std::string& file);
  std::optional<net::HttpResponse> authorise(const net::ServerRequest& request,
                                             RegistryAction action,
                                             std::string_view repository) override;
  /// True when the user's password is this.
  [[nodiscard]] bool admits(const std::string& user, const std::string& password) const;

 private:
  [[nodiscard]] bool fits(const std::string& hash, const std::string& password) const;
  std::map<std::string, std::string> hashes_;
  // A bcrypt takes tens of milliseconds by design: a password that fitted once is known by a keyed hash.
  std::string salt_;
  mutable Guarded<std::map<std::string, std::string>> admitted_;
};

}  // namespace slipway::oci
