// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/job_paths.hpp"
#include "actions/job_tar.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/io.hpp"
#include "formats/json.hpp"
#include "formats/tar.hpp"
#include "formats/zip.hpp"
#include "os/file.hpp"
#include "workflow/artifact_store.hpp"

// actions/upload-artifact and download-artifact. They share their store with the official ones: see workflow/toolkit_artifacts.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using workflow::ActionContext;

workflow::ArtifactStore artifacts_of(ActionContext& context, const Dependencies& dependencies,
                                     std::string run = "") {
  if (run.empty()) run = context.github().get_string("run_id");
  if (run.empty() ||
      run.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") !=
          std::string::npos) {
    fail(Fault::bad_input, "'{}' is not the id of a run", run);
  }
  return workflow::ArtifactStore(dependencies.state / "runs" / run / "artifacts");
}

bool is_below_any(const std::string& path, const std::vector<std::string>& directories) {
  return std::any_of(directories.begin(), directories.end(), [&](const auto& directory) {
    return path == directory || path.starts_with(directory + "/");
  });
}

// True for a file that is hidden, or in a hidden directory, below the path it was found by.
bool is_hidden_below(const std::string& path, const std::vector<std::string>& roots) {
  for (const auto& root : roots) {
    if (path.starts_with(root + "/")) return path.find("/.", root.size()) != std::string::npos;
  }
  return false;
}

/// The files that an upload takes, as the job sees them; links are followed, as the official action does.
std::vector<std::string> files_of(ActionContext& context, const FoundPaths& found, bool hidden) {
  if (found.paths.empty()) return {};
  std::vector<std::string> argv = {"sh", "-c", "find -L \"$@\" -type f -print0 2>/dev/null; true",
                                   "find-files"};
  argv.insert(argv.end(), found.paths.begin(), found.paths.end());
  os::Exit exit;
  auto files = split(context.capture(argv, exit), '\0');
  std::erase_if(files, [&](const std::string& file) {
    return file.empty() || is_below_any(file, found.excluded) ||
           (!hidden && is_hidden_below(file, found.paths));
  });
  std::sort(files.begin(), files.end());
  return files;
}

bool is_directory(ActionContext& context, const std::string& path) {
  os::Exit exit;
  context.capture({"test", "-d", path}, exit);
  return exit.ok();
}

// The directory that all paths have in common.
std::string common_directory(const std::vector<std::string>& paths) {
  std::string common = paths.front();
  for (const auto& path : paths) {
    while (path != common && !path.starts_with(common + "/") && !common.empty())
      common.erase(common.rfind('/'));
  }
  return common;
}

// A tar as a zip archive.
void write_zip(const fs::path& tar, const fs::path& zip, int level) {
  auto file = os::open_file(tar.string(), O_RDONLY);
  formats::FdReader bytes(file.get());
  formats::TarReader reader(bytes);
  formats::ZipWriter writer(zip, level);
  while (auto entry = reader.next()) {
    if (entry->type != formats::TarType::file) continue;
    auto path = entry->path.starts_with("./") ? entry->path.substr(2) : entry->path;
    writer.add({.path = path, .mode = entry->mode, .size = entry->size, .mtime = entry->mtime},
               reader.content());
  }
  writer.finish();
}

class UploadArtifact final : public workflow::Action {
 public:
  explicit UploadArtifact(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"name", "artifact"},
            {"path", std::nullopt, true},
            {"if-no-files-found", "warn"},
            {"retention-days", std::nullopt},
            {"compression-level", "6"},
            {"overwrite", "false"},
            {"include-hidden-files", "false"},
            {"archive", "true"}};
  }

  void run(ActionContext& context) override {
    std::string name = context.text("name");
    workflow::check_artifact_name(name);
    auto found = find_paths(context, context.list("path"));
    auto files = files_of(context, found, context.flag("include-hidden-files", false));
    if (files.empty()) return nothing(context);
    bool archive = context.flag("archive", true);
    if (!archive && files.size() > 1)
      fail(Fault::bad_input, "archive: false uploads a single file, and {} were found",
           files.size());
    if (!archive) return store_file(context, files.front());
    // One directory or several paths: below what they have in common; one file: by its name.
    std::string root = found.paths.size() == 1 && is_directory(context, found.paths.front())
                           ? found.paths.front()
                       : files.size() == 1 ? fs::path(files.front()).parent_path().string()
                                           : common_directory(found.paths);
    store(context, name, files, root);
  }

 private:
  static void nothing(ActionContext& context) {
    auto text = fmt::format(
        "No files were found with the provided path: {}. No artifacts will be uploaded.",
        join(context.list("path"), " "));
    std::string policy = context.text("if-no-files-found");
    if (policy == "error") fail(Fault::not_found, "{}", text);
    if (policy == "warn") context.warning(text);
    if (policy == "ignore") context.log(text);
  }

  void store(ActionContext& context, const std::string& name, const std::vector<std::string>& files,
             const std::string& root) const {
    auto artifacts = artifacts_of(context, dependencies_);
    auto directory = artifacts.make_upload_directory();
    auto tar = directory / "files.tar";
    // The list goes in by stdin: it may be longer than a command line.
    std::string list;
    for (const auto& file : files)
      list += "./" + file.substr(root.size() + 1) + "\n";  // a name may begin with a dash
    os::write_file(directory / "list", list);
    auto names = os::open_file((directory / "list").string(), O_RDONLY);
    auto out = os::open_file(tar.string(), O_WRONLY | O_CREAT);
    auto exit = context.machine().exec(
        {.argv = {"tar", "-chf", "-", "-C", root.empty() ? "/" : root, "-T", "-"},
         .env = context.env(),
         .cwd = context.machine().paths().workspace,
         .stdin_fd = names.get(),
         .stdout_fd = out.get()},
        [&](std::string_view text) { context.log(text); }, context.stop());
    if (!exit.ok())
      fail(Fault::failed, "packing the artifact {} failed with {}", name, os::to_string(exit));
    write_zip(tar, directory / "artifact.zip",
              static_cast<int>(to_integer(context.text("compression-level")).value_or(6)));
    finish(context, artifacts, name, directory, "artifact.zip", "application/zip");
    context.log(fmt::format("With the provided path, there will be {} file{} uploaded",
                            files.size(), files.size() == 1 ? "" : "s"));
  }

  // One file as it is, under its own name.
  void store_file(ActionContext& context, const std::string& file) const {
    auto artifacts = artifacts_of(context, dependencies_);
    auto directory = artifacts.make_upload_directory();
    if (auto exit = run_into(context, {"cat", file}, directory / "file"); !exit.ok()) {
      fail(Fault::failed, "reading '{}' failed with {}", file, os::to_string(exit));
    }
    finish(context, artifacts, fs::path(file).filename().string(), directory, "file",
           "application/octet-stream");
  }

  static void finish(ActionContext& context, workflow::ArtifactStore& artifacts,
                     const std::string& name, const fs::path& directory, const char* file,
                     const std::string& mime) {
    if (context.flag("overwrite", false)) artifacts.remove(name);
    std::optional<workflow::Artifact> kept;
    try {
      kept = artifacts.add(name, directory / file, mime);
    } catch (const Error& error) {
      os::remove_tree(directory);
      if (error.fault() != Fault::conflict) throw;
      fail(Fault::conflict,
           "Failed to CreateArtifact: Received non-retryable error: Failed request: (409) "
           "Conflict: {}",
           error.what());
    }
    os::remove_tree(directory);
    context.set_output("artifact-id", std::to_string(kept->id));
    context.set_output("artifact-digest", kept->digest.substr(kept->digest.find(':') + 1));
    context.set_output("artifact-url", "file://" + kept->file.string());
    context.log(fmt::format(
        "Artifact {} has been successfully uploaded! Final size is {} bytes. Artifact ID is {}: {}",
        name, kept->size, kept->id, kept->file.string()));
  }

  const Dependencies& dependencies_;
};

class DownloadArtifact final : public workflow::Action {
 public:
  explicit DownloadArtifact(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"name", std::nullopt},
            {"artifact-ids", std::nullopt},
            {"path", std::nullopt},
            {"pattern", std::nullopt},
            {"merge-multiple", "false"},
            {"github-token", std::nullopt},
            {"repository", "${{ github.repository }}"},
            {"run-id", "${{ github.run_id }}"},
            {"digest-mismatch", "error"},
            {"skip-decompress", "false"}};
  }

  void run(ActionContext& context) override {
    auto artifacts = artifacts_of(context, dependencies_, context.text("run-id"));
    std::string path = job_path(context, context.text("path"));
    std::string name = context.text("name");
    bool merge = context.flag("merge-multiple", false);
    context.set_output("download-path", path);
    if (!name.empty()) {
      auto found = artifacts.find(name);
      if (!found)
        fail(Fault::not_found,
             "Unable to download artifact(s): Artifact not found for name: {}: this run has {}",
             name, names_of(artifacts));
      return take(context, *found, path);
    }
    auto wanted = wanted_of(context, artifacts);
    for (const auto& artifact : wanted)
      take(context, artifact,
           merge || (wanted.size() == 1 && !context.text("artifact-ids").empty())
               ? path
               : path + "/" + artifact.name);
    context.log(fmt::format("Total of {} artifact(s) downloaded", wanted.size()));
  }

 private:
  static std::string names_of(const workflow::ArtifactStore& artifacts) {
    std::vector<std::string> names;
    for (const auto& artifact : artifacts.list()) names.push_back(artifact.name);
    return names.empty() ? "none" : join(names, ", ");
  }

  static std::vector<workflow::Artifact> wanted_of(ActionContext& context,
                                                   const workflow::ArtifactStore& artifacts) {
    auto wanted = artifacts.list();
    if (auto ids = context.text("artifact-ids"); !ids.empty()) {
      auto listed = split(replace_all(ids, " ", ""), ',');
      std::erase_if(wanted, [&](const auto& artifact) {
        return std::find(listed.begin(), listed.end(), std::to_string(artifact.id)) == listed.end();
      });
      if (wanted.empty())
        fail(Fault::not_found, "Unable to download artifact(s): no artifact has one of the ids {}",
             ids);
      return wanted;
    }
    auto pattern = context.text("pattern");
    if (!pattern.empty())
      std::erase_if(
          wanted, [&](const auto& artifact) { return !matches_wildcard(pattern, artifact.name); });
    return wanted;
  }

  static void take(ActionContext& context, const workflow::Artifact& artifact,
                   const std::string& path) {
    if (os::Exit exit; context.capture({"mkdir", "-p", path}, exit), !exit.ok())
      fail(Fault::failed, "'{}' cannot be made", path);
    auto exit = run_fed(context, {"tar", "-xf", "-", "-C", path}, [&](formats::Writer& writer) {
      write_tar(artifact, context.flag("skip-decompress", false), writer);
    });
    if (!exit.ok())
      fail(Fault::failed, "unpacking the artifact {} failed with {}", artifact.name,
           os::to_string(exit));
    context.log(fmt::format("Artifact {} was put into {}", artifact.name, path));
  }

  // What the job's tar unpacks: the files of the archive, or the artifact as it is.
  static void write_tar(const workflow::Artifact& artifact, bool as_it_is,
                        formats::Writer& writer) {
    formats::TarWriter tar(writer);
    if (as_it_is || !artifact.is_zip()) {
      auto file = os::open_file(artifact.file.string(), O_RDONLY);
      formats::FdReader bytes(file.get());
      tar.add({.path = artifact.file.filename().string(),
               .size = artifact.size,
               .mtime = artifact.created_ms / 1000},
              bytes);
    } else {
      formats::ZipReader zip(artifact.file);
      while (auto entry = zip.next()) {
        formats::TarEntry header{.path = entry->path,
                                 .mode = entry->mode == 0 ? 0644 : entry->mode,
                                 .size = entry->size,
                                 .mtime = entry->mtime};
        if (entry->is_directory) {
          header.type = formats::TarType::directory;
          header.mode = 0755;
          tar.add(header);
        } else {
          add_file(tar, header, zip.content());
        }
      }
    }
    tar.finish();
  }

  // A zip archive that was written as a stream may not know its files' sizes before their ends.
  static void add_file(formats::TarWriter& tar, formats::TarEntry header,
                       formats::Reader& content) {
    if (header.size > 0) return tar.add(header, content);
    tar.add(header, formats::read_all(content));
  }

  const Dependencies& dependencies_;
};

}  // namespace

std::unique_ptr<workflow::Action> make_upload_artifact(const Dependencies& dependencies) {
  return std::make_unique<UploadArtifact>(dependencies);
}
std::unique_ptr<workflow::Action> make_download_artifact(const Dependencies& dependencies) {
  return std::make_unique<DownloadArtifact>(dependencies);
}

}  // namespace slipway::actions
