// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cloud/cloud.hpp"
#include "cloud/s3/store.hpp"
#include "cloud/service.hpp"
#include "cloud/sigv4.hpp"
#include "net/http_server.hpp"

namespace slipway::cloud::s3 {

/// Amazon S3 as far as releases, artifacts and caches meet it: buckets, objects (ranges, copies, metadata), listings, uploads in parts,
/// presigned addresses. Path-style and virtual-hosted. REST with XML: not one of the protocols behind the FrontDoor.
///   threads  any
class Door final {
 public:
  Door(const Surroundings& around, Store& store) : around_(around), store_(store) {}
  /// Whether a request is for S3: by its signature's scope, else by its host name.
  static bool serves(const net::ServerRequest& request);
  /// Answers one request: the signature, the policies, the operation.
  void handle(net::ServerRequest& request, net::ResponseWriter& response);

 private:
  struct Ask;
  void authenticate(Ask& ask) const;
  void allow(const Ask& ask, const char* action, const std::string& resource) const;
  void answer(Ask& ask);
  void service_operation(Ask& ask);
  void bucket_operation(Ask& ask);
  void object_operation(Ask& ask);
  void list_objects(Ask& ask);
  void delete_objects(Ask& ask);
  void tagging_operation(Ask& ask);
  void get_object(Ask& ask);
  void put_object(Ask& ask);
  void copy_object(Ask& ask);
  void upload_operation(Ask& ask);
  void complete_upload(Ask& ask, const std::string& id, const Json& upload);
  void need_bucket(const Ask& ask);

  const Surroundings& around_;
  Store& store_;
};

/// The bytes inside an aws-chunked body ("SIZE[;chunk-signature=…]\r\n…\r\n", a last chunk of size 0, trailers).
///   signatures  what the chunks must be signed by; nullptr: they are not
///   trailers    gets what stands behind the body, by small names
///   throws  Error{bad_input} from read() when it is malformed, Refusal SignatureDoesNotMatch
///   source  S3 API, "Signature calculations for the Authorization header: transferring payload in multiple chunks"
std::unique_ptr<formats::Reader> chunked_body(
    formats::Reader& body, ChunkSignatures* signatures = nullptr,
    std::map<std::string, std::string>* trailers = nullptr);

/// "BUCKET" and "KEY" (decoded; either may be empty) of a request's host and path.
std::pair<std::string, std::string> place_of(const std::string& host, const std::string& path);

}  // namespace slipway::cloud::s3
