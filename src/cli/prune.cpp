// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "cli/verbs.hpp"
#include "formats/json.hpp"
#include "oci/blob_store.hpp"
#include "oci/unpack.hpp"

namespace slipway::cli {
namespace {

// The layers of every image that has a name.
std::set<oci::Digest> named_layers(const oci::BlobStore& store) {
  std::set<oci::Digest> keep;
  for (const oci::TaggedImage& image : store.tags()) {
    for (const oci::Digest& digest : store.reachable(image.target.digest)) {
      auto target = store.resolve(digest.str());
      if (!target || !oci::is_manifest_type(target->media_type)) continue;
      if (auto found = oci::find_image(store, digest.str(), oci::Platform::host())) {
        keep.insert(found->config.diff_ids.begin(), found->config.diff_ids.end());
      }
    }
  }
  return keep;
}

int prune(const Invocation& call, Surroundings& around) {
  if (call.has("--keep-storage"))
    fail(Fault::unsupported,
         "'prune --keep-storage' is not supported yet: prune removes all that is unused");
  std::filesystem::path images = around.state / "images";
  oci::BlobStore store(images);
  oci::LayerCache layers(images / "layers");
  auto collected = store.collect_garbage();
  if (collected.in_use)
    fail(Fault::conflict,
         "a build or a pull is using the image store: try again when it has ended");
  auto pruned = layers.prune(named_layers(store));
  if (around.json) {
    print(formats::Json::object(
              {{"blobs", collected.blobs}, {"bytes", collected.bytes}, {"layers", pruned.layers}})
              .dump() +
          "\n");
  } else {
    print(fmt::format("removed {} blobs ({:.1f} MB) and {} unpacked layers\n", collected.blobs,
                      static_cast<double>(collected.bytes) / 1e6, pruned.layers));
  }
  return 0;
}

}  // namespace

Verb prune_verb() {
  return {.name = "prune",
          .usage = "[--keep-storage SIZE]",
          .summary = "removes blobs and layers that no image uses",
          .options = {{"--keep-storage", Option::Kind::value, "SIZE", "not supported yet"}},
          .min_arguments = 0,
          .max_arguments = 0,
          .run = prune};
}

}  // namespace slipway::cli
