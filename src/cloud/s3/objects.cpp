// SPDX-License-Identifier: Apache-2.0
// Objects: get, put, copy, delete, list.
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/input.hpp"
#include "cloud/protocol.hpp"
#include "cloud/s3/ask.hpp"

namespace slipway::cloud::s3 {
namespace {

constexpr std::size_t kMostKeys = 1000;
constexpr std::size_t kLongestKey = 1024;

// What of a request's headers is kept with the object and given back.
Json kept_headers(const net::Headers& headers) {
  static const std::set<std::string> kKept = {"content-type",     "content-encoding",
                                              "content-language", "content-disposition",
                                              "cache-control",    "expires"};
  Json out = Json::object();
  for (const auto& [name, value] : headers) {
    std::string lower = to_lower(name);
    if (lower == "content-encoding") {
      std::string plain;
      for (const auto& part : split(value, ','))
        if (trim(part) != "aws-chunked")
          plain += (plain.empty() ? "" : ",") + std::string(trim(part));
      if (!plain.empty()) out[lower] = plain;
    } else if (kKept.contains(lower) || lower.starts_with("x-amz-meta-")) {
      out[lower] = value;
    }
  }
  return out;
}

net::Headers headers_of(const Object& object) {
  net::Headers headers;
  headers.set("ETag", "\"" + object.etag + "\"");
  headers.set("Last-Modified", http_time(object.modified_ms));
  headers.set("Accept-Ranges", "bytes");
  headers.set("Content-Type", "binary/octet-stream");
  for (const auto& [name, value] : object.headers.as_object()) headers.set(name, value.as_string());
  if (!object.tags.empty()) headers.set("x-amz-tagging-count", std::to_string(object.tags.size()));
  return headers;
}

struct Range {
  std::uint64_t from = 0;
  std::uint64_t length = 0;
};

// "bytes=0-9", "bytes=5-", "bytes=-3" of `size` bytes; nothing: the whole. throws Refusal InvalidRange
std::optional<Range> range_of(const std::string& header, std::uint64_t size) {
  if (!header.starts_with("bytes=") || header.find(',') != std::string::npos) return std::nullopt;
  auto dash = header.find('-');
  if (dash == std::string::npos) return std::nullopt;
  auto first = to_integer(header.substr(6, dash - 6));
  auto last = to_integer(header.substr(dash + 1));
  if (!first && !last) return std::nullopt;
  auto whole = static_cast<long long>(size);
  long long from = first ? *first : std::max(0LL, whole - *last);
  long long to = first && last ? std::min(*last, whole - 1) : whole - 1;
  if (from < 0 || from >= whole || to < from)
    throw Refusal("InvalidRange", "The requested range is not satisfiable", 416);
  return Range{static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to - from + 1)};
}

bool names_etag(const std::string& header, const std::string& etag) {
  for (const auto& part : split(header, ',')) {
    auto word = trim(part);
    if (word == "*" || word == etag || word == "\"" + etag + "\"") return true;
  }
  return false;
}

// source  S3 user guide, "Categorizing your objects using tags"
void check_tags(const Json& tags) {
  std::set<std::string> keys;
  if (tags.size() > 10) throw Refusal("BadRequest", "Object tags cannot be greater than 10", 400);
  for (const auto& tag : tags.as_array()) {
    std::string key = tag.get_string("Key");
    if (key.empty() || key.size() > 128)
      throw Refusal("InvalidTag", "The TagKey you have provided is invalid", 400);
    if (tag.get_string("Value").size() > 256)
      throw Refusal("InvalidTag", "The TagValue you have provided is invalid", 400);
    if (!keys.insert(key).second)
      throw Refusal("InvalidTag", "Cannot provide multiple Tags with the same key", 400);
  }
}

// Those of x-amz-tagging, "a=b&c=d".
Json header_tags(const net::Headers& headers) {
  Json tags = Json::array();
  for (const auto& field : split(headers.get("x-amz-tagging"), '&')) {
    if (field.empty()) continue;
    auto equals = field.find('=');
    auto decoded = [](std::string_view text) {
      return percent_decode(text, true).value_or(std::string(text));
    };
    tags.push_back(Json::object(
        {{"Key", decoded(field.substr(0, equals))},
         {"Value", equals == std::string::npos ? "" : decoded(field.substr(equals + 1))}}));
  }
  check_tags(tags);
  return tags;
}

// Greater than every key below a common prefix.
std::string past(const std::string& common) { return common + "\xff\xff\xff\xff"; }

std::string shown_key(const std::string& key, bool encodes) {
  return encodes ? percent_encode(key, true) : key;
}

}  // namespace

void Door::object_operation(Ask& ask) {
  const std::string& method = ask.request.method;
  std::string resource = ask.bucket + "/" + ask.key;
  if (ask.key.size() > kLongestKey) throw Refusal("KeyTooLongError", "Your key is too long", 400);
  if (ask.has("tagging")) return tagging_operation(ask);
  if (method == "GET" || method == "HEAD") {
    allow(ask, "GetObject", resource);
    return get_object(ask);
  }
  if (method == "PUT") {
    allow(ask, "PutObject", resource);
    return ask.request.headers.contains("x-amz-copy-source") ? copy_object(ask) : put_object(ask);
  }
  if (method == "DELETE") {
    allow(ask, "DeleteObject", resource);
    store_.erase(ask.bucket, ask.key);
    return ask.send(204);
  }
  throw Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.",
                405);
}

void Door::tagging_operation(Ask& ask) {
  const std::string& method = ask.request.method;
  bool reads = method == "GET";
  allow(ask,
        reads                ? "GetObjectTagging"
        : method == "DELETE" ? "DeleteObjectTagging"
                             : "PutObjectTagging",
        ask.bucket + "/" + ask.key);
  auto object = store_.find(ask.bucket, ask.key);
  if (!object) throw Refusal("NoSuchKey", "The specified key does not exist.", 404);
  if (reads) {
    formats::XmlWriter xml(true);
    xml.open("Tagging", {{"xmlns", "http://s3.amazonaws.com/doc/2006-03-01/"}}).open("TagSet");
    for (const auto& tag : object->tags.as_array()) {
      xml.open("Tag")
          .element("Key", tag.get_string("Key"))
          .element("Value", tag.get_string("Value"))
          .close();
    }
    return ask.send(200, xml.close().close().str());
  }
  if (method != "PUT" && method != "DELETE")
    throw Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.",
                  405);
  object->tags = Json::array();
  if (method == "PUT") {
    formats::XmlNode body = read_xml(ask.request);
    for (const auto& set : body.children) {
      for (const auto& tag : set.children)
        object->tags.push_back(
            Json::object({{"Key", tag.text_of("Key")}, {"Value", tag.text_of("Value")}}));
    }
    check_tags(object->tags);
  }
  store_.put(ask.bucket, *object);
  ask.send(method == "PUT" ? 200 : 204);
}

void Door::get_object(Ask& ask) {
  auto object = store_.find(ask.bucket, ask.key);
  if (!object) throw Refusal("NoSuchKey", "The specified key does not exist.", 404);
  net::Headers headers = headers_of(*object);
  headers.set("x-amz-request-id", ask.call.request_id);
  const auto& asked = ask.request.headers;
  if (auto wanted = asked.find("if-match"); wanted && !names_etag(*wanted, object->etag))
    throw Refusal("PreconditionFailed",
                  "At least one of the pre-conditions you specified did not hold", 412);
  if (auto known = asked.find("if-none-match"); known && names_etag(*known, object->etag))
    return ask.send(304, "", headers);
  for (const auto& [name, header] :
       {std::pair<const char*, const char*>{"response-content-type", "Content-Type"},
        {"response-content-disposition", "Content-Disposition"},
        {"response-cache-control", "Cache-Control"}}) {
    if (ask.has(name)) headers.set(header, ask.get(name));
  }
  auto range = range_of(asked.get("range"), object->size);
  std::uint64_t from = range ? range->from : 0;
  std::uint64_t length = range ? range->length : object->size;
  if (range)
    headers.set("Content-Range",
                fmt::format("bytes {}-{}/{}", from, from + length - 1, object->size));
  if (ask.request.method == "HEAD") {
    headers.set("Content-Length", std::to_string(length));
    return ask.send(range ? 206 : 200, "", headers);
  }
  auto file = store_.open(*object);
  ask.response.send_file(range ? 206 : 200, headers, file, from, length);
}

void Door::put_object(Ask& ask) {
  if (auto wanted = ask.request.headers.find("if-none-match");
      wanted && *wanted == "*" && store_.find(ask.bucket, ask.key))
    throw Refusal("PreconditionFailed",
                  "At least one of the pre-conditions you specified did not hold", 412);
  Json tags = header_tags(ask.request.headers);
  Incoming incoming(store_.data());
  receive(incoming, ask.request, ask.payload_hash,
          ask.chunk_signatures ? &*ask.chunk_signatures : nullptr);
  Object object{.key = ask.key,
                .size = incoming.size(),
                .etag = incoming.md5(),
                .modified_ms = ask.now_ms(),
                .headers = kept_headers(ask.request.headers),
                .file = incoming.keep(),
                .tags = std::move(tags)};
  store_.put(ask.bucket, object);
  ask.send(200, "", {{"ETag", "\"" + object.etag + "\""}});
}

void Door::copy_object(Ask& ask) {
  std::string source = ask.request.headers.get("x-amz-copy-source");
  auto [bucket, key] = place_of("", source.substr(0, source.find('?')));
  allow(ask, "GetObject", bucket + "/" + key);
  auto found = store_.bucket(bucket) ? store_.find(bucket, key) : std::nullopt;
  if (!found) throw Refusal("NoSuchKey", "The specified key does not exist.", 404);
  bool replaces = ask.request.headers.get("x-amz-metadata-directive") == "REPLACE";
  auto file = store_.open(*found);
  formats::FdReader reader(file.get());
  Incoming incoming(store_.data());
  incoming.read(reader);
  Object object{.key = ask.key,
                .size = incoming.size(),
                .etag = incoming.md5(),
                .modified_ms = ask.now_ms(),
                .headers = replaces ? kept_headers(ask.request.headers) : found->headers,
                .file = incoming.keep(),
                .tags = ask.request.headers.get("x-amz-tagging-directive") == "REPLACE"
                            ? header_tags(ask.request.headers)
                            : found->tags};
  store_.put(ask.bucket, object);
  formats::XmlWriter xml(true);
  xml.open("CopyObjectResult")
      .element("LastModified", iso_time(object.modified_ms))
      .element("ETag", "\"" + object.etag + "\"")
      .close();
  ask.send(200, xml.str());
}

void Door::delete_objects(Ask& ask) {
  formats::XmlNode body = read_xml(ask.request);
  bool is_quiet = body.text_of("Quiet") == "true";
  formats::XmlWriter xml(true);
  xml.open("DeleteResult", {{"xmlns", "http://s3.amazonaws.com/doc/2006-03-01/"}});
  for (const auto& child : body.children) {
    if (child.name != "Object") continue;
    std::string key = child.text_of("Key");
    try {
      allow(ask, "DeleteObject", ask.bucket + "/" + key);
    } catch (const Refusal& refusal) {
      xml.open("Error")
          .element("Key", key)
          .element("Code", refusal.code())
          .element("Message", refusal.message())
          .close();
      continue;
    }
    store_.erase(ask.bucket, key);
    if (!is_quiet) xml.open("Deleted").element("Key", key).close();
  }
  ask.send(200, xml.close().str());
}

void Door::list_objects(Ask& ask) {
  allow(ask, "ListBucket", ask.bucket);
  bool is_second = ask.get("list-type") == "2";
  std::string prefix = ask.get("prefix");
  std::string delimiter = ask.get("delimiter");
  bool encodes = ask.get("encoding-type") == "url";
  auto given = to_integer(ask.get("max-keys", "1000"));
  if (!given || *given < 0)
    throw Refusal("InvalidArgument", "Provided max-keys not an integer or within integer range",
                  400);
  auto most = std::min<std::size_t>(static_cast<std::size_t>(*given), kMostKeys);
  std::string after = is_second ? ask.get("start-after") : ask.get("marker");
  if (ask.has("continuation-token")) {
    auto position = read_page_token(ask.get("continuation-token"));
    if (!position)
      throw Refusal("InvalidArgument", "The continuation token provided is incorrect", 400);
    after = *position;
  }
  // What was listed last may have been a common prefix: all of its keys are done.
  if (!delimiter.empty() && after.ends_with(delimiter) && after.size() > prefix.size())
    after = past(after);
  std::vector<Object> objects;
  std::vector<std::string> prefixes;
  std::string last;
  bool is_cut = false;
  for (bool more = most > 0; more;) {
    auto page = store_.list(ask.bucket, prefix, after, kMostKeys);
    more = page.size() == kMostKeys;
    for (auto& object : page) {
      if (!after.empty() && object.key <= after) continue;  // below a common prefix that is done
      auto at = delimiter.empty() ? std::string::npos : object.key.find(delimiter, prefix.size());
      if (objects.size() + prefixes.size() == most) {
        is_cut = true;
        more = false;
        break;
      }
      if (at == std::string::npos) {
        last = after = object.key;
        objects.push_back(std::move(object));
      } else {
        std::string common = object.key.substr(0, at + delimiter.size());
        prefixes.push_back(common);
        last = common;
        after = past(common);
      }
    }
  }
  formats::XmlWriter xml(true);
  xml.open("ListBucketResult", {{"xmlns", "http://s3.amazonaws.com/doc/2006-03-01/"}});
  xml.element("Name", ask.bucket)
      .element("Prefix", shown_key(prefix, encodes))
      .element("MaxKeys", std::to_string(most))
      .element("IsTruncated", is_cut ? "true" : "false");
  if (!delimiter.empty()) xml.element("Delimiter", shown_key(delimiter, encodes));
  if (encodes) xml.element("EncodingType", "url");
  if (is_second) {
    xml.element("KeyCount", std::to_string(objects.size() + prefixes.size()));
    if (is_cut) xml.element("NextContinuationToken", page_token(last));
    if (ask.has("start-after"))
      xml.element("StartAfter", shown_key(ask.get("start-after"), encodes));
  } else {
    xml.element("Marker", shown_key(ask.get("marker"), encodes));
    if (is_cut) xml.element("NextMarker", shown_key(last, encodes));
  }
  for (const auto& object : objects) {
    xml.open("Contents")
        .element("Key", shown_key(object.key, encodes))
        .element("LastModified", iso_time(object.modified_ms))
        .element("ETag", "\"" + object.etag + "\"")
        .element("Size", std::to_string(object.size))
        .element("StorageClass", "STANDARD")
        .close();
  }
  for (const auto& common : prefixes)
    xml.open("CommonPrefixes").element("Prefix", shown_key(common, encodes)).close();
  ask.send(200, xml.close().str());
}

// Uploads in parts.
void Door::upload_operation(Ask& ask) {
  const std::string& method = ask.request.method;
  std::string resource = ask.bucket + "/" + ask.key;
  formats::XmlWriter xml(true);
  if (ask.has("uploads") && method == "POST") {
    allow(ask, "PutObject", resource);
    std::string id = store_.begin_upload(ask.bucket, ask.key, kept_headers(ask.request.headers));
    xml.open("InitiateMultipartUploadResult")
        .element("Bucket", ask.bucket)
        .element("Key", ask.key)
        .element("UploadId", id);
    return ask.send(200, xml.close().str());
  }
  if (ask.has("uploads")) {
    allow(ask, "ListBucketMultipartUploads", ask.bucket);
    xml.open("ListMultipartUploadsResult")
        .element("Bucket", ask.bucket)
        .element("IsTruncated", "false");
    for (const auto& [id, upload] : store_.uploads(ask.bucket))
      xml.open("Upload").element("Key", upload.get_string("key")).element("UploadId", id).close();
    return ask.send(200, xml.close().str());
  }
  std::string id = ask.get("uploadId");
  auto upload = store_.upload(id);
  if (!upload || upload->get_string("bucket") != ask.bucket ||
      upload->get_string("key") != ask.key) {
    throw Refusal(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload "
        "may have been aborted or completed.",
        404);
  }
  if (method == "PUT") {
    allow(ask, "PutObject", resource);
    auto number = to_integer(ask.get("partNumber"));
    if (!number || *number < 1 || *number > 10000)
      throw Refusal("InvalidArgument",
                    "Part number must be an integer between 1 and 10000, inclusive", 400);
    Incoming incoming(store_.data());
    receive(incoming, ask.request, ask.payload_hash,
            ask.chunk_signatures ? &*ask.chunk_signatures : nullptr);
    store_.put_part(id, static_cast<int>(*number), incoming.keep(), incoming.md5(),
                    incoming.size());
    return ask.send(200, "", {{"ETag", "\"" + incoming.md5() + "\""}});
  }
  if (method == "DELETE") {
    allow(ask, "AbortMultipartUpload", resource);
    store_.end_upload(id);
    return ask.send(204);
  }
  if (method == "GET") {
    allow(ask, "ListMultipartUploadParts", resource);
    xml.open("ListPartsResult")
        .element("Bucket", ask.bucket)
        .element("Key", ask.key)
        .element("UploadId", id)
        .element("IsTruncated", "false");
    for (const auto& [slot, part] : upload->at("parts").as_object()) {
      xml.open("Part")
          .element("PartNumber", std::to_string(to_integer(slot).value_or(0)))
          .element("ETag", "\"" + part.get_string("etag") + "\"")
          .element("Size", std::to_string(part.get_int("size")))
          .close();
    }
    return ask.send(200, xml.close().str());
  }
  allow(ask, "PutObject", resource);
  complete_upload(ask, id, *upload);
}

void Door::complete_upload(Ask& ask, const std::string& id, const Json& upload) {
  formats::XmlNode body = read_xml(ask.request);
  Incoming whole(store_.data());
  std::string sums;
  std::size_t count = 0;
  long long before = 0;
  // The parts one after the other, read as one.
  class Parts final : public formats::Reader {
   public:
    explicit Parts(Store& store) : store_(store) {}
    void add(const std::string& file) { files_.push_back(file); }
    std::size_t read(std::span<char> into) override {
      while (true) {
        if (!fd_.is_open()) {
          if (at_ == files_.size()) return 0;
          fd_ = store_.open({.key = {}, .etag = {}, .file = files_[at_++]});
        }
        formats::FdReader reader(fd_.get());
        if (std::size_t got = reader.read(into)) return got;
        fd_.reset();
      }
    }

   private:
    Store& store_;
    std::vector<std::string> files_;
    std::size_t at_ = 0;
    os::Fd fd_;
  } parts(store_);
  for (const auto& child : body.children) {
    if (child.name != "Part") continue;
    auto number = to_integer(child.text_of("PartNumber"));
    std::string etag = replace_all(child.text_of("ETag"), "\"", "");
    const Json* part = number ? upload.at("parts").find(fmt::format("{:05}", *number)) : nullptr;
    if (part == nullptr || part->get_string("etag") != etag)
      throw Refusal("InvalidPart",
                    "One or more of the specified parts could not be found. The part may not have "
                    "been uploaded, or the specified entity tag may not match the part's entity "
                    "tag.",
                    400);
    if (*number <= before)
      throw Refusal("InvalidPartOrder",
                    "The list of parts was not in ascending order. Parts must be ordered by part "
                    "number.",
                    400);
    before = *number;
    ++count;
    sums += unhex(etag).value_or("");
    parts.add(part->get_string("file"));
  }
  if (count == 0) throw Refusal("MalformedXML", "You must specify at least one part", 400);
  whole.read(parts);
  Object object{.key = ask.key,
                .size = whole.size(),
                .etag = fmt::format("{}-{}", md5_hex(sums), count),
                .modified_ms = ask.now_ms(),
                .headers = upload.at("headers"),
                .file = whole.keep()};
  store_.put(ask.bucket, object);
  store_.end_upload(id);
  formats::XmlWriter xml(true);
  xml.open("CompleteMultipartUploadResult")
      .element("Location", fmt::format("http://{}/{}/{}", ask.request.host, ask.bucket, ask.key))
      .element("Bucket", ask.bucket)
      .element("Key", ask.key)
      .element("ETag", "\"" + object.etag + "\"");
  ask.send(200, xml.close().str());
}

}  // namespace slipway::cloud::s3
