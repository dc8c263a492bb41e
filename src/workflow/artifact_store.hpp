// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace slipway::workflow {

/// What a run keeps of its jobs' files: STATE/runs/ID/artifacts/NAME.zip (or NAME, when it is one file that is not an archive).
struct Artifact {
  std::string name;
  std::int64_t id = 0;
  std::uintmax_t size = 0;  ///< bytes, as it is kept
  std::string digest;       ///< "sha256:…" of these bytes
  std::string mime = "application/zip";
  std::int64_t created_ms = 0;
  std::filesystem::path file;
  [[nodiscard]] bool is_zip() const { return mime == "application/zip"; }
};

/// throws  Error{bad_input}: what no artifact may be called
///   source  actions/toolkit, packages/artifact, path-and-artifact-name-validation.ts
void check_artifact_name(const std::string& name);

/// The artifacts of one run.
///   threads  any, and several processes on one directory
class ArtifactStore final {
 public:
  explicit ArtifactStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  /// By name.
  [[nodiscard]] std::vector<Artifact> list() const;
  [[nodiscard]] std::optional<Artifact> find(const std::string& name) const;
  /// Takes a file in by renaming it (it lies in a directory of make_upload_directory()).
  ///   throws  Error{conflict} when the name is taken
  Artifact add(const std::string& name, const std::filesystem::path& file,
               const std::string& mime = "application/zip");
  /// The artifact that was there.
  std::optional<Artifact> remove(const std::string& name);
  [[nodiscard]] std::filesystem::path make_upload_directory() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace slipway::workflow
