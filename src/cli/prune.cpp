// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "cli/verbs.hpp"
#include "formats/json.hpp"
#include "image/build_prune.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"
#include "workflow/container_options.hpp"

namespace slipway::cli {
namespace {

// The layers of every image that has a name.
std::set<oci::Digest> named_layers(const oci::BlobStore& store) {
  std::set<oci::Digest> keep;
  for (const oci::TaggedImage& image : store.tags()) {
    for (const oci::Digest& digest : store.reachable(image.target.digest)) {
      auto target = store.resolve(digest.str());
      if (!target || !oci::is_manifest_type(target->media_type)) continue;
      auto manifest = oci::parse_manifest(store.read(digest));
      bool is_image = manifest.config.media_type == oci::media_type::kConfig ||
                      manifest.config.media_type == oci::media_type::kDockerConfig;
      if (!is_image || !store.has(manifest.config.digest))
        continue;  // a signature, an SBOM: nothing is unpacked
      auto config = oci::parse_image_config(store.read(manifest.config.digest));
      keep.insert(config.diff_ids.begin(), config.diff_ids.end());
    }
  }
  return keep;
}

[[noreturn]] void refuse_in_use() {
  fail(Fault::conflict, "a build or a pull is using the image store: try again when it has ended");
}

int prune(const Invocation& call, Surroundings& around) {
  std::optional<std::uint64_t> most;
  if (auto size = call.value("--keep-storage"))
    most = while_doing("--keep-storage", [&] { return workflow::parse_bytes(*size); });
  if (most && call.has("--all"))
    fail(Fault::bad_input, "--all leaves nothing of the build cache: give it or --keep-storage");
  std::filesystem::path images = around.state / "images";
  oci::BlobStore store(images);
  oci::LayerCache layers(images / "layers");
  image::PrunedBuilds builds;
  image::ShrunkBuilds shrunk;
  {
    auto sole = store.try_sole_lease();
    if (!sole) refuse_in_use();
    builds = image::prune_builds(images / "build", call.has("--all"));
    if (most) shrunk = image::shrink_builds(images / "build", store, *most);
  }
  builds.layers += shrunk.layers;
  auto collected = store.collect_garbage(shrunk.kept_blobs);
  if (collected.in_use) refuse_in_use();
  auto pruned = layers.prune(named_layers(store));
  if (around.json) {
    print(formats::Json::object({{"blobs", collected.blobs},
                                 {"bytes", collected.bytes},
                                 {"layers", pruned.layers},
                                 {"cached_layers", builds.layers},
                                 {"cache_mounts_and_downloads", shrunk.others},
                                 {"cache_bytes", shrunk.bytes},
                                 {"broken_off", builds.broken_off}})
              .dump() +
          "\n");
  } else {
    std::string text =
        fmt::format("removed {} blobs ({:.1f} MB) and {} unpacked layers", collected.blobs,
                    static_cast<double>(collected.bytes) / 1e6, pruned.layers);
    if (builds.layers > 0) text += fmt::format(", {} layers of the build cache", builds.layers);
    if (shrunk.others > 0) text += fmt::format(", {} cache mounts and downloads", shrunk.others);
    if (builds.broken_off > 0)
      text += fmt::format(", what {} killed builds left", builds.broken_off);
    print(text + "\n");
  }
  return 0;
}

}  // namespace

Verb prune_verb() {
  return {.name = "prune",
          .usage = "[--all | --keep-storage SIZE]",
          .summary = "removes blobs and layers that no image uses",
          .options = {{"-a,--all", Option::Kind::flag, "",
                       "the build cache too: layers, cache mounts, downloads"},
                      {"--keep-storage", Option::Kind::value, "SIZE",
                       "of the build cache, keep what was used last up to this size"}},
          .min_arguments = 0,
          .max_arguments = 0,
          .run = prune};
}

}  // namespace slipway::cli
