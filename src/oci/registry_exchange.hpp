// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.hpp"
#include "oci/registry_server.hpp"

namespace slipway::oci {

/// Bytes [first, last] of a content.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  [[nodiscard]] std::uint64_t size() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

/// What a Range header asks of a content of `size` bytes.
struct RangeAnswer {
  enum class Kind { whole, part, unsatisfiable };
  Kind kind = Kind::whole;
  std::vector<ByteRange> ranges;  ///< of Kind::part: in the order in which they were asked for
  bool operator==(const RangeAnswer&) const = default;
};
/// A header that is no byte range means the whole, and so do several that are more than the whole together: who asks so wants to
/// tire the server. source RFC 9110, 14.1 and 14.2
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
  /// True when If-None-Match names what is here. source RFC 9110, 13.1.2
  [[nodiscard]] bool client_has(const Digest& digest) const;
  [[nodiscard]] Digest digest_argument(std::string_view text) const;

  void catalog();
  void tags();
  void send_page(const std::string& path, std::string_view key, const std::string& repository,
                 std::vector<std::string> names, std::size_t limit);
  [[nodiscard]] std::size_t page_size() const;
  void manifest();
  void get_manifest();
  void put_manifest();
  PushedManifest put_tagged(ManifestPush& push, const std::string& tag);
  [[nodiscard]] std::string read_manifest() const;
  /// throws RegistryRefusal DENIED when there is no room for that many bytes
  void check_quota(std::uint64_t bytes) const;
  void delete_manifest();
  void referrers();

  void blob();
  void get_blob(const Digest& digest);
  void send_ranges(net::Headers headers, const os::Fd& file, const std::vector<ByteRange>& ranges,
                   std::uint64_t size);
  void begin_upload();
  bool mount(const std::string& digest);
  void upload();
  void append();
  void finish();
  UploadStatus append_body();
  [[nodiscard]] std::optional<ByteRange> chunk() const;
  [[nodiscard]] UploadLimits limits() const;
  [[nodiscard]] net::HttpResponse with_progress(net::HttpResponse answer,
                                                const UploadStatus& upload) const;
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
