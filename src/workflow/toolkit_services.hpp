// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/guarded.hpp"
#include "formats/json.hpp"
#include "workflow/artifact_store.hpp"
#include "workflow/blob_server.hpp"
#include "workflow/cache_store.hpp"

// What the official clients for caches and artifacts call, for one run.
namespace slipway::workflow {

/// A job as these services know it.
struct ToolkitJob {
  std::string run_id;
  std::string job;         ///< fit for a file name
  std::string repository;  ///< "owner/name"
  CacheScope scope;
};

/// A call's answer: a JSON object, or a Twirp error.
struct ToolkitAnswer {
  int status = 200;
  formats::Json body;
};
/// `code`  "not_found", "already_exists", "invalid_argument", "permission_denied", "bad_route"
ToolkitAnswer twirp_error(std::string_view code, std::string_view message);

/// Caches: the results service's CacheService ("v2") and the artifact cache service before it ("v1").
///   threads  any
///   source   actions/toolkit, packages/cache; facts a.10
class ToolkitCaches final {
 public:
  ToolkitCaches(std::filesystem::path root, BlobServer& blobs)
      : root_(std::move(root)), blobs_(blobs) {}

  ToolkitAnswer call(const ToolkitJob& job, std::string_view method, const formats::Json& request);

  /// v1: GET cache?keys=…&version=…; 204 when there is none.
  ToolkitAnswer look_up(const ToolkitJob& job, const std::string& keys, const std::string& version);
  /// v1: POST caches.
  ToolkitAnswer reserve(const ToolkitJob& job, const formats::Json& request);
  /// v1: PATCH caches/ID with a Content-Range.
  ToolkitAnswer write(const std::string& id, std::string_view content_range, formats::Reader& body);
  /// v1: POST caches/ID.
  ToolkitAnswer commit(const ToolkitJob& job, const std::string& id, const formats::Json& request);

 private:
  struct Upload {
    std::string key;
    std::string version;
    std::filesystem::path directory;
    std::string url;
  };
  ToolkitAnswer create(const ToolkitJob& job, const formats::Json& request);
  ToolkitAnswer finalize(const ToolkitJob& job, const formats::Json& request);
  ToolkitAnswer find(const ToolkitJob& job, const formats::Json& request);
  std::optional<Upload> begin(const ToolkitJob& job, const std::string& key,
                              const std::string& version, const std::string& id);
  std::optional<Upload> take(const std::string& id);
  std::optional<CacheStore::Entry> keep(const ToolkitJob& job, const Upload& upload);
  std::string url_of(const ToolkitJob& job, const CacheStore::Entry& entry);

  std::filesystem::path root_;
  BlobServer& blobs_;
  Guarded<std::map<std::string, Upload>> uploads_;  // by what begin() was given as id
};

/// Artifacts of the run: the results service's ArtifactService ("v4").
///   threads  any
///   source   actions/toolkit, packages/artifact; facts a.10
class ToolkitArtifacts final {
 public:
  /// `runs`  STATE/runs
  ToolkitArtifacts(std::filesystem::path runs, BlobServer& blobs)
      : runs_(std::move(runs)), blobs_(blobs) {}
  ToolkitAnswer call(const ToolkitJob& job, std::string_view method, const formats::Json& request);

 private:
  struct Upload {
    std::string mime;
    std::filesystem::path directory;
    std::string url;
  };
  ToolkitAnswer create(const ArtifactStore& store, const formats::Json& request);
  ToolkitAnswer finalize(ArtifactStore& store, const formats::Json& request);
  ToolkitAnswer list(const ToolkitJob& job, const ArtifactStore& store,
                     const formats::Json& request);

  std::filesystem::path runs_;
  BlobServer& blobs_;
  Guarded<std::map<std::string, Upload>> uploads_;  // by name: a service is for one run
};

/// A member of a request by its protobuf name ("signed_url"), in either of the two spellings that JSON may have; numbers as text.
std::string field_of(const formats::Json& request, std::string_view name);

}  // namespace slipway::workflow
