// SPDX-License-Identifier: Apache-2.0
#include "image/sources.hpp"

#include "base/error.hpp"
#include "formats/sha256.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::image {

namespace fs = std::filesystem;

namespace {

// A file's text. A link stays within the context: a repository or an archive must not have errors show lines of this machine's files.
std::optional<std::string> read_inside(const fs::path& context, const fs::path& file) {
  std::error_code problem;
  auto kind = fs::symlink_status(file, problem).type();
  if (kind == fs::file_type::regular) return os::read_file_if_exists(file);
  if (kind != fs::file_type::symlink) return std::nullopt;
  std::string relative = file.lexically_relative(context).string();
  bool is_inside = !relative.empty() && relative != ".." && !relative.starts_with("../");
  return is_inside ? Tree({context}).read(relative) : os::read_file_if_exists(file);
}

// `DOCKERFILE.dockerignore`, else the context's `.dockerignore`; nothing when there is neither.
std::optional<std::string> ignore_patterns(const fs::path& context, const fs::path& dockerfile) {
  std::optional<std::string> own;
  if (!dockerfile.empty()) own = read_inside(context, dockerfile.string() + ".dockerignore");
  return own ? own : read_inside(context, context / ".dockerignore");
}

}  // namespace

ContextTree& Sources::context(const std::string& directory) {
  std::lock_guard lock(mutex_);
  auto& made = contexts_[directory];
  if (made) return *made;
  std::error_code problem;
  fs::path place =
      fs::canonical(directory.empty() ? request_.context : fs::path(directory), problem);
  if (problem || !fs::is_directory(place)) {
    fail(Fault::bad_input, "no such directory: the build context '{}'",
         directory.empty() ? request_.context.string() : directory);
  }
  auto patterns = ignore_patterns(place, directory.empty() ? dockerfile_ : fs::path());
  auto read = read_ignore_file(patterns.value_or(""));
  auto matcher = while_doing(".dockerignore", [&] { return IgnoreMatcher(read); });
  fs::path hashes = layers_.root() / "hashes" / formats::sha256_hex(place.string()).substr(0, 32);
  made = std::unique_ptr<ContextTree>(
      new ContextTree{.ignore = std::move(matcher), .hashes = FileHashes(hashes), .tree = nullptr});
  made->tree = std::make_unique<Tree>(std::vector<TreeLayer>{place}, &made->ignore);
  return *made;
}

const BaseImage& Sources::image(const std::string& name, const std::string& platform,
                                const std::stop_token& stop) {
  std::lock_guard lock(mutex_);
  auto& known = images_[name + " " + platform];
  if (known) return *known;
  bool is_digest = name.starts_with("sha256:") &&
                   oci::Digest::try_parse(name);  // an image that was imported for this build
  auto reference = is_digest ? oci::Reference{} : oci::Reference::parse(name);
  std::string wanted_text = platform.empty() ? request_.platform : platform;
  auto wanted = wanted_text.empty() ? oci::Platform::host() : oci::Platform::parse(wanted_text);
  std::optional<oci::StoredImage> stored;
  if (is_digest)
    stored = oci::find_image(environment_.store, name, wanted);
  else if (!request_.pull)
    stored = oci::find_image(environment_.store, reference.str(), wanted);
  if (!stored) {
    // With a cache perhaps no step runs, and nobody needs its files: they are unpacked when somebody does.
    bool is_lazy = !request_.cache_from.empty();
    while_doing(fmt::format("base image {}", reference), [&] {
      environment_.registry.pull(
          reference, environment_.store,
          {.platform = wanted, .unpack_into = is_lazy ? nullptr : &environment_.layers}, stop);
      stored = oci::find_image(environment_.store, reference.str(), wanted);
      if (!stored) fail(Fault::not_found, "no image for {}", wanted.str());
    });
  }
  std::string key;
  for (const auto& diff_id : stored->config.diff_ids) key += diff_id.str() + "\n";
  known = std::make_unique<BaseImage>(
      BaseImage{std::move(*stored), formats::sha256_hex("image\n" + key)});
  unpacked_[known.get()] = std::make_unique<Unpacked>();
  return *known;
}

const std::vector<fs::path>& Sources::unpacked(const BaseImage& image,
                                               const std::stop_token& stop) {
  Unpacked* entry = nullptr;
  {
    std::lock_guard lock(mutex_);
    entry = unpacked_.at(&image).get();
  }
  std::lock_guard lock(entry->mutex);
  if (!entry->directories) {
    entry->directories = environment_.layers.unpack(image.image.manifest, image.image.config,
                                                    environment_.store, stop);
  }
  return *entry->directories;
}

Tree& Sources::image_tree(const BaseImage& image, const std::stop_token& stop) {
  const auto& directories = unpacked(image, stop);
  Unpacked* entry = nullptr;
  {
    std::lock_guard lock(mutex_);
    entry = unpacked_.at(&image).get();
  }
  std::lock_guard lock(entry->mutex);
  if (!entry->tree)
    entry->tree =
        std::make_unique<Tree>(std::vector<TreeLayer>(directories.begin(), directories.end()));
  return *entry->tree;
}

std::vector<Material> Sources::materials() {
  std::lock_guard lock(mutex_);
  std::vector<Material> out;
  for (const auto& [key, image] : images_) {
    std::string name = key.substr(0, key.find(' '));
    if (image && !name.starts_with("sha256:"))
      out.push_back({name, image->image.descriptor.digest});
  }
  return out;
}

void Sources::save() {
  std::lock_guard lock(mutex_);
  for (auto& [name, context] : contexts_) context->hashes.save();
}

}  // namespace slipway::image
