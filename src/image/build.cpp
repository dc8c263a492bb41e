// SPDX-License-Identifier: Apache-2.0
#include "image/build.hpp"

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "image/graph.hpp"
#include "image/output.hpp"
#include "image/stage_run.hpp"
#include "oci/reference.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

Arguments arguments_of(const BuildRequest& request) {
  Arguments arguments{.given = request.build_args,
                      .contexts = request.contexts,
                      .target_stage = request.target,
                      .network = request.network.empty() ? "host" : request.network,
                      .allow_insecure = request.allow_insecure};
  if (!request.platform.empty()) arguments.target_platform = oci::Platform::parse(request.platform);
  return arguments;
}

struct DockerfileText {
  std::string name;  // for messages
  fs::path path;     // empty when it came as text
  std::string text;
};

DockerfileText read_dockerfile(const BuildRequest& request) {
  if (request.dockerfile_text) return {"Dockerfile", {}, *request.dockerfile_text};
  fs::path path = request.dockerfile.value_or(request.context / "Dockerfile");
  std::string name =
      request.dockerfile ? request.dockerfile->string() : path.lexically_normal().string();
  auto text = os::read_file_if_exists(path);
  if (!text && !request.dockerfile)
    text = os::read_file_if_exists(path = request.context / "dockerfile");
  if (!text)
    fail(Fault::bad_input, "failed to read dockerfile: there is no file '{}'", path.string());
  return {name, path, std::move(*text)};
}

[[noreturn]] void refuse(const std::vector<Diagnostic>& errors, std::string_view text) {
  std::string all;
  for (const auto& error : errors) all += (all.empty() ? "" : "\n") + with_source(error, text);
  throw Error(Fault::bad_input, all);
}

// Makes blobs of the target's layers, one after the other (each on all processors), while later steps still run.
class BlobMaker final {
 public:
  BlobMaker(const BuildRequest& request, TaskGroup& group) : request_(request), group_(group) {}

  void start() {
    group_.start([this](const std::stop_token& stop) { work(stop); });
  }
  void add(const std::shared_ptr<Layer>& layer) {
    queue_.with([&](Queue& queue) { queue.layers.push_back(layer); });
  }
  /// All blobs, in the order of their layers.
  std::vector<LayerBlob> finish(const std::stop_token& stop) {
    queue_.with([](Queue& queue) { queue.is_closed = true; });
    std::vector<LayerBlob> blobs;
    bool done = queue_.wait(
        stop, Deadline::never(),
        [](const Queue& queue) { return queue.blobs.size() == queue.layers.size(); },
        [&](Queue& queue) { blobs = queue.blobs; });
    if (!done) throw Cancelled();
    return blobs;
  }

 private:
  struct Queue {
    std::vector<std::shared_ptr<Layer>> layers;
    std::vector<LayerBlob> blobs;
    bool is_closed = false;
  };

  void work(const std::stop_token& stop) {
    std::optional<std::int64_t> clamp;
    if (request_.rewrite_timestamp) clamp = request_.source_date_epoch;
    while (true) {
      std::shared_ptr<Layer> next;
      bool woken = queue_.wait(
          stop, Deadline::never(),
          [](const Queue& queue) {
            return queue.is_closed || queue.blobs.size() < queue.layers.size();
          },
          [&](Queue& queue) {
            if (queue.blobs.size() < queue.layers.size()) next = queue.layers[queue.blobs.size()];
          });
      if (!woken) throw Cancelled();
      if (!next) return;
      auto blob = next->blob(request_.compression, clamp, stop);
      queue_.with([&](Queue& queue) { queue.blobs.push_back(std::move(blob)); });
    }
  }

  const BuildRequest& request_;
  TaskGroup& group_;
  Guarded<Queue> queue_;
};

// The configuration with the new layers and the times of its history. What was cached keeps its time, so that nothing changed gives the
// same image.
oci::ImageConfig finished_config(const BuildRequest& request, const StageRun& target,
                                 const std::vector<LayerBlob>& blobs) {
  oci::ImageConfig config = target.plan.image;
  for (const auto& [name, value] : request.labels) config.config.labels[name] = value;
  for (const auto& blob : blobs) config.diff_ids.push_back(blob.diff_id);
  std::map<std::size_t, std::string> times;
  for (const auto* steps : {&target.base_steps, &target.steps}) {
    for (const auto& done : *steps) times[done.history] = done.record.created;
  }
  std::size_t first_new = target.base_image ? target.base_image->image.config.history.size() : 0;
  std::string time = config.created;
  if (time.empty()) time = "1970-01-01T00:00:00Z";
  std::optional<std::string> fixed;
  if (request.source_date_epoch)
    fixed = formats::iso8601(
        formats::from_epoch_seconds(static_cast<double>(*request.source_date_epoch)));
  for (std::size_t i = first_new; i < config.history.size(); ++i) {
    if (auto known = times.find(i); known != times.end()) time = known->second;
    if (fixed) time = *fixed;
    config.history[i].created = time;
  }
  config.created = time;
  return config;
}

std::string oci_layer_type(const std::string& type) {
  return type == oci::media_type::kDockerLayerGzip ? std::string(oci::media_type::kLayerGzip)
                                                   : type;
}

oci::Descriptor put_image(const BuildRequest& request, BuildEnvironment& environment,
                          const StageRun& target, const std::vector<LayerBlob>& blobs,
                          BuildResult& result) {
  oci::ImageConfig config = finished_config(request, target, blobs);
  oci::Manifest manifest;
  std::string config_bytes = oci::print(config);
  manifest.config = oci::describe(config_bytes, oci::media_type::kConfig);
  if (!environment.store.has(manifest.config.digest)) environment.store.put(config_bytes);
  if (target.base_image) {
    for (auto layer : target.base_image->image.manifest.layers) {
      layer.media_type = oci_layer_type(layer.media_type);
      manifest.layers.push_back(std::move(layer));
    }
  }
  for (const auto& blob : blobs) manifest.layers.push_back(blob.blob);
  manifest.annotations = request.annotations;
  std::string bytes = oci::print(manifest);
  auto descriptor = oci::describe(bytes, oci::media_type::kManifest);
  if (!environment.store.has(descriptor.digest)) environment.store.put(bytes);
  result.config_digest = manifest.config.digest.str();
  result.manifest_digest = descriptor.digest.str();
  result.manifest_size = descriptor.size;
  result.media_type = descriptor.media_type;
  return descriptor;
}

bool needs_image(const BuildRequest& request) {
  if (request.outputs.empty()) return true;
  return std::any_of(request.outputs.begin(), request.outputs.end(), [](const Output& output) {
    return output.kind != Output::Kind::local && output.kind != Output::Kind::tar;
  });
}

BuildRequest with_epoch_argument(BuildRequest request) {
  auto given = request.build_args.find("SOURCE_DATE_EPOCH");
  if (given == request.build_args.end() || request.source_date_epoch) return request;
  auto seconds = to_integer(given->second);
  if (!seconds)
    fail(Fault::bad_input, "SOURCE_DATE_EPOCH '{}' is not a number of seconds", given->second);
  request.source_date_epoch = *seconds;
  return request;
}

}  // namespace

BuildResult build(const BuildRequest& given, BuildEnvironment& environment,
                  const ProgressSink& progress, const std::stop_token& stop) {
  const BuildRequest request = with_epoch_argument(given);
  BuildResult result;
  for (const auto& tag : request.tags) result.names.push_back(oci::Reference::parse(tag).str());
  auto file = read_dockerfile(request);
  auto arguments = arguments_of(request);
  auto parsed = parse_dockerfile(file.text, file.name);
  auto list = read_stages(parsed, file.name, arguments);
  if (!list.errors.empty()) refuse(list.errors, file.text);

  auto lease = environment.store.lease();
  LayerStore store(environment.state / "build");
  Sources sources(request, environment, store);
  sources.set_dockerfile(file.path);
  TaskGroup group(stop);
  BlobMaker blobs(request, group);
  StageRunner runner({request, environment, list, arguments, file.text, sources, store, progress},
                     group);
  runner.plan(stop);
  if (needs_image(request)) {
    runner.on_target_layer = [&](const std::shared_ptr<Layer>& layer) { blobs.add(layer); };
    blobs.start();
  }
  runner.demand(list.target);
  std::vector<LayerBlob> made;
  StageRun* target = nullptr;
  auto end = [&] {
    runner.keep_records();
    sources.save();
    std::tie(result.steps, result.cached) = runner.counts();
  };
  try {
    target = &runner.wait(list.target, group.token());
    if (needs_image(request)) made = blobs.finish(group.token());
    group.join();
  } catch (const Cancelled&) {  // by the caller, or by a task that failed: then join() says why
    group.join();
    end();
    throw;
  }
  end();
  oci::Descriptor image;
  if (needs_image(request)) {
    image = put_image(request, environment, *target, made, result);
    for (const auto& name : result.names) {
      auto known = environment.store.resolve(name);
      if (!known || known->digest != image.digest) environment.store.set_tag(name, image);
    }
  }
  OutputWorld world{.environment = environment,
                    .image = image,
                    .names = result.names,
                    .platform = target->plan.image.platform,
                    .root = [&]() -> Tree& { return runner.tree_of(*target, stop); },
                    .progress = progress};
  for (const auto& output : request.outputs) write_output(output, world, result.pushed, stop);
  return result;
}

}  // namespace slipway::image
