// SPDX-License-Identifier: Apache-2.0
#include "cloud/s3/door.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/iam/authoriser.hpp"
#include "cloud/input.hpp"
#include "cloud/protocol.hpp"
#include "cloud/s3/ask.hpp"
#include "cloud/s3/checksum.hpp"
#include "cloud/sts/sessions.hpp"

namespace slipway::cloud::s3 {
namespace {

constexpr std::uint64_t kMostXml = 2U << 20;

std::string decoded(std::string_view text) {
  return percent_decode(text, false).value_or(std::string(text));
}

std::map<std::string, std::string> fields_of(const std::string& query) {
  std::map<std::string, std::string> out;
  for (const auto& field : split(query, '&')) {
    if (field.empty()) continue;
    auto equals = field.find('=');
    out[decoded(field.substr(0, equals))] =
        equals == std::string::npos ? "" : decoded(field.substr(equals + 1));
  }
  return out;
}

// Where the bucket's name ends in a virtual-hosted name; npos: path-style.
std::size_t bucket_end(std::string_view host) {
  auto at = host.find(".s3.");
  if (at == std::string_view::npos) at = host.find(".s3-");
  return at == 0 ? std::string_view::npos : at;
}

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '.';
                     }) &&
         name.front() != '-' && name.front() != '.' && name.back() != '-' && name.back() != '.' &&
         name.find("..") == std::string_view::npos;
}

Refusal s3_refusal(const Error& error) {
  switch (error.fault()) {
    case Fault::bad_input:
      return {"InvalidRequest", error.what(), 400};
    case Fault::not_found:
      return {"NoSuchUpload", "The specified multipart upload does not exist.", 404};
    default:
      return {"InternalError", error.what(), 500};
  }
}

// The query names that are answered; any other is refused instead of taken for the plain operation.
void check_query(const std::map<std::string, std::string>& query) {
  static const std::set<std::string> kAnswered = {"list-type",
                                                  "prefix",
                                                  "delimiter",
                                                  "max-keys",
                                                  "marker",
                                                  "start-after",
                                                  "continuation-token",
                                                  "encoding-type",
                                                  "fetch-owner",
                                                  "location",
                                                  "uploads",
                                                  "uploadId",
                                                  "partNumber",
                                                  "delete",
                                                  "key-marker",
                                                  "upload-id-marker",
                                                  "max-uploads",
                                                  "max-parts",
                                                  "part-number-marker",
                                                  "max-buckets",
                                                  "bucket-region",
                                                  "tagging",
                                                  "versioning",
                                                  "x-id",
                                                  "response-content-type",
                                                  "response-content-disposition",
                                                  "response-cache-control"};
  for (const auto& [name, value] : query) {
    if (kAnswered.contains(name) || to_lower(name).starts_with("x-amz-")) continue;
    throw Refusal("NotImplemented", fmt::format("slipway: '?{}' is not supported yet", name), 501);
  }
}

}  // namespace

std::string iso_time(std::int64_t ms) {
  return formats::iso8601_millis(Time(std::chrono::milliseconds(ms)));
}
std::string http_time(std::int64_t ms) {
  return formats::http_date(Time(std::chrono::milliseconds(ms)));
}

std::pair<std::string, std::string> place_of(const std::string& host, const std::string& path) {
  std::string rest = path.starts_with('/') ? path.substr(1) : path;
  if (auto end = bucket_end(host); end != std::string::npos)
    return {host.substr(0, end), decoded(rest)};
  auto slash = rest.find('/');
  return {decoded(rest.substr(0, slash)),
          slash == std::string::npos ? "" : decoded(rest.substr(slash + 1))};
}

bool Door::serves(const net::ServerRequest& request) {
  if (request.headers.contains("x-amz-target")) return false;
  auto read = read_signature({request.method, request.path, request.query, request.headers, ""});
  if (const auto* claim = std::get_if<SignatureClaim>(&read)) return claim->service == "s3";
  return request.host.starts_with("s3.") || request.host.starts_with("s3-") ||
         bucket_end(request.host) != std::string::npos;
}

void Door::Ask::send(int status, const std::string& xml, net::Headers headers) {
  net::HttpResponse answer;
  answer.status = status;
  answer.headers = std::move(headers);
  answer.headers.set("x-amz-request-id", call.request_id);
  if (!xml.empty()) answer.headers.set("Content-Type", "application/xml");
  answer.body = request.method == "HEAD" ? "" : xml;
  response.send(answer);
}

namespace {

// Sums up what is read through it.
class Summing final : public formats::Reader {
 public:
  Summing(formats::Reader& from, std::vector<std::unique_ptr<Checksum>>& sums)
      : from_(from), sums_(sums) {}
  std::size_t read(std::span<char> into) override {
    std::size_t got = from_.read(into);
    for (auto& sum : sums_) sum->update({into.data(), got});
    return got;
  }

 private:
  formats::Reader& from_;
  std::vector<std::unique_ptr<Checksum>>& sums_;
};

// The checksums that a request gives in its headers, or says that it will give behind its body.
std::vector<std::string> given_checksums(const net::Headers& headers) {
  std::vector<std::string> out;
  auto add = [&](const std::string& name) {
    if (make_checksum(name)) out.push_back(name);
  };
  for (const auto& [name, value] : headers) add(to_lower(name));
  for (const auto& name : split(headers.get("x-amz-trailer"), ',')) add(to_lower(trim(name)));
  return out;
}

void check_sum(const std::string& name, const std::string& wanted, Checksum& sum) {
  if (sum.base64() == wanted) return;
  throw Refusal("BadDigest",
                fmt::format("The {} you specified did not match the calculated checksum.",
                            to_upper(name.substr(std::string_view("x-amz-checksum-").size()))),
                400);
}

}  // namespace

void receive(Incoming& incoming, net::ServerRequest& request, const std::string& payload_hash,
             ChunkSignatures* signatures) {
  auto names = given_checksums(request.headers);
  std::vector<std::unique_ptr<Checksum>> sums;
  for (const auto& name : names) sums.push_back(make_checksum(name));
  std::map<std::string, std::string> trailers;
  bool is_chunked = payload_hash.starts_with("STREAMING-");
  std::unique_ptr<formats::Reader> chunks;
  if (is_chunked) chunks = chunked_body(*request.body, signatures, &trailers);
  Summing body(is_chunked ? *chunks : *request.body, sums);
  incoming.read(body);
  auto size = to_integer(request.headers.get("x-amz-decoded-content-length"));
  if (is_chunked && size && static_cast<std::uint64_t>(*size) != incoming.size())
    throw Refusal("IncompleteBody",
                  "The request body terminated unexpectedly: it is not as long as "
                  "x-amz-decoded-content-length says",
                  400);
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto trailer = trailers.find(names[i]);
    check_sum(names[i], trailer != trailers.end() ? trailer->second : request.headers.get(names[i]),
              *sums[i]);
  }
  if (!is_chunked && payload_hash.size() == 64 && payload_hash != incoming.sha256()) {
    throw Refusal("XAmzContentSHA256Mismatch",
                  "The provided 'x-amz-content-sha256' header does not match what was computed.",
                  400);
  }
  if (auto md5 = request.headers.find("content-md5"); md5 && !is_chunked) {
    auto wanted = unbase64(*md5);
    if (!wanted || hex(*wanted) != incoming.md5())
      throw Refusal("BadDigest", "The Content-MD5 you specified did not match what we received.",
                    400);
  }
}

formats::XmlNode read_xml(net::ServerRequest& request) {
  std::string body = request.read_body(kMostXml);
  try {
    return formats::parse_xml(body);
  } catch (const Error&) {
    throw Refusal("MalformedXML",
                  "The XML you provided was not well-formed or did not validate against our "
                  "published schema",
                  400);
  }
}

void Door::authenticate(Ask& ask) const {
  SignedRequest signed_request{ask.request.method, ask.request.path, ask.request.query,
                               ask.request.headers, ""};
  auto read = read_signature(signed_request);
  if (auto* trouble = std::get_if<SignatureTrouble>(&read)) {
    if (trouble->kind == SignatureTrouble::Kind::missing)
      throw Refusal("AccessDenied", "Access Denied", 403);
    throw Refusal("AuthorizationHeaderMalformed", trouble->message, 400);
  }
  const auto& claim = std::get<SignatureClaim>(read);
  auto key = around_.sessions.find(claim.access_key_id);
  if (!key || !key->is_active)
    throw Refusal("InvalidAccessKeyId",
                  "The AWS Access Key Id you provided does not exist in our records.", 403);
  if (key->session_token != claim.session_token)
    throw Refusal("InvalidToken", "The provided token is malformed or otherwise invalid.", 400);
  if (key->expires && ask.call.now >= *key->expires)
    throw Refusal("ExpiredToken", "The provided token has expired.", 400);
  if (auto trouble = check_signature(claim, signed_request, key->secret_access_key, ask.call.now)) {
    bool is_old = trouble->message.starts_with("Signature expired") ||
                  trouble->message.starts_with("Signature not yet");
    if (is_old && claim.is_presigned) throw Refusal("AccessDenied", "Request has expired", 403);
    if (is_old)
      throw Refusal("RequestTimeTooSkewed",
                    "The difference between the request time and the current time is too large.",
                    403);
    throw Refusal("SignatureDoesNotMatch", trouble->message, 403);
  }
  ask.call.region = claim.region;
  ask.call.caller = key->principal;
  ask.call.account = key->principal.account;
  if (!claim.is_presigned) ask.payload_hash = ask.request.headers.get("x-amz-content-sha256");
  if (ask.payload_hash.starts_with("STREAMING-AWS4-HMAC-SHA256-"))
    ask.chunk_signatures.emplace(claim, key->secret_access_key);
}

void Door::allow(const Ask& ask, const char* action, const std::string& resource) const {
  auto decision = around_.authoriser.decide(
      ask.call.caller,
      {.action = std::string("s3:") + action,
       .resource = resource == "*" ? resource : "arn:aws:s3:::" + resource},
      ask.call);
  if (decision.is_allowed) return;
  throw Refusal("AccessDenied",
                fmt::format("User: {} is not authorized to perform: s3:{} on resource: "
                            "\"arn:aws:s3:::{}\" {}",
                            ask.call.caller.arn, action, resource, decision.reason),
                403);
}

void Door::need_bucket(const Ask& ask) {
  auto bucket = store_.bucket(ask.bucket);
  if (!bucket) throw Refusal("NoSuchBucket", "The specified bucket does not exist", 404);
  // There are no bucket policies: what is another account's stays its own.
  if (bucket->get_string("account") != ask.call.account)
    throw Refusal("AccessDenied", "Access Denied", 403);
}

void Door::answer(Ask& ask) {
  authenticate(ask);
  check_query(ask.query);
  if (ask.bucket.empty()) return service_operation(ask);
  if (ask.key.empty()) return bucket_operation(ask);
  need_bucket(ask);
  if (ask.has("uploads") || ask.has("uploadId")) return upload_operation(ask);
  object_operation(ask);
}

void Door::service_operation(Ask& ask) {
  if (ask.request.method != "GET")
    throw Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.",
                  405);
  allow(ask, "ListAllMyBuckets", "*");
  formats::XmlWriter xml(true);
  xml.open("ListAllMyBucketsResult", {{"xmlns", "http://s3.amazonaws.com/doc/2006-03-01/"}});
  xml.open("Owner").element("ID", ask.call.account).close().open("Buckets");
  for (const auto& [name, about] : store_.buckets(ask.call.account)) {
    xml.open("Bucket")
        .element("Name", name)
        .element("CreationDate", iso_time(about.get_int("createdMs")))
        .close();
  }
  ask.send(200, xml.close().close().str());
}

void Door::bucket_operation(Ask& ask) {
  const std::string& method = ask.request.method;
  if (method == "PUT" && ask.query.empty()) {
    allow(ask, "CreateBucket", ask.bucket);
    if (!is_bucket_name(ask.bucket))
      throw Refusal("InvalidBucketName", "The specified bucket is not valid.", 400);
    auto present = store_.bucket(ask.bucket);
    if (present && present->get_string("account") != ask.call.account)
      throw Refusal("BucketAlreadyExists",
                    "The requested bucket name is not available. The bucket namespace is shared by "
                    "all users of the system. Please select a different name and try again.",
                    409);
    if (present && ask.call.region != "us-east-1")
      throw Refusal("BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already "
                    "own it.",
                    409);
    store_.create_bucket(ask.bucket, {ask.call.account, ask.call.region}, ask.now_ms());
    return ask.send(200, "", {{"Location", "/" + ask.bucket}});
  }
  need_bucket(ask);
  if (method == "DELETE" && ask.query.empty()) {
    allow(ask, "DeleteBucket", ask.bucket);
    if (!store_.delete_bucket(ask.bucket))
      throw Refusal("BucketNotEmpty", "The bucket you tried to delete is not empty", 409);
    return ask.send(204);
  }
  if (method == "HEAD") {
    allow(ask, "ListBucket", ask.bucket);
    return ask.send(200, "",
                    {{"x-amz-bucket-region", store_.bucket(ask.bucket)->get_string("region")}});
  }
  if (method == "POST" && ask.has("delete")) return delete_objects(ask);
  if (method == "GET" && ask.has("location")) {
    allow(ask, "GetBucketLocation", ask.bucket);
    std::string region = store_.bucket(ask.bucket)->get_string("region");
    formats::XmlWriter xml(true);
    xml.open("LocationConstraint", {{"xmlns", "http://s3.amazonaws.com/doc/2006-03-01/"}});
    if (region != "us-east-1") xml.text(region);
    return ask.send(200, xml.close().str());
  }
  if (method == "GET" && ask.has("versioning")) {  // never turned on, as it cannot be
    allow(ask, "GetBucketVersioning", ask.bucket);
    formats::XmlWriter xml(true);
    xml.open("VersioningConfiguration", {{"xmlns", "http://s3.amazonaws.com/doc/2006-03-01/"}});
    return ask.send(200, xml.close().str());
  }
  if (ask.has("tagging") || ask.has("versioning"))
    throw Refusal("NotImplemented",
                  fmt::format("slipway: {} of a bucket's '?{}' is not supported yet", method,
                              ask.has("tagging") ? "tagging" : "versioning"),
                  501);
  if (method == "GET" && ask.has("uploads")) return upload_operation(ask);
  if (method == "GET") return list_objects(ask);
  throw Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.",
                405);
}

void Door::handle(net::ServerRequest& request, net::ResponseWriter& response) {
  Ask ask{.request = request,
          .response = response,
          .call = {},
          .bucket = {},
          .key = {},
          .query = fields_of(request.query),
          .payload_hash = {}};
  ask.call.service = "s3";
  ask.call.request_id = to_upper(hex(random_bytes(8)));
  ask.call.now = formats::now();
  ask.call.user_agent = request.headers.get("user-agent");
  ask.call.source_ip = request.peer.substr(0, request.peer.rfind(':'));
  ask.call.is_secure = request.is_tls;
  ask.call.host = request.host;
  ask.call.stop = request.stop;
  std::tie(ask.bucket, ask.key) = place_of(request.host, request.path);
  auto refuse_with = [&](const Refusal& refusal) {
    around_.log.info("s3: {} {} refused: {}", request.method, request.path, refusal.what());
    if (response.has_started()) return;
    formats::XmlWriter xml(true);
    xml.open("Error")
        .element("Code", refusal.code())
        .element("Message", refusal.message())
        .element("Resource", request.path)
        .element("RequestId", ask.call.request_id)
        .close();
    ask.send(refusal.status(), xml.str());
  };
  try {
    answer(ask);
  } catch (const Refusal& refusal) {
    refuse_with(refusal);
  } catch (const Error& error) {
    refuse_with(s3_refusal(error));
  }
}

}  // namespace slipway::cloud::s3
