// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "net/stream.hpp"
#include "os/fd.hpp"

namespace slipway::net {

/// PEM texts.
struct KeyAndCertificate {
  std::string key;
  std::string certificate;  ///< the leaf first, then those that signed it
};

/// A local certificate authority (ECDSA P-256). Safe to use from several threads.
class CertificateAuthority final {
 public:
  /// A new key and a self-signed certificate, valid for ten years.
  static CertificateAuthority create(std::string_view common_name);
  /// throws Error{bad_input} when they are no PEM or do not belong together
  static CertificateAuthority load(std::string_view key_pem, std::string_view certificate_pem);
  /// directory/ca.key (0600) and directory/ca.crt, made when there are none. Safe against others
  /// doing the same.
  static CertificateAuthority load_or_create(const std::filesystem::path& directory,
                                             std::string_view common_name);
  CertificateAuthority(CertificateAuthority&&) noexcept;
  CertificateAuthority& operator=(CertificateAuthority&&) noexcept;
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;
  ~CertificateAuthority();

  /// A server certificate for DNS names (wildcards too) and IP addresses, valid for 397 days from
  /// yesterday.
  ///   names  at least one; the first is the subject's common name
  [[nodiscard]] KeyAndCertificate issue(std::span<const std::string> names) const;
  [[nodiscard]] std::string certificate_pem() const;
  [[nodiscard]] std::string key_pem() const;

 private:
  struct State;
  explicit CertificateAuthority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The server's end of TLS (1.2 and 1.3, ALPN http/1.1): answers each name a client asks for (SNI)
/// with a certificate that the authority issues when it is first asked for.
class TlsServer final {
 public:
  /// authority   must outlive this object
  /// names       patterns of the names to serve ("*.amazonaws.com" covers any depth); another name
  /// or none gets `names` and
  ///             the socket's own address in one certificate
  TlsServer(const CertificateAuthority& authority, std::vector<std::string> names);
  /// Answers every name with one certificate.
  ///   certificate, key   PEM files; the certificate's chain follows it
  ///   throws             Error{bad_input} when they cannot be read or do not fit
  TlsServer(const std::string& certificate, const std::string& key);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer();
  /// Shakes hands on an accepted socket. throws Error{unavailable} when the client does not go
  /// along
  [[nodiscard]] std::unique_ptr<Stream> accept(os::Fd&& socket,
                                               std::chrono::milliseconds timeout) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::net
