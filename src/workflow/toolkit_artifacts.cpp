// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "os/file.hpp"
#include "workflow/toolkit_services.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using formats::Json;

Json to_json(const ToolkitJob& job, const Artifact& artifact) {
  return Json::object({{"workflow_run_backend_id", job.run_id},
                       {"workflow_job_run_backend_id", job.job},
                       {"database_id", std::to_string(artifact.id)},
                       {"name", artifact.name},
                       {"size", std::to_string(artifact.size)},
                       {"created_at", formats::iso8601_millis(formats::Time(
                                          std::chrono::milliseconds(artifact.created_ms)))},
                       {"digest", artifact.digest}});
}

}  // namespace

ToolkitAnswer ToolkitArtifacts::call(const ToolkitJob& job, std::string_view method,
                                     const Json& request) {
  // The ids in a request came from the token: another run's artifacts are not this token's.
  if (field_of(request, "workflow_run_backend_id") != job.run_id) {
    return twirp_error("permission_denied", "the token is for another run");
  }
  ArtifactStore store(runs_ / job.run_id / "artifacts");
  try {
    if (method == "CreateArtifact") return create(store, request);
    if (method == "FinalizeArtifact") return finalize(store, request);
    if (method == "ListArtifacts") return list(job, store, request);
    auto name = field_of(request, "name");
    if (method == "GetSignedArtifactURL") {
      auto artifact = store.find(name);
      if (!artifact)
        return twirp_error("not_found", fmt::format("no artifact '{}' on the workflow run", name));
      return {.body = Json::object(
                  {{"signed_url",
                    blobs_.download_url(artifact->file, artifact->file.filename().string(),
                                        artifact->mime)}})};
    }
    if (method == "DeleteArtifact") {
      auto artifact = store.remove(name);
      if (!artifact)
        return twirp_error("not_found", fmt::format("no artifact '{}' on the workflow run", name));
      return {.body = Json::object({{"ok", true}, {"artifact_id", std::to_string(artifact->id)}})};
    }
  } catch (const Error& error) {
    if (error.fault() == Fault::conflict) return twirp_error("already_exists", error.what());
    if (error.fault() == Fault::bad_input) return twirp_error("invalid_argument", error.what());
    throw;
  }
  return twirp_error("bad_route", fmt::format("ArtifactService has no method {}", method));
}

ToolkitAnswer ToolkitArtifacts::create(const ArtifactStore& store, const Json& request) {
  auto name = field_of(request, "name");
  check_artifact_name(name);
  if (store.find(name))
    return twirp_error("already_exists",
                       "an artifact with this name already exists on the workflow run");
  auto mime = field_of(request, "mime_type");
  Upload upload{.mime = mime.empty() ? "application/zip" : mime,
                .directory = store.make_upload_directory(),
                .url = {}};
  upload.url = blobs_.upload_url(upload.directory);
  bool is_first =
      uploads_.with([&](auto& uploads) { return uploads.emplace(name, upload).second; });
  if (!is_first) {
    blobs_.revoke(upload.url);
    os::remove_tree(upload.directory);
    return twirp_error("already_exists",
                       "an artifact with this name is being uploaded on the workflow run");
  }
  return {.body = Json::object({{"ok", true}, {"signed_upload_url", upload.url}})};
}

ToolkitAnswer ToolkitArtifacts::finalize(ArtifactStore& store, const Json& request) {
  auto name = field_of(request, "name");
  auto upload = uploads_.with([&](auto& uploads) -> std::optional<Upload> {
    auto found = uploads.find(name);
    if (found == uploads.end()) return std::nullopt;
    auto taken = std::move(found->second);
    uploads.erase(found);
    return taken;
  });
  if (!upload)
    return twirp_error("not_found", fmt::format("no upload of an artifact '{}' was begun", name));
  blobs_.revoke(upload->url);
  struct Removed {
    const fs::path& directory;
    ~Removed() {
      std::error_code none;
      fs::remove_all(directory, none);
    }
  } removed{upload->directory};
  auto blob = upload->directory / "blob";
  if (!fs::exists(blob)) return twirp_error("invalid_argument", "nothing was uploaded");
  auto size = to_integer(field_of(request, "size"));
  if (size && fs::file_size(blob) != static_cast<std::uintmax_t>(*size)) {
    return twirp_error("invalid_argument", "size is not that of what was uploaded");
  }
  auto artifact = store.add(name, blob, upload->mime);
  if (auto hash = field_of(request, "hash"); !hash.empty() && hash != artifact.digest) {
    store.remove(name);
    return twirp_error("invalid_argument", "hash is not that of what was uploaded");
  }
  return {.body = Json::object({{"ok", true}, {"artifact_id", std::to_string(artifact.id)}})};
}

ToolkitAnswer ToolkitArtifacts::list(const ToolkitJob& job, const ArtifactStore& store,
                                     const Json& request) {
  auto name = field_of(request, "name_filter");
  auto id = field_of(request, "id_filter");
  Json artifacts = Json::array();
  for (const auto& artifact : store.list()) {
    if (!name.empty() && artifact.name != name) continue;
    if (!id.empty() && std::to_string(artifact.id) != id) continue;
    artifacts.push_back(to_json(job, artifact));
  }
  return {.body = Json::object({{"artifacts", artifacts}})};
}

}  // namespace slipway::workflow
