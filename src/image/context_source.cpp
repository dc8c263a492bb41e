// SPDX-License-Identifier: Apache-2.0
#include "image/context_source.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "image/remote_source.hpp"
#include "image/tree.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLayout = "oci-layout://";
constexpr std::uint64_t kMostDockerfile = 16u << 20;

// "github.com/owner/repository" is short for its https address.
std::string with_scheme(const std::string& text) {
  return text.starts_with("github.com/") ? "https://" + text : text;
}

bool is_repository(const std::string& text) {
  return is_git_source(text) || text.starts_with("github.com/") ||
         (text.starts_with("https://github.com/") && text.find("/archive/") == std::string::npos);
}

std::string read_dockerfile_text(const fs::path& file) {
  if (fs::file_size(file) > kMostDockerfile)
    fail(Fault::bad_input, "it is neither a tar nor a Dockerfile");
  std::string text = os::read_file(file);
  if (text.find('\0') != std::string::npos)
    fail(Fault::bad_input, "it is neither a tar nor a Dockerfile");
  return text;
}

// source BuildKit, "Built-in build args"
bool keeps_git_dir(const BuildRequest& request) {
  auto given = request.build_args.find("BUILDKIT_CONTEXT_KEEP_GIT_DIR");
  return given != request.build_args.end() && (given->second == "1" || given->second == "true");
}

// The Dockerfile lies in what was fetched, also when it is a link: one that leads out would show this machine's files in errors.
void find_dockerfile_inside(BuildRequest& request) {
  if (request.dockerfile_text || (request.dockerfile && request.dockerfile->is_absolute())) return;
  request.context = fs::canonical(request.context);
  Tree files({request.context});
  std::vector<std::string> names{"Dockerfile", "dockerfile"};
  if (request.dockerfile) names = {request.dockerfile->string()};
  for (const auto& name : names) {
    auto found = files.lookup(name, true);
    if (!found || !found->node.is_file()) continue;
    request.dockerfile = request.context / found->path;
    return;
  }
  fail(Fault::bad_input, "failed to read dockerfile: there is no file '{}' in the context",
       names.front());
}

}  // namespace

fs::path FetchedContexts::new_directory(const BuildEnvironment& environment) {
  directories_.push_back(std::make_unique<os::TempDir>(environment.state / "build"));
  return directories_.back()->path();
}

// A directory with what the address leads to; an address of a Dockerfile gives its text and an empty directory.
fs::path FetchedContexts::fetch(const std::string& source, const BuildRequest& request,
                                std::optional<std::string>* dockerfile,
                                BuildEnvironment& environment, const std::stop_token& stop) {
  LayerStore store(environment.state / "build");
  fs::path place = new_directory(environment);
  fs::path files = place / "files";
  os::make_dirs(files);
  CopyOp add{.sources = {source}, .is_add = true, .keep_git_dir = keeps_git_dir(request)};
  if (is_git_source(source))
    return fetch_remote(add, source, request.secrets, store, files, stop).path;
  remote_key(add, request.secrets, store, stop);  // downloads
  fs::path download = fetch_remote(add, source, request.secrets, store, files, stop).path;
  if (!unpack_archive(download, files, stop)) {
    if (!dockerfile) fail(Fault::bad_input, "{} is no archive", source);
    *dockerfile = read_dockerfile_text(download);
  }
  return files;
}

void FetchedContexts::set_context(BuildRequest& request, const std::string& text,
                                  const fs::path& cwd, BuildEnvironment& environment,
                                  formats::Reader& standard_input, const std::stop_token& stop) {
  bool is_address = text.starts_with("http://") || text.starts_with("https://");
  if (text == "-") {
    fs::path place = new_directory(environment);
    {
      os::Fd file = os::open_file((place / "input").string(), O_WRONLY | O_CREAT | O_EXCL, 0600);
      formats::FdWriter writer(file.get());
      formats::copy_all(standard_input, writer);
    }
    os::make_dirs(place / "files");
    while_doing("the context on standard input", [&] {
      if (!unpack_archive(place / "input", place / "files", stop))
        request.dockerfile_text = read_dockerfile_text(place / "input");
    });
    request.context = place / "files";
  } else if (is_repository(text)) {
    std::string source = with_scheme(text);
    auto hash = source.find_first_of("?#");
    std::string address = source.substr(0, hash);
    if (address.starts_with("https://github.com/") && !address.ends_with(".git")) {
      source = address + ".git" + (hash == std::string::npos ? "" : source.substr(hash));
    }
    request.context = fetch(source, request, nullptr, environment, stop);
  } else if (is_address) {
    std::optional<std::string> dockerfile;
    request.context = fetch(text, request, &dockerfile, environment, stop);
    if (dockerfile) request.dockerfile_text = dockerfile;
  } else {
    fs::path path(text);
    path = (path.is_absolute() ? path : cwd / path).lexically_normal();
    std::error_code problem;
    if (!fs::is_regular_file(path, problem)) {
      request.context = path;
      return;
    }
    request.context = new_directory(environment) / "files";
    os::make_dirs(request.context);
    bool is_archive = while_doing(fmt::format("the context '{}'", text),
                                  [&] { return unpack_archive(path, request.context, stop); });
    if (!is_archive)
      fail(Fault::bad_input,
           "the context '{}' is no directory and no tar; name a Dockerfile with -f", text);
  }
  find_dockerfile_inside(request);
}

void FetchedContexts::fetch_named(BuildRequest& request, BuildEnvironment& environment,
                                  const std::stop_token& stop) {
  for (auto& [name, value] : request.contexts) {
    if (value.starts_with(kLayout)) {
      std::string path = value.substr(kLayout.size());
      auto mark = path.find_last_of("@:");
      bool has_mark = mark != std::string::npos && path.find('/', mark) == std::string::npos;
      auto lease = environment.store.lease();
      auto brought = oci::import_layout(
          has_mark ? path.substr(0, path.find('@') == std::string::npos ? mark : path.find('@'))
                   : path,
          environment.store, "", stop);
      std::string wanted = has_mark ? path.substr(mark + 1) : "";
      const oci::TaggedImage* chosen = nullptr;
      for (const auto& image : brought) {
        bool fits = wanted.empty() || image.name.ends_with(":" + wanted) ||
                    image.target.digest.str().ends_with(wanted);
        if (!chosen && fits) chosen = &image;
      }
      if (!chosen) chosen = &brought.front();
      value = "docker-image://" + chosen->target.digest.str();
    } else if (is_remote_source(value)) {
      value = fetch(value, request, nullptr, environment, stop).string();
    }
  }
}

}  // namespace slipway::image
