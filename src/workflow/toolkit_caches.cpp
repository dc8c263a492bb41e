// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/io.hpp"
#include "formats/time.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "workflow/toolkit_services.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using formats::Json;

constexpr std::string_view kBlob = "blob";  // what BlobServer calls a complete upload

std::string upload_id(const ToolkitJob& job, const std::string& key, const std::string& version) {
  return job.scope.write + "\n" + version + "\n" + key;
}

std::vector<std::string> texts_of(const Json& request, std::string_view snake,
                                  std::string_view camel) {
  std::vector<std::string> texts;
  const auto& given = request.contains(snake) ? request.get_array(snake) : request.get_array(camel);
  for (const auto& item : given) texts.push_back(item.as_string());
  return texts;
}

// The client knows the archive by its name's end only.
std::string file_name(const CacheStore::Entry& entry) {
  return entry.expected == "gzip" ? "cache.tgz" : "cache.tzst";
}

std::optional<std::string> problem_of(const std::string& key, const std::string& version) {
  if (key.empty() || key.size() > 512 || key.find(',') != std::string::npos)
    return "key is empty, longer than 512 characters or has a comma";
  if (version.empty() || version.size() > 512) return "version is empty or too long";
  return std::nullopt;
}

}  // namespace

ToolkitAnswer twirp_error(std::string_view code, std::string_view message) {
  int status = code == "not_found" || code == "bad_route" ? 404
               : code == "already_exists"                 ? 409
               : code == "permission_denied"              ? 403
                                                          : 400;
  return {.status = status, .body = Json::object({{"code", code}, {"msg", message}})};
}

std::string field_of(const Json& request, std::string_view name) {
  std::string camel;
  for (std::size_t i = 0; i < name.size(); ++i) {
    camel += name[i] == '_' && i + 1 < name.size() ? to_upper(name.substr(++i, 1))
                                                   : std::string(1, name[i]);
  }
  const auto* found = request.find(name);
  if (!found) found = request.find(camel);
  if (!found || found->is_null()) return "";
  if (found->is_int()) return std::to_string(found->as_int());
  return found->as_string();
}

ToolkitAnswer ToolkitCaches::call(const ToolkitJob& job, std::string_view method,
                                  const Json& request) {
  if (method == "CreateCacheEntry") return create(job, request);
  if (method == "FinalizeCacheEntryUpload") return finalize(job, request);
  if (method == "GetCacheEntryDownloadURL") return find(job, request);
  return twirp_error("bad_route", fmt::format("CacheService has no method {}", method));
}

// One upload at a time for a key; nothing when it is taken.
std::optional<ToolkitCaches::Upload> ToolkitCaches::begin(const ToolkitJob& job,
                                                          const std::string& key,
                                                          const std::string& version,
                                                          const std::string& id) {
  CacheStore store(root_, job.repository);
  if (store.contains(key, version, job.scope.write)) return std::nullopt;
  Upload upload{
      .key = key, .version = version, .directory = store.make_upload_directory(), .url = {}};
  upload.url = blobs_.upload_url(upload.directory);
  bool is_first = uploads_.with([&](auto& uploads) { return uploads.emplace(id, upload).second; });
  if (is_first) return upload;
  blobs_.revoke(upload.url);
  os::remove_tree(upload.directory);
  return std::nullopt;
}

std::optional<ToolkitCaches::Upload> ToolkitCaches::take(const std::string& id) {
  return uploads_.with([&](auto& uploads) -> std::optional<Upload> {
    auto found = uploads.find(id);
    if (found == uploads.end()) return std::nullopt;
    auto upload = std::move(found->second);
    uploads.erase(found);
    return upload;
  });
}

std::optional<CacheStore::Entry> ToolkitCaches::keep(const ToolkitJob& job, const Upload& upload) {
  blobs_.revoke(upload.url);
  std::optional<CacheStore::Entry> entry;
  if (fs::exists(upload.directory / kBlob)) {
    CacheStore store(root_, job.repository);
    entry = store.save({.key = upload.key, .version = upload.version, .ref = job.scope.write},
                       upload.directory / kBlob);
  }
  os::remove_tree(upload.directory);
  return entry;
}

std::string ToolkitCaches::url_of(const ToolkitJob& job, const CacheStore::Entry& entry) {
  CacheStore(root_, job.repository).compress(entry);
  return blobs_.download_url(entry.archive, file_name(entry), "application/octet-stream");
}

ToolkitAnswer ToolkitCaches::create(const ToolkitJob& job, const Json& request) {
  auto key = field_of(request, "key");
  auto version = field_of(request, "version");
  if (auto problem = problem_of(key, version)) return twirp_error("invalid_argument", *problem);
  auto upload = begin(job, key, version, upload_id(job, key, version));
  if (!upload)
    return twirp_error("already_exists",
                       "cache entry with the same key, version, and scope already exists");
  return {.body = Json::object({{"ok", true}, {"signed_upload_url", upload->url}})};
}

ToolkitAnswer ToolkitCaches::finalize(const ToolkitJob& job, const Json& request) {
  auto upload = take(upload_id(job, field_of(request, "key"), field_of(request, "version")));
  if (!upload) return twirp_error("not_found", "no upload of this cache entry was begun");
  auto size = to_integer(field_of(request, "size_bytes"));
  std::error_code none;
  if (size &&
      fs::file_size(upload->directory / kBlob, none) != static_cast<std::uintmax_t>(*size)) {
    os::remove_tree(upload->directory);
    return twirp_error("invalid_argument", "size_bytes is not the size of what was uploaded");
  }
  auto entry = keep(job, *upload);
  if (!entry)
    return {.body =
                Json::object({{"ok", false},
                              {"message", "the cache entry was saved by another job meanwhile"}})};
  return {.body = Json::object({{"ok", true}, {"entry_id", std::to_string(entry->id)}})};
}

ToolkitAnswer ToolkitCaches::find(const ToolkitJob& job, const Json& request) {
  CacheStore store(root_, job.repository);
  auto entry =
      store.find(field_of(request, "key"), texts_of(request, "restore_keys", "restoreKeys"),
                 {field_of(request, "version")}, job.scope.read);
  if (!entry) return {.body = Json::object({{"ok", false}})};
  return {.body = Json::object({{"ok", true},
                                {"signed_download_url", url_of(job, *entry)},
                                {"matched_key", entry->key}})};
}

ToolkitAnswer ToolkitCaches::look_up(const ToolkitJob& job, const std::string& keys,
                                     const std::string& version) {
  auto list = split(keys, ',');
  for (auto& key : list) key = trim(key);
  auto entry = CacheStore(root_, job.repository)
                   .find(list.front(), {list.begin() + 1, list.end()}, {version}, job.scope.read);
  if (!entry) return {.status = 204, .body = {}};
  auto created =
      formats::iso8601_millis(formats::Time(std::chrono::milliseconds(entry->created_ms)));
  return {.body = Json::object({{"result", "hit"},
                                {"scope", entry->ref},
                                {"cacheKey", entry->key},
                                {"cacheVersion", entry->version},
                                {"creationTime", created},
                                {"archiveLocation", url_of(job, *entry)}})};
}

ToolkitAnswer ToolkitCaches::reserve(const ToolkitJob& job, const Json& request) {
  auto key = field_of(request, "key");
  auto version = field_of(request, "version");
  if (auto problem = problem_of(key, version))
    return {.status = 400, .body = Json::object({{"message", *problem}})};
  auto id = std::to_string(std::stoll(hex(random_bytes(6)), nullptr, 16) |
                           1);  // below 2^53: JavaScript's numbers
  bool is_reserved = uploads_.read([&](const auto& uploads) {
    return std::any_of(uploads.begin(), uploads.end(), [&](const auto& one) {
      return one.second.key == key && one.second.version == version;
    });
  });
  if (is_reserved || !begin(job, key, version, id)) {
    return {.status = 409,
            .body = Json::object(
                {{"typeKey", "ArtifactCacheItemAlreadyExistsException"},
                 {"message", fmt::format("Cache already exists. Scope: {}, Key: {}, Version: {}",
                                         job.scope.write, key, version)}})};
  }
  return {.status = 201, .body = Json::object({{"cacheId", std::stoll(id)}})};
}

ToolkitAnswer ToolkitCaches::write(const std::string& id, std::string_view content_range,
                                   formats::Reader& body) {
  auto directory = uploads_.read([&](const auto& uploads) {
    auto found = uploads.find(id);
    return found == uploads.end() ? fs::path() : found->second.directory;
  });
  if (directory.empty())
    return {.status = 404, .body = Json::object({{"message", "no such cache is being uploaded"}})};
  constexpr std::string_view kBytes = "bytes ";
  auto numbers = content_range.starts_with(kBytes) ? content_range.substr(kBytes.size()) : "";
  auto offset = to_integer(numbers.substr(0, numbers.find('-')));
  if (!offset || *offset < 0)
    return {.status = 400,
            .body = Json::object({{"message", "Content-Range is missing or wrong"}})};
  auto file = os::open_file((directory / kBlob).string(), O_WRONLY | O_CREAT);
  if (::lseek(file.get(), static_cast<off_t>(*offset), SEEK_SET) < 0)
    os::throw_errno("seeking in the cache's archive");
  formats::FdWriter writer(file.get());
  formats::copy_all(body, writer);
  return {.status = 204, .body = {}};
}

ToolkitAnswer ToolkitCaches::commit(const ToolkitJob& job, const std::string& id,
                                    const Json& request) {
  auto upload = take(id);
  if (!upload)
    return {.status = 404, .body = Json::object({{"message", "no such cache is being uploaded"}})};
  std::error_code none;
  if (fs::file_size(upload->directory / kBlob, none) !=
      static_cast<std::uintmax_t>(request.get_int("size"))) {
    os::remove_tree(upload->directory);
    return {.status = 400,
            .body = Json::object({{"message", "the size is not that of what was uploaded"}})};
  }
  if (!keep(job, *upload))
    return {.status = 409, .body = Json::object({{"message", "Cache already exists"}})};
  return {.status = 204, .body = {}};
}

}  // namespace slipway::workflow
