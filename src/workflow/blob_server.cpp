// SPDX-License-Identifier: Apache-2.0
#include "workflow/blob_server.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/io.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"
#include "formats/xml.hpp"
#include "net/url.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestList = 8U << 20;  // 50,000 blocks, the most a blob may have

net::Headers azure_headers() {
  net::Headers headers;
  headers.set("x-ms-version", "2024-11-04");
  headers.set("x-ms-request-id", uuid());
  headers.set("x-ms-request-server-encrypted", "true");
  return headers;
}

void send_error(net::ResponseWriter& response, int status, std::string_view code,
                std::string_view message) {
  formats::XmlWriter xml(true);
  xml.open("Error").element("Code", code).element("Message", message).close();
  auto answer = net::text_response(status, xml.str(), "application/xml");
  answer.headers.set("x-ms-error-code", code);
  response.send(answer);
}

void send_created(net::ResponseWriter& response) {
  net::HttpResponse answer{.status = 201, .headers = azure_headers(), .body = {}};
  answer.headers.set("ETag", "\"" + uuid() + "\"");
  answer.headers.set("Last-Modified", formats::http_date(formats::now()));
  response.send(answer);
}

// Block ids are the client's own bytes: as digits they are a file name.
fs::path block_file(const fs::path& directory, std::string_view id) {
  return directory / ("block-" + hex(id));
}

void write_body(net::ServerRequest& request, const fs::path& file) {
  auto aside = file.string() + "." + uuid();
  {
    auto out = os::open_file(aside, O_WRONLY | O_CREAT | O_EXCL);
    formats::FdWriter writer(out.get());
    formats::copy_all(*request.body, writer);
  }
  fs::rename(aside, file);
}

// The blocks in the list's order become the blob.
bool join_blocks(const fs::path& directory, const formats::XmlNode& list) {
  auto aside = directory / "blob.new";
  auto out = os::open_file(aside.string(), O_WRONLY | O_CREAT | O_TRUNC);
  formats::FdWriter writer(out.get());
  for (const auto& block : list.children) {
    auto file = block_file(directory, block.text);
    if (!fs::exists(file)) return false;
    auto in = os::open_file(file.string(), O_RDONLY);
    formats::FdReader reader(in.get());
    formats::copy_all(reader, writer);
  }
  fs::rename(aside, directory / "blob");
  for (const auto& block : list.children) {
    std::error_code none;  // one block may be in the list twice
    fs::remove(block_file(directory, block.text), none);
  }
  return true;
}

}  // namespace

std::string BlobServer::offer(Place place) {
  auto signature = base64url(random_bytes(24));
  places_.with([&](auto& places) { places[signature] = std::move(place); });
  // Clients take the first two parts of the path for an account and a container.
  return fmt::format("{}{}slipway/{}?se={}&sp=rw&sig={}", base_, kBlobPath,
                     formats::sha256_hex(signature).substr(0, 16),
                     net::percent_encode(formats::iso8601(formats::now() + std::chrono::hours(6))),
                     signature);
}

std::string BlobServer::upload_url(const fs::path& directory) {
  return offer({.path = directory, .is_upload = true});
}

std::string BlobServer::download_url(const fs::path& file, const std::string& name,
                                     const std::string& type) {
  return offer({.path = file, .name = name, .type = type});
}

void BlobServer::revoke(const std::string& url) {
  auto parsed = net::parse_url(url);
  auto signature = parsed ? net::query_value(parsed->query, "sig") : std::nullopt;
  if (signature) places_.with([&](auto& places) { places.erase(*signature); });
}

void BlobServer::answer(net::ServerRequest& request, net::ResponseWriter& response) {
  auto signature = net::query_value(request.query, "sig").value_or("");
  auto place = places_.read([&](const auto& places) -> std::optional<Place> {
    auto found = places.find(signature);
    if (found == places.end()) return std::nullopt;
    return found->second;
  });
  if (!place)
    return send_error(response, 403, "AuthenticationFailed",
                      "the URL's signature is not (or no longer) valid");
  if (request.method == "PUT" && place->is_upload) return put(*place, request, response);
  if ((request.method == "GET" || request.method == "HEAD") && !place->is_upload)
    return get(*place, request, response);
  send_error(response, 403, "AuthorizationPermissionMismatch",
             "the URL is not for " + request.method);
}

void BlobServer::put(const Place& place, net::ServerRequest& request,
                     net::ResponseWriter& response) {
  auto what = net::query_value(request.query, "comp").value_or("");
  if (what == "block") {
    auto id = net::query_value(request.query, "blockid").value_or("");
    if (id.empty() || id.size() > 88)
      return send_error(response, 400, "InvalidQueryParameterValue",
                        "blockid is missing or too long");
    write_body(request, block_file(place.path, id));
    return send_created(response);
  }
  if (what == "blocklist") {
    auto list = formats::parse_xml(request.read_body(kLargestList), "block list");
    if (!join_blocks(place.path, list))
      return send_error(response, 400, "InvalidBlockList", "a block of the list was not put");
    return send_created(response);
  }
  if (!what.empty())
    return send_error(response, 400, "InvalidQueryParameterValue",
                      "comp=" + what + " is not known here");
  write_body(request, place.path / "blob");
  send_created(response);
}

void BlobServer::get(const Place& place, net::ServerRequest& request,
                     net::ResponseWriter& response) {
  auto file = os::open_file(place.path.string(), O_RDONLY | O_NOFOLLOW);
  auto size = static_cast<std::uint64_t>(fs::file_size(place.path));
  auto headers = azure_headers();
  headers.set("Content-Type", place.type);
  headers.set("Content-Disposition",
              "attachment; filename*=UTF-8''" + net::percent_encode(place.name));
  headers.set("Accept-Ranges", "bytes");
  headers.set("x-ms-blob-type", "BlockBlob");
  headers.set("Last-Modified", formats::http_date(formats::now()));
  auto wanted = request.headers.get("x-ms-range", request.headers.get("Range"));
  if (wanted.empty()) return response.send_file(200, headers, file, 0, size);
  auto range = parse_range(wanted, size);
  if (!range) {
    net::HttpResponse answer = net::text_response(416, "");
    answer.headers.set("Content-Range", fmt::format("bytes */{}", size));
    return response.send(answer);
  }
  headers.set("Content-Range",
              fmt::format("bytes {}-{}/{}", range->begin, range->begin + range->length - 1, size));
  response.send_file(206, headers, file, range->begin, range->length);
}

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kBytes = "bytes=";
  if (!header.starts_with(kBytes)) return std::nullopt;
  header.remove_prefix(kBytes.size());
  auto dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
    auto value = to_integer(text);
    if (!value || *value < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
  };
  auto first = number(header.substr(0, dash));
  auto last = number(header.substr(dash + 1));
  if (dash == 0) {  // the last bytes
    if (!last || *last == 0 || size == 0) return std::nullopt;
    auto length = std::min(*last, size);
    return ByteRange{size - length, length};
  }
  if (!first || *first >= size || (last && *last < *first)) return std::nullopt;
  if (!last && dash + 1 != header.size()) return std::nullopt;
  auto end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1};
}

}  // namespace slipway::workflow
