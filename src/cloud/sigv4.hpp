// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cloud/service.hpp"
#include "net/http_message.hpp"

namespace slipway::cloud {

/// Verifies AWS Signature Version 4 (the server's side, written from the specification; shares no code with aws/).
///   source  "Signature Version 4 signing process", IAM User Guide

/// What a request says about its signature, not verified yet.
struct SignatureClaim {
  std::string access_key_id;
  std::string date;  ///< of the scope, "20261124"
  std::string region;
  std::string service;
  std::vector<std::string> signed_headers;  ///< lower case, in the order given
  std::string signature;                    ///< 64 hexadecimal digits
  std::string amz_date;                     ///< "20261124T170005Z"; empty when the request has none
  std::string session_token;
  bool is_presigned = false;      ///< from the query string
  long long expires_seconds = 0;  ///< presigned only
};

/// The request as far as signatures go.
struct SignedRequest {
  std::string_view method;
  std::string_view path;   ///< as sent, percent-encoded
  std::string_view query;  ///< as sent, without '?'
  const net::Headers& headers;
  std::string_view body;
};

/// Why a signature does not hold; mapped to each protocol's code by refusal_of().
struct SignatureTrouble {
  enum class Kind { missing, incomplete, unknown_key, wrong_token, expired_token, mismatch };
  Kind kind;
  std::string message;
};

/// Reads the Authorization header, else the X-Amz-* query parameters.
std::variant<SignatureClaim, SignatureTrouble> read_signature(const SignedRequest& request);
/// True when the claim's date, scope and signature hold for the secret at `now` (±5 minutes, or within a presigned URL's life).
std::optional<SignatureTrouble> check_signature(const SignatureClaim& claim,
                                                const SignedRequest& request,
                                                std::string_view secret_access_key, Time now);
/// The signatures inside a body that is sent in chunks: each signs the one before it, the first the request's.
///   source  S3 API, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", also with trailers
class ChunkSignatures final {
 public:
  ChunkSignatures(const SignatureClaim& claim, std::string_view secret_access_key);
  /// Whether a chunk's signature holds; `sha256` is that of its bytes, hexadecimal. In the order of the chunks.
  bool holds_chunk(std::string_view signature, std::string_view sha256);
  /// Of the trailers: "name:value\n" of each, small letters.
  bool holds_trailers(std::string_view signature, std::string_view trailers);

 private:
  bool holds(std::string_view signature, const std::string& to_sign);

  std::string key_;
  std::string head_;  ///< date and scope
  std::string last_;  ///< the signature before
};

/// The error that a service of this protocol gives, with AWS's code and status.
Refusal refusal_of(const SignatureTrouble& trouble, Protocol protocol);

}  // namespace slipway::cloud
