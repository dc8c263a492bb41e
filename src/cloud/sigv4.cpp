// SPDX-License-Identifier: Apache-2.0
#include "cloud/sigv4.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "cloud/protocol.hpp"
#include "formats/sha256.hpp"

namespace slipway::cloud {
namespace {

using Kind = SignatureTrouble::Kind;
constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr auto kSkew = std::chrono::minutes(5);
constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and "
    "signing method. Consult the service documentation for details.";

std::vector<std::pair<std::string, std::string>> query_fields(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& field : split(query, '&')) {
    if (field.empty()) continue;
    auto equals = field.find('=');
    auto name = percent_decode(std::string_view(field).substr(0, equals), false);
    auto value =
        percent_decode(equals == std::string::npos ? std::string_view{}
                                                   : std::string_view(field).substr(equals + 1),
                       false);
    fields.emplace_back(name.value_or(field), value.value_or(""));
  }
  return fields;
}

// Credential=KEY/20261124/us-east-1/ecs/aws4_request
std::optional<SignatureTrouble> read_scope(const std::string& credential, SignatureClaim& claim) {
  auto parts = split(credential, '/');
  if (parts.size() < 5) {
    return SignatureTrouble{
        Kind::incomplete,
        fmt::format("Credential must have exactly 5 slash-delimited elements, e.g. "
                    "keyid/date/region/service/term, got '{}'",
                    credential)};
  }
  auto tail =
      parts.size() -
      4;  // an access key id never holds a slash, but say so by the signature, not by a crash
  claim.access_key_id = parts[0];
  claim.date = parts[tail];
  claim.region = parts[tail + 1];
  claim.service = parts[tail + 2];
  if (parts.size() != 5 || parts[tail + 3] != "aws4_request") {
    return SignatureTrouble{
        Kind::mismatch,
        fmt::format(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
            parts.back())};
  }
  return std::nullopt;
}

std::variant<SignatureClaim, SignatureTrouble> read_header(const std::string& header,
                                                           const net::Headers& headers) {
  auto space = header.find(' ');
  auto algorithm = std::string_view(header).substr(0, space);
  if (algorithm != kAlgorithm) {
    return SignatureTrouble{Kind::incomplete,
                            fmt::format("Unsupported AWS 'algorithm': '{}'.", algorithm)};
  }
  std::map<std::string, std::string, std::less<>> fields;
  if (space != std::string::npos) {
    for (const auto& part : split(std::string_view(header).substr(space + 1), ',')) {
      auto field = trim(part);
      auto equals = field.find('=');
      if (equals == std::string_view::npos) continue;
      fields[std::string(field.substr(0, equals))] = field.substr(equals + 1);
    }
  }
  std::string missing;
  for (const auto* name : {"Credential", "Signature", "SignedHeaders"}) {
    if (fields[name].empty())
      missing += fmt::format("Authorization header requires '{}' parameter. ", name);
  }
  SignatureClaim claim;
  claim.amz_date = headers.get("x-amz-date");
  if (claim.amz_date.empty()) {
    missing +=
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
  }
  if (!missing.empty()) {
    return SignatureTrouble{
        Kind::incomplete,
        missing + fmt::format("(Hashed with SHA-256 and encoded with Base64) Authorization={}",
                              base64(formats::sha256(header)))};
  }
  if (auto trouble = read_scope(fields["Credential"], claim)) return *trouble;
  claim.signed_headers = split(fields["SignedHeaders"], ';');
  claim.signature = fields["Signature"];
  claim.session_token = headers.get("x-amz-security-token");
  return claim;
}

std::variant<SignatureClaim, SignatureTrouble> read_query(std::string_view query) {
  std::map<std::string, std::string, std::less<>> fields;
  for (auto& [name, value] : query_fields(query)) fields.emplace(name, value);
  if (!fields.contains("X-Amz-Signature") && !fields.contains("X-Amz-Credential")) {
    return SignatureTrouble{Kind::missing, "Request is missing Authentication Token"};
  }
  std::string missing;
  for (const auto* name : {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature",
                           "X-Amz-SignedHeaders", "X-Amz-Date"}) {
    if (fields[name].empty())
      missing += fmt::format("AWS query-string parameters must include '{}'. ", name);
  }
  if (!missing.empty())
    return SignatureTrouble{Kind::incomplete, missing + "Re-examine the query-string parameters."};
  if (fields["X-Amz-Algorithm"] != kAlgorithm) {
    return SignatureTrouble{Kind::incomplete, fmt::format("Unsupported AWS 'algorithm': '{}'.",
                                                          fields["X-Amz-Algorithm"])};
  }
  SignatureClaim claim;
  if (auto trouble = read_scope(fields["X-Amz-Credential"], claim)) return *trouble;
  claim.signed_headers = split(fields["X-Amz-SignedHeaders"], ';');
  claim.signature = fields["X-Amz-Signature"];
  claim.amz_date = fields["X-Amz-Date"];
  claim.session_token = fields["X-Amz-Security-Token"];
  claim.is_presigned = true;
  claim.expires_seconds = to_integer(fields["X-Amz-Expires"]).value_or(900);
  if (claim.expires_seconds < 1 || claim.expires_seconds > 604'800) {
    return SignatureTrouble{Kind::incomplete, "X-Amz-Expires must be between 1 and 604800 seconds"};
  }
  return claim;
}

std::string canonical_query(const SignedRequest& request, bool is_presigned) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (auto& [name, value] : query_fields(request.query)) {
    if (is_presigned && name == "X-Amz-Signature") continue;
    fields.emplace_back(percent_encode(name), percent_encode(value));
  }
  std::sort(fields.begin(), fields.end());
  std::string text;
  for (const auto& [name, value] : fields) text += (text.empty() ? "" : "&") + name + "=" + value;
  return text;
}

// Runs of spaces become one, none at the ends.
std::string canonical_value(std::string_view value) {
  std::string text;
  for (char c : trim(value)) {
    if (c == ' ' && !text.empty() && text.back() == ' ') continue;
    text += c;
  }
  return text;
}

std::string canonical_headers(const SignatureClaim& claim, const net::Headers& headers) {
  std::string text;
  for (const auto& name : claim.signed_headers) {
    std::string joined;
    for (const auto& value : headers.all(name))
      joined += (joined.empty() ? "" : ",") + canonical_value(value);
    text += name + ":" + joined + "\n";
  }
  return text;
}

std::string canonical_request(const SignatureClaim& claim, const SignedRequest& request) {
  bool is_s3 = claim.service == "s3";
  auto path = request.path.empty() ? std::string("/")
              : is_s3              ? std::string(request.path)
                                   : percent_encode(request.path, true);
  auto payload = formats::sha256_hex(request.body);
  if (is_s3)
    payload = claim.is_presigned ? "UNSIGNED-PAYLOAD"
                                 : request.headers.get("x-amz-content-sha256", payload);
  return fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}", request.method, path, canonical_query(request, claim.is_presigned),
      canonical_headers(claim, request.headers), join(claim.signed_headers, ";"), payload);
}

std::string scope_of(const SignatureClaim& claim) {
  return fmt::format("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service);
}

std::string signing_key(const SignatureClaim& claim, std::string_view secret) {
  auto key = formats::hmac_sha256("AWS4" + std::string(secret), claim.date);
  for (std::string_view part : {std::string_view(claim.region), std::string_view(claim.service),
                                std::string_view("aws4_request")}) {
    key = formats::hmac_sha256(key, part);
  }
  return key;
}

std::string signature_of(const SignatureClaim& claim, const SignedRequest& request,
                         std::string_view secret) {
  auto to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, claim.amz_date, scope_of(claim),
                             formats::sha256_hex(canonical_request(claim, request)));
  return hex(formats::hmac_sha256(signing_key(claim, secret), to_sign));
}

std::optional<SignatureTrouble> check_time(const SignatureClaim& claim, Time signed_at, Time now) {
  auto life = claim.is_presigned ? std::chrono::seconds(claim.expires_seconds)
                                 : std::chrono::seconds(kSkew);
  if (now > signed_at + life) {
    return SignatureTrouble{
        Kind::mismatch,
        fmt::format("Signature expired: {} is now earlier than {} ({} - {} min.)", claim.amz_date,
                    formats::aws_date(now - life), formats::aws_date(now), life.count() / 60)};
  }
  if (signed_at > now + kSkew) {
    return SignatureTrouble{
        Kind::mismatch,
        fmt::format("Signature not yet current: {} is still later than {} ({} + 5 min.)",
                    claim.amz_date, formats::aws_date(now + kSkew), formats::aws_date(now))};
  }
  return std::nullopt;
}

}  // namespace

std::variant<SignatureClaim, SignatureTrouble> read_signature(const SignedRequest& request) {
  if (auto header = request.headers.find("authorization"))
    return read_header(*header, request.headers);
  return read_query(request.query);
}

std::optional<SignatureTrouble> check_signature(const SignatureClaim& claim,
                                                const SignedRequest& request,
                                                std::string_view secret_access_key, Time now) {
  auto signed_at = formats::parse_aws_date(claim.amz_date);
  if (!signed_at) {
    return SignatureTrouble{Kind::incomplete,
                            fmt::format("Date must be in ISO-8601 'basic format'. Got '{}'. See "
                                        "http://en.wikipedia.org/wiki/ISO_8601",
                                        claim.amz_date)};
  }
  if (claim.amz_date.substr(0, 8) != claim.date) {
    return SignatureTrouble{Kind::mismatch,
                            fmt::format("Date in Credential scope does not match YYYYMMDD from "
                                        "ISO-8601 version of date from HTTP: "
                                        "'{}' != '{}', from '{}'.",
                                        claim.date, claim.amz_date.substr(0, 8), claim.amz_date)};
  }
  if (std::find(claim.signed_headers.begin(), claim.signed_headers.end(), "host") ==
      claim.signed_headers.end()) {
    return SignatureTrouble{
        Kind::mismatch,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."};
  }
  if (auto trouble = check_time(claim, *signed_at, now)) return trouble;
  auto hash = request.headers.find("x-amz-content-sha256");
  if (hash && claim.service != "s3" && *hash != "UNSIGNED-PAYLOAD" &&
      *hash != formats::sha256_hex(request.body)) {
    return SignatureTrouble{
        Kind::mismatch,
        "The provided 'x-amz-content-sha256' header does not match what was computed."};
  }
  if (!formats::equals_in_constant_time(signature_of(claim, request, secret_access_key),
                                        claim.signature)) {
    return SignatureTrouble{Kind::mismatch, std::string(kMismatch)};
  }
  return std::nullopt;
}

ChunkSignatures::ChunkSignatures(const SignatureClaim& claim, std::string_view secret_access_key)
    : key_(signing_key(claim, secret_access_key)),
      head_(claim.amz_date + "\n" + scope_of(claim)),
      last_(claim.signature) {}

bool ChunkSignatures::holds(std::string_view signature, const std::string& to_sign) {
  last_ = hex(formats::hmac_sha256(key_, to_sign));
  return formats::equals_in_constant_time(last_, signature);
}

bool ChunkSignatures::holds_chunk(std::string_view signature, std::string_view sha256) {
  return holds(signature, fmt::format("AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}", head_, last_,
                                      formats::sha256_hex(""), sha256));
}

bool ChunkSignatures::holds_trailers(std::string_view signature, std::string_view trailers) {
  return holds(signature, fmt::format("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}", head_, last_,
                                      formats::sha256_hex(trailers)));
}

Refusal refusal_of(const SignatureTrouble& trouble, Protocol protocol) {
  bool json = protocol == Protocol::json_1_0 || protocol == Protocol::json_1_1;
  int status = json ? 400 : 403;
  switch (trouble.kind) {
    case Kind::missing:
      return json ? Refusal("MissingAuthenticationTokenException", "Missing Authentication Token",
                            400)
                  : Refusal("MissingAuthenticationToken", trouble.message, 403);
    case Kind::incomplete:
      return {json ? "IncompleteSignatureException" : "IncompleteSignature", trouble.message,
              json ? 403 : 400};
    case Kind::unknown_key:
    case Kind::wrong_token:
      if (protocol == Protocol::ec2) {
        return {"AuthFailure", "AWS was not able to validate the provided access credentials", 401};
      }
      return {json ? "UnrecognizedClientException" : "InvalidClientTokenId", trouble.message,
              status};
    case Kind::expired_token:
      if (protocol == Protocol::ec2) return {"RequestExpired", "Request has expired.", 400};
      return {json ? "ExpiredTokenException" : "ExpiredToken", trouble.message, status};
    case Kind::mismatch:
      break;
  }
  return {json ? "InvalidSignatureException" : "SignatureDoesNotMatch", trouble.message, status};
}

}  // namespace slipway::cloud
