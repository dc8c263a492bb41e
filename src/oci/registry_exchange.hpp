// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.hpp"
#include "oci/registry_server.hpp"

namespace slipway::oci {

/// Bytes [first, last] of a content.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const ByteRange&) const = default;
};

/// What a Range header asks of a content of `size` bytes.
struct RangeAnswer {
  enum class Kind { whole, part, unsatisfiable };
  Kind kind = Kind::whole;
  ByteRange range;
  bool operator==(const RangeAnswer&) const = default;
};
/// One range only; a header that is no byte range, or several, means the whole. source RFC
/// 9110, 14.1 and 14.2
RangeAnswer parse_range(std::string_view header, std::uint64_t size);
/// "a-b", also with "bytes " before and "/n" behind. source OCI distribution-spec 1.1, "Pushing a
/// blob in chunks"
std::optional<ByteRange> parse_content_range(std::string_view header);

/// One request to a registry: what it was given, and the answers every branch shares.
class RegistryExchange final {
 public:
  RegistryExchange(RegistryStore& store, RegistryPolicy& policy,
                   const RegistryServerOptions& options, net::ServerRequest& request,
                   net::ResponseWriter& response)
      : store_(store), policy_(policy), options_(options), request_(request), response_(response) {}
  /// Answers, or throws RegistryRefusal for handle() to answer.
  void run();

 private:
  void authorise(RegistryAction action, std::string_view repository);
  void require_repository(const std::string& repository);
  void ensure_repository(const std::string& repository);
  void require_delete();
  [[noreturn]] void refuse_method(std::string_view allowed);
  [[nodiscard]] bool is_reading() const {
    return request_.method == "GET" || request_.method == "HEAD";
  }
  [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
  [[nodiscard]] Digest digest_argument(std::string_view text) const;

  void catalog();
  void tags();
  void send_page(const std::string& path, std::string_view key, const std::string& repository,
                 std::vector<std::string> names, std::size_t limit);
  [[nodiscard]] std::size_t page_size() const;
  void manifest();
  void get_manifest();
  void put_manifest();
  void delete_manifest();
  void referrers();

  void blob();
  void get_blob(const Digest& digest);
  void begin_upload();
  bool mount(const std::string& digest);
  void upload();
  void append();
  void finish();
  [[nodiscard]] std::optional<std::uint64_t> chunk_start() const;
  [[nodiscard]] std::uint64_t most_upload() const;
  void send_upload(int status, const UploadStatus& upload);
  void send_created_blob(const Digest& digest);

  RegistryStore& store_;
  RegistryPolicy& policy_;
  const RegistryServerOptions& options_;
  net::ServerRequest& request_;
  net::ResponseWriter& response_;
  RegistryPath path_;
};

/// Sent instead of a RegistryRefusal when the policy made the whole answer.
class RegistryAnswer final : public std::exception {
 public:
  explicit RegistryAnswer(net::HttpResponse response) : response_(std::move(response)) {}
  [[nodiscard]] const net::HttpResponse& response() const { return response_; }

 private:
  net::HttpResponse response_;
};

/// Status and the header that every answer of a registry has.
net::HttpResponse registry_response(int status);

}  // namespace slipway::oci
