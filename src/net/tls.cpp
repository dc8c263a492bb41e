// SPDX-License-Identifier: Apache-2.0
#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace slipway::net {
namespace {

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string openssl_error() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

void set_socket_timeout(int fd, std::chrono::milliseconds span) {
  timeval time{span.count() / 1000, static_cast<suseconds_t>(span.count() % 1000 * 1000)};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

class TlsStream final : public Stream {
 public:
  TlsStream(os::Fd socket, std::unique_ptr<SSL, FreeSsl> ssl)
      : socket_(std::move(socket)), ssl_(std::move(ssl)) {}

  std::size_t read(std::span<char> into) override {
    ERR_clear_error();
    std::size_t count = 0;
    if (SSL_read_ex(ssl_.get(), into.data(), into.size(), &count) == 1) return count;
    if (SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN) return 0;
    refuse("reading from");
  }
  void write(std::string_view bytes) override {
    while (!bytes.empty()) {
      ERR_clear_error();
      std::size_t count = 0;
      if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count) != 1) refuse("writing to");
      bytes.remove_prefix(count);
    }
  }
  void set_timeout(std::chrono::milliseconds span) override {
    set_socket_timeout(socket_.get(), span);
  }
  void end_writing() override {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    ::shutdown(socket_.get(), SHUT_WR);
  }
  [[nodiscard]] int fd() const override { return socket_.get(); }
  [[nodiscard]] bool is_plain() const override { return false; }
  [[nodiscard]] bool has_buffered() const override { return SSL_has_pending(ssl_.get()) == 1; }

 private:
  /// Blocking socket: WANT_READ and WANT_WRITE mean that the socket's timeout passed.
  [[noreturn]] void refuse(std::string_view doing) const {
    int error = errno;
    int code = SSL_get_error(ssl_.get(), 0);
    bool is_late = code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE ||
                   (code == SSL_ERROR_SYSCALL && (error == EAGAIN || error == EWOULDBLOCK));
    std::string cause = is_late                     ? "timed out"
                        : code == SSL_ERROR_SYSCALL ? std::strerror(error)
                                                    : openssl_error();
    fail(Fault::unavailable, "{} {} (TLS): {}", doing, peer_address(socket_), cause);
  }

  os::Fd socket_;
  std::unique_ptr<SSL, FreeSsl> ssl_;  // ends before the socket closes
};

/// The chain and key of one issued certificate, ready for SSL.
struct Credential {
  explicit Credential(const KeyAndCertificate& pem) {
    std::unique_ptr<BIO, decltype(&BIO_free_all)> keys(
        BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size())), &BIO_free_all);
    key = PEM_read_bio_PrivateKey(keys.get(), nullptr, nullptr, nullptr);
    std::unique_ptr<BIO, decltype(&BIO_free_all)> certificates(
        BIO_new_mem_buf(pem.certificate.data(), static_cast<int>(pem.certificate.size())),
        &BIO_free_all);
    leaf = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr);
    ERR_clear_error();
  }
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;
  ~Credential() {
    EVP_PKEY_free(key);
    X509_free(leaf);
  }
  EVP_PKEY* key = nullptr;
  X509* leaf = nullptr;
};

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned length, void*) {
  static constexpr std::array<unsigned char, 9> kHttp11 = {8,   'h', 't', 't', 'p',
                                                           '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kHttp11.data(), kHttp11.size(), offered, length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct TlsServer::State {
  const CertificateAuthority* authority;  // nullptr: one certificate for all
  std::vector<std::string> names;
  std::unique_ptr<SSL_CTX, FreeContext> context;
  // Shared: the map, and handshakes that still use one while the map is emptied.
  Guarded<std::map<std::string, std::shared_ptr<const Credential>>> issued;

  State(const CertificateAuthority* signer, std::vector<std::string> patterns)
      : authority(signer), names(std::move(patterns)) {
    context.reset(SSL_CTX_new(TLS_server_method()));
    if (!context) fail(Fault::unavailable, "TLS: {}", openssl_error());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_alpn_select_cb(context.get(), &choose_protocol, nullptr);
  }

  [[nodiscard]] std::vector<std::string> names_for(const char* asked, int fd) const {
    if (asked != nullptr) {
      std::string name = to_lower(asked);
      bool is_known = parse_host_port(name).has_value() &&
                      std::ranges::any_of(names, [&](const std::string& pattern) {
                        return matches_wildcard(pattern, name);
                      });
      if (is_known) return {name};
    }
    std::vector<std::string> all = names;
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0 &&
        storage.ss_family != AF_UNIX) {
      os::Fd borrowed(fd);
      auto local = parse_host_port(local_address(borrowed));
      static_cast<void>(borrowed.release());
      if (local) all.push_back(local->host);
    }
    return all;
  }

  std::shared_ptr<const Credential> credential(const std::vector<std::string>& wanted) {
    constexpr std::size_t kMost = 4096;
    std::string key = join(wanted, " ");
    std::shared_ptr<const Credential> found;
    issued.read([&](const auto& map) {
      if (auto entry = map.find(key); entry != map.end()) found = entry->second;
    });
    if (found) return found;
    found = std::make_shared<const Credential>(authority->issue(wanted));
    issued.with([&](auto& map) {
      if (map.size() >= kMost) map.clear();
      map.insert_or_assign(key, found);
    });
    return found;
  }

  static int choose_certificate(SSL* ssl, void* state) noexcept {
    try {
      auto& self = *static_cast<State*>(state);
      auto wanted =
          self.names_for(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), SSL_get_fd(ssl));
      auto credential = self.credential(wanted);
      return SSL_use_certificate(ssl, credential->leaf) == 1 &&
                     SSL_use_PrivateKey(ssl, credential->key) == 1
                 ? 1
                 : 0;
    } catch (const std::exception&) {
      return 0;  // an alert ends the handshake; accept() throws
    }
  }
};

TlsServer::TlsServer(const CertificateAuthority& authority, std::vector<std::string> names)
    : state_(std::make_unique<State>(&authority, std::move(names))) {
  if (state_->names.empty()) fail(Fault::bad_input, "a TLS server needs a name");
  SSL_CTX_set_cert_cb(state_->context.get(), &State::choose_certificate, state_.get());
}

TlsServer::TlsServer(const std::string& certificate, const std::string& key)
    : state_(std::make_unique<State>(nullptr, std::vector<std::string>{})) {
  SSL_CTX* context = state_->context.get();
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    fail(Fault::bad_input, "certificate '{}': {}", certificate, openssl_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    fail(Fault::bad_input, "key '{}': {}", key, openssl_error());
  }
}

TlsServer::~TlsServer() = default;

std::unique_ptr<Stream> TlsServer::accept(os::Fd&& socket,
                                          std::chrono::milliseconds timeout) const {
  set_socket_timeout(socket.get(), timeout);
  std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(state_->context.get()));
  if (!ssl || SSL_set_fd(ssl.get(), socket.get()) != 1)
    fail(Fault::unavailable, "TLS: {}", openssl_error());
  ERR_clear_error();
  if (SSL_accept(ssl.get()) != 1) {
    fail(Fault::unavailable, "TLS handshake with {}: {}", peer_address(socket),
         ERR_peek_error() == 0 ? "the client broke off" : openssl_error());
  }
  return std::make_unique<TlsStream>(std::move(socket), std::move(ssl));
}

}  // namespace slipway::net
