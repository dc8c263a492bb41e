// SPDX-License-Identifier: Apache-2.0
// The registry's answers about blobs and uploads.
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/io.hpp"
#include "net/url.hpp"
#include "oci/reference.hpp"
#include "oci/registry_exchange.hpp"

namespace slipway::oci {
namespace {

using net::HttpResponse;

constexpr const char* kOtherLength = "the body is not as long as its Content-Range says";

std::string served_path(std::string_view repository, const Digest& digest) {
  return fmt::format("/v2/{}/blobs/{}", repository, digest);
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return fmt::format("bytes {}-{}/{}", range.first, range.last, size);
}

}  // namespace

void RegistryExchange::blob() {
  if (!is_reading() && request_.method != "DELETE") refuse_method("GET, HEAD, DELETE");
  Digest digest = digest_argument(path_.argument);
  if (is_reading()) return get_blob(digest);
  require_delete();
  require_repository(path_.repository);
  if (!store_.delete_blob(path_.repository, digest)) {
    throw RegistryRefusal(404, "BLOB_UNKNOWN", "blob unknown to registry", digest.str());
  }
  response_.send(registry_response(202));
}

void RegistryExchange::get_blob(const Digest& digest) {
  policy_.wants_blob(path_.repository, digest, request_.stop);
  auto size = store_.blob_size(path_.repository, digest);
  if (!size) {
    require_repository(path_.repository);
    throw RegistryRefusal(404, "BLOB_UNKNOWN", "blob unknown to registry", digest.str());
  }
  std::string tag = "\"" + digest.str() + "\"";
  HttpResponse answer = registry_response(200);
  answer.headers.set("Docker-Content-Digest", digest.str());
  answer.headers.set("ETag", tag);
  answer.headers.set("Cache-Control", "max-age=31536000");
  answer.headers.set("Accept-Ranges", "bytes");
  if (client_has(digest)) {
    answer.status = 304;
    return response_.send(answer);
  }
  answer.headers.set("Content-Type", "application/octet-stream");
  if (request_.method == "HEAD") {
    answer.headers.set("Content-Length", std::to_string(*size));
    return response_.send(answer);
  }
  RangeAnswer range;
  bool may_be_partial =
      !request_.headers.contains("If-Range") || request_.headers.get("If-Range") == tag;
  if (auto header = request_.headers.find("Range"); header && may_be_partial)
    range = parse_range(*header, *size);
  if (range.kind == RangeAnswer::Kind::unsatisfiable) {
    HttpResponse refusal = registry_error(416, "SIZE_INVALID", "the range is not satisfiable");
    refusal.headers.set("Content-Range", fmt::format("bytes */{}", *size));
    return response_.send(refusal);
  }
  auto file = store_.open_blob(path_.repository, digest);
  if (!file) throw RegistryRefusal(404, "BLOB_UNKNOWN", "blob unknown to registry", digest.str());
  if (range.kind == RangeAnswer::Kind::whole)
    return response_.send_file(200, answer.headers, *file, 0, *size);
  if (range.ranges.size() > 1)
    return send_ranges(std::move(answer.headers), *file, range.ranges, *size);
  ByteRange only = range.ranges.front();
  answer.headers.set("Content-Range", content_range(only, *size));
  response_.send_file(206, answer.headers, *file, only.first, only.size());
}

// source RFC 9110, 15.3.7.2 and 14.6. What a zstd:chunked layer's client asks for.
void RegistryExchange::send_ranges(net::Headers headers, const os::Fd& file,
                                   const std::vector<ByteRange>& ranges, std::uint64_t size) {
  std::string boundary = hex(random_bytes(16));
  std::vector<std::string> heads;
  std::string end = fmt::format("\r\n--{}--\r\n", boundary);
  std::uint64_t length = end.size();
  for (const ByteRange& range : ranges) {
    heads.push_back(fmt::format(
        "\r\n--{}\r\nContent-Type: application/octet-stream\r\nContent-Range: {}\r\n\r\n", boundary,
        content_range(range, size)));
    length += heads.back().size() + range.size();
  }
  headers.set("Content-Type", "multipart/byteranges; boundary=" + boundary);
  formats::Writer& body = response_.start(206, headers, length);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    body.write(heads[i]);
    formats::FileRangeReader part(file.get(), ranges[i].first, ranges[i].size());
    formats::copy_all(part, body);
  }
  body.write(end);
  response_.end();
}

void RegistryExchange::begin_upload() {
  if (request_.method != "POST") refuse_method("POST");
  auto mount_digest = query("mount");
  auto digest = query("digest");
  auto algorithm = query("digest-algorithm");
  if (algorithm && *algorithm != "sha256" && *algorithm != "sha512") {
    throw RegistryRefusal(400, "UNSUPPORTED", "digests are sha256 or sha512",
                          algorithm->substr(0, 50));
  }
  ensure_repository(path_.repository);
  if (mount_digest && mount(*mount_digest)) return;
  std::optional<Digest> whole;
  if (digest) whole = digest_argument(*digest);
  check_quota(std::max<std::uint64_t>(1, request_.body_size.value_or(0)));
  std::string id = store_.begin_upload(path_.repository);
  if (!whole) return send_upload(202, {id, 0});
  try {
    store_.append_upload(path_.repository, id, *request_.body, std::nullopt, limits());
    store_.finish_upload(path_.repository, id, *whole);
  } catch (...) {
    store_.cancel_upload(path_.repository, id);  // nobody was told its name
    throw;
  }
  send_created_blob(*whole);
}

// False: the client is to upload.
bool RegistryExchange::mount(const std::string& text) {
  Digest digest = digest_argument(text);
  std::string from = query("from").value_or("");
  bool is_here = store_.blob_size(path_.repository, digest).has_value();
  if (!is_here) {
    if (from.empty() || !is_repository(from) || !policy_.allows_mount(path_.repository, from))
      return false;
    // Not allowed to read the source: 202 as if it had none. 403 would make containerd give the
    // push up.
    if (policy_.authorise(request_, RegistryAction::pull, from)) return false;
    if (!store_.mount_blob(path_.repository, from, digest)) return false;
  }
  send_created_blob(digest);
  return true;
}

void RegistryExchange::upload() {
  if (request_.method == "PATCH") return append();
  if (request_.method == "PUT") return finish();
  if (request_.method != "GET" && request_.method != "HEAD" && request_.method != "DELETE")
    refuse_method("GET, PATCH, PUT, DELETE");
  if (request_.method == "DELETE") {
    if (!store_.cancel_upload(path_.repository, path_.argument)) {
      throw RegistryRefusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry",
                            path_.argument.substr(0, 100));
    }
    return response_.send(registry_response(204));
  }
  auto status = store_.upload(path_.repository, path_.argument);
  if (!status)
    throw RegistryRefusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry",
                          path_.argument.substr(0, 100));
  send_upload(204, *status);
}

// Which bytes of the blob the request's body is, by its Content-Range.
std::optional<ByteRange> RegistryExchange::chunk() const {
  auto header = request_.headers.find("Content-Range");
  if (!header) return std::nullopt;
  auto range = parse_content_range(*header);
  if (!range)
    throw RegistryRefusal(400, "BLOB_UPLOAD_INVALID", "Content-Range must be START-END",
                          header->substr(0, 100));
  if (request_.body_size && *request_.body_size != range->last - range->first + 1)
    throw RegistryRefusal(400, "SIZE_INVALID", kOtherLength, header->substr(0, 100));
  return range;
}

UploadLimits RegistryExchange::limits() const {
  return {options_.most_blob_bytes, options_.most_total_bytes};
}

// Appends the body to the upload; a chunk that is not the next one is told where the upload stands.
// source OCI distribution-spec 1.1, "Pushing a blob in chunks"
UploadStatus RegistryExchange::append_body() {
  check_quota(std::max<std::uint64_t>(1, request_.body_size.value_or(0)));
  auto range = chunk();
  try {
    auto first = range ? std::optional(range->first) : std::nullopt;
    UploadStatus now =
        store_.append_upload(path_.repository, path_.argument, *request_.body, first, limits());
    if (range && now.size != range->last + 1)  // a chunked body has no length to compare before
      throw RegistryRefusal(400, "SIZE_INVALID", kOtherLength,
                            request_.headers.get("Content-Range"));
    return now;
  } catch (const RegistryRefusal& refusal) {
    auto now = store_.upload(path_.repository, path_.argument);
    if (refusal.status() != 416 || !now) throw;
    throw RegistryAnswer(
        with_progress(registry_error(416, refusal.code(), refusal.message()), *now));
  }
}

void RegistryExchange::append() { send_upload(202, append_body()); }

void RegistryExchange::finish() {
  auto text = query("digest");
  if (!text) throw RegistryRefusal(400, "DIGEST_INVALID", "the digest is missing");
  Digest digest = digest_argument(*text);
  bool has_body =
      !request_.body_size || *request_.body_size > 0 || request_.headers.contains("Content-Range");
  if (has_body) append_body();
  store_.finish_upload(path_.repository, path_.argument, digest);
  send_created_blob(digest);
}

HttpResponse RegistryExchange::with_progress(HttpResponse answer,
                                             const UploadStatus& upload) const {
  answer.headers.set("Location",
                     fmt::format("/v2/{}/blobs/uploads/{}", path_.repository, upload.id));
  answer.headers.set("Range", fmt::format("0-{}", upload.size == 0 ? 0 : upload.size - 1));
  answer.headers.set("Docker-Upload-UUID", upload.id);
  return answer;
}

void RegistryExchange::send_upload(int status, const UploadStatus& upload) {
  response_.send(with_progress(registry_response(status), upload));
}

void RegistryExchange::send_created_blob(const Digest& digest) {
  HttpResponse answer = registry_response(201);
  answer.headers.set("Location", served_path(path_.repository, digest));
  answer.headers.set("Docker-Content-Digest", digest.str());
  response_.send(answer);
}

}  // namespace slipway::oci
