// SPDX-License-Identifier: Apache-2.0
#include "workflow/artifact_store.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/io.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using formats::Json;

constexpr std::string_view kAboutDirectory = ".about";  // what is known of each, by name
constexpr std::string_view kUploads = ".uploads";

Artifact artifact_from(const Json& json, const fs::path& directory) {
  return {.name = json.get_string("name"),
          .id = json.get_int("id"),
          .size = static_cast<std::uintmax_t>(json.get_int("size")),
          .digest = json.get_string("digest"),
          .mime = json.get_string("mime"),
          .created_ms = json.get_int("created_ms"),
          .file = directory / json.get_string("file")};
}

std::string digest_of(const fs::path& file) {
  auto fd = os::open_file(file.string(), O_RDONLY);
  formats::FdReader reader(fd.get());
  formats::HashingReader hash(reader);
  formats::CountingWriter none;
  formats::copy_all(hash, none);
  return "sha256:" + hash.hex();
}

}  // namespace

void check_artifact_name(const std::string& name) {
  if (name.empty())
    fail(Fault::bad_input, "Provided artifact name input during validation is empty");
  bool is_ours = name == "." || name == ".." || name == kAboutDirectory || name == kUploads ||
                 name.size() > 240;
  if (is_ours ||
      name.find_first_of(std::string_view("\":<>|*?\r\n\\/\0", 11)) != std::string::npos) {
    fail(Fault::bad_input,
         "The artifact name is not valid: {}. Invalid characters include: \" : < > | * ? \\r \\n "
         "\\ /",
         name);
  }
}

std::vector<Artifact> ArtifactStore::list() const {
  std::vector<Artifact> artifacts;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory_ / kAboutDirectory, none)) {
    if (entry.path().extension() != ".json") continue;
    auto text = os::read_file_if_exists(entry.path());
    if (text)
      artifacts.push_back(
          artifact_from(formats::parse_json(*text, entry.path().string()), directory_));
  }
  std::sort(artifacts.begin(), artifacts.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return artifacts;
}

std::optional<Artifact> ArtifactStore::find(const std::string& name) const {
  check_artifact_name(name);
  auto path = directory_ / kAboutDirectory / (name + ".json");
  auto text = os::read_file_if_exists(path);
  if (!text) return std::nullopt;
  return artifact_from(formats::parse_json(*text, path.string()), directory_);
}

Artifact ArtifactStore::add(const std::string& name, const fs::path& file,
                            const std::string& mime) {
  check_artifact_name(name);
  Artifact artifact{.name = name,
                    .size = fs::file_size(file),
                    .digest = digest_of(file),
                    .mime = mime,
                    .created_ms = formats::now().time_since_epoch().count()};
  artifact.file = directory_ / (artifact.is_zip() ? name + ".zip" : name);
  // 48 bits: a number that JavaScript holds exactly.
  artifact.id = std::stoll(hex(random_bytes(6)), nullptr, 16) | 1;
  os::make_dirs(directory_ / kAboutDirectory);
  auto lock = os::FileLock::take(directory_ / kAboutDirectory / ".lock");
  if (find(name))
    fail(Fault::conflict, "an artifact with the name '{}' already exists on the workflow run",
         name);
  fs::rename(file, artifact.file);
  os::write_file_durably(directory_ / kAboutDirectory / (name + ".json"),
                         Json::object({{"name", name},
                                       {"id", artifact.id},
                                       {"size", artifact.size},
                                       {"digest", artifact.digest},
                                       {"mime", mime},
                                       {"created_ms", artifact.created_ms},
                                       {"file", artifact.file.filename().string()}})
                             .pretty());
  return artifact;
}

std::optional<Artifact> ArtifactStore::remove(const std::string& name) {
  if (!fs::exists(directory_ / kAboutDirectory)) return std::nullopt;
  auto lock = os::FileLock::take(directory_ / kAboutDirectory / ".lock");
  auto found = find(name);
  if (!found) return std::nullopt;
  fs::remove(directory_ / kAboutDirectory / (name + ".json"));
  fs::remove(found->file);
  return found;
}

fs::path ArtifactStore::make_upload_directory() const {
  auto directory = directory_ / kUploads / uuid();
  os::make_dirs(directory);
  return directory;
}

}  // namespace slipway::workflow
