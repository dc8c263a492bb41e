// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/job_paths.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"

// actions/upload-artifact and download-artifact: an artifact is a directory of the run, STATE/runs/ID/artifacts/NAME.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using workflow::ActionContext;

fs::path artifacts_of(ActionContext& context, const Dependencies& dependencies, std::string run = "") {
  if (run.empty()) run = context.github().get_string("run_id");
  if (run.empty() || run.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != std::string::npos) {
    fail(Fault::bad_input, "'{}' is not the id of a run", run);
  }
  return dependencies.state / "runs" / run / "artifacts";
}

// source  actions/toolkit, packages/artifact: path-and-artifact-name-validation.ts
void check_name(const std::string& name) {
  if (name.empty()) fail(Fault::bad_input, "Provided artifact name input during validation is empty");
  if (name.find_first_of("\":<>|*?\r\n\\/") != std::string::npos || name == "." || name == "..") {
    fail(Fault::bad_input, "The artifact name is not valid: {}. Invalid characters include: \" : < > | * ? \\r \\n \\ /", name);
  }
}

bool is_below_any(const std::string& path, const std::vector<std::string>& directories) {
  return std::any_of(directories.begin(), directories.end(), [&](const auto& directory) { return path == directory || path.starts_with(directory + "/"); });
}

/// Files of the job that an upload takes: their paths inside.
class Upload {
 public:
  Upload(ActionContext& context, bool hidden) : context_(context), hidden_(hidden) {}
  void add(const std::string& path, const std::vector<std::string>& excluded) {
    if (is_below_any(path, excluded)) return;
    fs::path outside = context_.machine().outside(path);
    auto status = fs::status(outside);
    if (fs::is_directory(status)) {
      for (const auto& entry : fs::directory_iterator(outside)) {
        std::string name = entry.path().filename();
        if (hidden_ || !name.starts_with('.')) add(path + "/" + name, excluded);
      }
    } else if (fs::is_regular_file(status)) {
      files_.push_back(path);
    }
  }
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }

 private:
  ActionContext& context_;
  bool hidden_;
  std::vector<std::string> files_;
};

// The directory that all paths have in common.
std::string common_directory(const std::vector<std::string>& paths) {
  std::string common = paths.front();
  for (const auto& path : paths) {
    while (path != common && !path.starts_with(common + "/") && !common.empty()) common.erase(common.rfind('/'));
  }
  return common;
}

class UploadArtifact final : public workflow::Action {
 public:
  explicit UploadArtifact(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"name", "artifact"}, {"path", std::nullopt, true}, {"if-no-files-found", "warn"}, {"retention-days", std::nullopt}, {"compression-level", "6"}, {"overwrite", "false"}, {"include-hidden-files", "false"}, {"archive", "true"}};
  }

  void run(ActionContext& context) override {
    std::string name = context.text("name");
    check_name(name);
    auto found = find_paths(context, context.list("path"));
    Upload upload(context, context.flag("include-hidden-files", false));
    for (const auto& path : found.paths) upload.add(path, found.excluded);
    if (upload.files().empty()) return nothing(context);
    // One directory or several paths: below what they have in common; one file: by its name.
    std::string root = found.paths.size() == 1 && fs::is_directory(context.machine().outside(found.paths.front())) ? found.paths.front()
                       : upload.files().size() == 1 ? fs::path(upload.files().front()).parent_path().string()
                                                    : common_directory(found.paths);
    store(context, name, upload.files(), root);
  }

 private:
  static void nothing(ActionContext& context) {
    auto text = fmt::format("No files were found with the provided path: {}. No artifacts will be uploaded.", join(context.list("path"), " "));
    std::string policy = context.text("if-no-files-found");
    if (policy == "error") fail(Fault::not_found, "{}", text);
    if (policy == "warn") context.warning(text);
    if (policy == "ignore") context.log(text);
  }

  void store(ActionContext& context, const std::string& name, const std::vector<std::string>& files, const std::string& root) const {
    fs::path all = artifacts_of(context, dependencies_);
    fs::path target = all / name;
    if (fs::exists(target) && !context.flag("overwrite", false)) {
      fail(Fault::conflict, "Failed to CreateArtifact: Received non-retryable error: an artifact with the name '{}' already exists on the workflow run", name);
    }
    fs::path aside = all / (".new-" + uuid());
    formats::Sha256 hash;
    std::uintmax_t bytes = 0;
    for (const auto& file : files) {
      std::string relative = file.substr(root.size() + 1);
      fs::path to = aside / relative;
      os::make_dirs(to.parent_path());
      fs::path from = context.machine().outside(file);
      fs::copy_file(from, to);
      bytes += fs::file_size(to);
      hash.update(relative + "\n" + formats::sha256_hex(os::read_file(to)) + "\n");
    }
    os::remove_tree(target);
    fs::rename(aside, target);
    context.set_output("artifact-id", hash.hex().substr(0, 12));
    context.set_output("artifact-digest", hash.hex());
    context.set_output("artifact-url", "file://" + target.string());
    context.log(fmt::format("Artifact {} has {} file{}, {} bytes: {}", name, files.size(), files.size() == 1 ? "" : "s", bytes, target.string()));
  }

  const Dependencies& dependencies_;
};

class DownloadArtifact final : public workflow::Action {
 public:
  explicit DownloadArtifact(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"name", std::nullopt}, {"artifact-ids", std::nullopt}, {"path", std::nullopt}, {"pattern", std::nullopt}, {"merge-multiple", "false"}, {"github-token", std::nullopt}, {"repository", "${{ github.repository }}"}, {"run-id", "${{ github.run_id }}"}, {"digest-mismatch", "error"}, {"skip-decompress", "false"}};
  }

  void run(ActionContext& context) override {
    if (!context.text("artifact-ids").empty()) fail(Fault::unsupported, "the input artifact-ids is not supported yet: use name or pattern");
    fs::path all = artifacts_of(context, dependencies_, context.text("run-id"));
    std::string path = job_path(context, context.text("path"));
    std::string name = context.text("name");
    context.set_output("download-path", path);
    if (!name.empty()) {
      check_name(name);
      if (!fs::is_directory(all / name)) {
        fail(Fault::not_found, "Unable to download artifact(s): Artifact not found for name: {}: this run has {}", name, names(all, "*").empty() ? "none" : join(names(all, "*"), ", "));
      }
      return take(context, all / name, path);
    }
    std::string pattern = context.text("pattern");
    bool merge = context.flag("merge-multiple", false);
    for (const auto& found : names(all, pattern.empty() ? "*" : pattern)) take(context, all / found, merge ? path : path + "/" + found);
  }

 private:
  static std::vector<std::string> names(const fs::path& all, const std::string& pattern) {
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(all, none)) {
      std::string name = entry.path().filename();
      if (!name.starts_with('.') && matches_wildcard(pattern, name)) found.push_back(name);
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  static void take(ActionContext& context, const fs::path& artifact, const std::string& path) {
    fs::path target = context.machine().outside(path);
    os::make_dirs(target);
    fs::copy(artifact, target, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    context.log(fmt::format("Artifact {} was put into {}", artifact.filename().string(), path));
  }

  const Dependencies& dependencies_;
};

}  // namespace

std::unique_ptr<workflow::Action> make_upload_artifact(const Dependencies& dependencies) { return std::make_unique<UploadArtifact>(dependencies); }
std::unique_ptr<workflow::Action> make_download_artifact(const Dependencies& dependencies) { return std::make_unique<DownloadArtifact>(dependencies); }

}  // namespace slipway::actions
