// SPDX-License-Identifier: Apache-2.0
#include "image/build_platforms.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "image/output.hpp"
#include "oci/blob_store.hpp"
#include "oci/reference.hpp"

namespace slipway::image {
namespace {

// The image of one platform, with what attests it.
void add_entries(oci::Index& index, const BuildResult& built, const oci::Platform& platform,
                 const oci::BlobStore& store) {
  auto digest = oci::Digest::parse(built.manifest_digest);
  if (oci::is_index_type(built.media_type)) {
    auto attested = oci::parse_index(store.read(digest));
    index.manifests.insert(index.manifests.end(), attested.manifests.begin(),
                           attested.manifests.end());
    return;
  }
  index.manifests.push_back({.media_type = built.media_type,
                             .digest = digest,
                             .size = built.manifest_size,
                             .platform = platform});
}

void check_outputs(const BuildRequest& request) {
  for (const auto& output : request.outputs) {
    if (output.kind == Output::Kind::tar || output.kind == Output::Kind::docker) {
      fail(Fault::unsupported,
           "an output of this type is not supported yet for several platforms: give type=oci, "
           "image, registry or local");
    }
  }
}

bool is_directory(const Output& output) { return output.kind == Output::Kind::local; }

// What one platform's build writes itself: each directory gets one below it ("linux_amd64"). The image goes to the store for the index.
std::vector<Output> outputs_of(const BuildRequest& request, const std::string& platform) {
  std::vector<Output> outputs;
  for (const auto& output : request.outputs) {
    if (!is_directory(output)) continue;
    outputs.push_back(output);
    outputs.back().dest /= replace_all(oci::Platform::parse(platform).str(), "/", "_");
  }
  if (outputs.size() < request.outputs.size()) outputs.push_back({});
  return outputs;
}

}  // namespace

BuildResult build_platforms(const BuildRequest& request, BuildEnvironment& environment,
                            const ProgressSink& progress, const std::stop_token& stop,
                            const SingleBuild& build_one) {
  check_outputs(request);
  auto lease = environment.store.lease();
  BuildResult result;
  for (const auto& tag : request.tags) result.names.push_back(oci::Reference::parse(tag).str());
  CacheSteps steps;
  oci::Index index;
  index.annotations = request.annotations;
  for (const auto& text : split(request.platform, ',')) {
    BuildRequest one = request;
    one.platform = std::string(trim(text));
    one.tags.clear();
    one.outputs = outputs_of(request, one.platform);
    auto built = build_one(one, steps);
    if (request.check_only) return built;
    if (!built.manifest_digest.empty())
      add_entries(index, built, oci::Platform::parse(one.platform), environment.store);
    result.steps += built.steps;
    result.cached += built.cached;
    if (result.findings.empty()) result.findings = built.findings;
    if (result.config_digest.empty()) result.config_digest = built.config_digest;
  }
  oci::Descriptor image;
  if (!index.manifests.empty()) {
    image = environment.store.put(oci::print(index), oci::media_type::kIndex);
    result.manifest_digest = image.digest.str();
    result.manifest_size = image.size;
    result.media_type = image.media_type;
    for (const auto& name : result.names) environment.store.set_tag(name, image);
  }
  OutputWorld world{.environment = environment,
                    .image = image,
                    .names = result.names,
                    .platform = oci::Platform::host(),
                    .root = []() -> Tree& {
                      fail(Fault::unsupported, "there is no one root of several platforms");
                    },
                    .progress = progress};
  for (const auto& output : request.outputs) {
    if (!is_directory(output)) write_output(output, world, result.pushed, stop);
  }
  LayerStore layers(environment.state / "build");
  BuildCache(request, environment, layers).write(steps, stop);
  return result;
}

}  // namespace slipway::image
