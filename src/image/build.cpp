// SPDX-License-Identifier: Apache-2.0
#include "image/build.hpp"

#include <numeric>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "image/attest.hpp"
#include "image/build_cache.hpp"
#include "image/build_platforms.hpp"
#include "image/check.hpp"
#include "image/graph.hpp"
#include "image/layer_form.hpp"
#include "image/output.hpp"
#include "image/stage_run.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"
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
  if (!text && !request.dockerfile) {  // as docker build looks for it
    text = os::read_file_if_exists(request.context / "dockerfile");
    if (text) path = request.context / "dockerfile";
  }
  if (!text)
    fail(Fault::bad_input, "failed to read dockerfile: there is no file '{}'", path.string());
  return {name, path, std::move(*text)};
}

[[noreturn]] void refuse(const std::vector<Diagnostic>& errors, std::string_view text) {
  constexpr std::size_t kMostTold = 20;  // what is no Dockerfile at all is wrong in every line
  std::string all;
  for (std::size_t i = 0; i < std::min(errors.size(), kMostTold); ++i)
    all += (all.empty() ? "" : "\n") + with_source(errors[i], text);
  if (errors.size() > kMostTold)
    all += fmt::format("\nand {} more like these", errors.size() - kMostTold);
  throw Error(Fault::bad_input, all);
}

// Another language than Dockerfile's is not understood. Images of its frontend may have any registry and tag.
void check_syntax(const Dockerfile& parsed, const BuildRequest& request) {
  auto given = request.build_args.find("BUILDKIT_SYNTAX");
  std::string_view syntax =
      given != request.build_args.end() ? given->second : parsed.directives.syntax;
  syntax = syntax.substr(0, syntax.find_first_of(" @"));
  auto name = syntax.substr(syntax.rfind('/') + 1);
  if (syntax.empty() || name.starts_with("dockerfile")) return;
  fail(Fault::unsupported,
       "'# syntax={}' is not supported yet: only docker/dockerfile is built in (--build-arg "
       "BUILDKIT_SYNTAX=docker/dockerfile reads the file as one)",
       syntax);
}

CheckSettings check_settings(const Dockerfile& parsed, const BuildRequest& request,
                             const DockerfileText& file) {
  auto given = request.build_args.find("BUILDKIT_DOCKERFILE_CHECK");
  try {
    if (given != request.build_args.end()) return read_check_settings(given->second);
    return read_check_settings(check_directive(parsed.directives.check));
  } catch (const Error& error) {
    if (given != request.build_args.end())
      fail(Fault::bad_input, "BUILDKIT_DOCKERFILE_CHECK: {}", error.what());
    refuse({{file.name, parsed.directives.check_line, 0, error.what()}}, file.text);
  }
}

std::vector<CheckFinding> printable(const std::vector<Finding>& findings,
                                    const DockerfileText& file) {
  std::vector<CheckFinding> out;
  for (const auto& finding : findings) {
    Diagnostic at{file.name, finding.lines.first, 0, ""};
    std::string source = with_source(at, file.text, finding.lines.last);
    out.push_back({.rule = finding.rule,
                   .message = finding.message,
                   .address = rule_address(finding.rule),
                   .description = std::string(rule_description(finding.rule)),
                   .source = source.substr(source.find('\n') + 1),
                   .file = file.name,
                   .line = finding.lines.first,
                   .last_line = finding.lines.last});
  }
  return out;
}

// The first stages of a push, while steps still run: layers go to the registries as they are made.
class EarlyPush final {
 public:
  EarlyPush(const BuildRequest& request, BuildEnvironment& environment,
            const std::vector<std::string>& names)
      : environment_(environment) {
    for (const auto& output : request.outputs) {
      if (output.kind != Output::Kind::registry) continue;
      for (const auto& name : output.names.empty() ? names : output.names) {
        auto place = oci::Reference::parse(name);
        bool is_known = std::any_of(places_.begin(), places_.end(), [&](const auto& known) {
          return known.host == place.host && known.repository == place.repository;
        });
        if (!is_known) places_.push_back(std::move(place));
      }
    }
  }
  [[nodiscard]] bool is_wanted() const { return !places_.empty(); }

  /// Uploads of one blob while it is being written.
  struct Streams {
    std::shared_ptr<oci::BlobProgress> blob;
    Guarded<std::size_t> under_way;
  };
  // Large blobs go up while they are written: compressing and hashing a layer takes as long as sending it. Small ones wait for their
  // digest, which spares those that the registry has.
  std::shared_ptr<Streams> stream(int fd, TaskGroup& group) {
    constexpr std::uint64_t kLarge = std::uint64_t{64} << 20;
    auto streams = std::make_shared<Streams>();
    streams->blob = std::make_shared<oci::BlobProgress>(fd);
    streams->under_way.with([&](std::size_t& count) { count = places_.size(); });
    for (const auto& place : places_) {
      group.start([this, streams, place](const std::stop_token& stop) {
        try {
          if (streams->blob->wait_for(kLarge, stop))
            environment_.registry.stream_blob(place, *streams->blob, stop);
        } catch (const Error& error) {
          environment_.log.debug("early push of a blob to {}: {}", place, error.what());
        }
        streams->under_way.with([](std::size_t& count) { --count; });
      });
    }
    return streams;
  }
  // What fails here is tried again, and told, by the push itself.
  void send(const oci::Descriptor& blob, const std::stop_token& stop) {
    for (const auto& place : places_) {
      try {
        environment_.registry.push_blob(place, blob, environment_.store, {}, stop);
      } catch (const Error& error) {
        environment_.log.debug("early push of {} to {}: {}", blob.digest, place, error.what());
      }
    }
  }

 private:
  BuildEnvironment& environment_;
  std::vector<oci::Reference> places_;
};

// Makes blobs of the target's layers, one after the other (each on all processors), while later steps still run.
class BlobMaker final {
 public:
  BlobMaker(const BuildRequest& request, EarlyPush& push, TaskGroup& group)
      : request_(request), push_(push), group_(group) {}

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
    const LayerForm form = layer_form(request_);
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
      std::shared_ptr<EarlyPush::Streams> streams;
      FollowBlob follow;
      if (push_.is_wanted())
        follow = [&](int fd) { return (streams = push_.stream(fd, group_))->blob; };
      auto blob = next->blob(form, stop, follow);
      if (push_.is_wanted()) {
        group_.start([this, sent = blob.blob, streams](const std::stop_token& inner) {
          auto is_over = [](std::size_t under_way) { return under_way == 0; };
          if (streams) streams->under_way.wait(inner, Deadline::never(), is_over, [](auto&) {});
          push_.send(sent, inner);
        });
      }
      queue_.with([&](Queue& queue) { queue.blobs.push_back(std::move(blob)); });
    }
  }

  const BuildRequest& request_;
  EarlyPush& push_;
  TaskGroup& group_;
  Guarded<Queue> queue_;
};

// What was asked for, whatever the base image says of itself: `FROM --platform=$BUILDPLATFORM` may well hold another platform's files.
oci::Platform final_platform(const BuildRequest& request, oci::Platform built) {
  if (request.platform.empty()) return built;
  auto asked = oci::Platform::parse(request.platform);
  bool is_same = asked.os == built.os && asked.architecture == built.architecture;
  built.os = asked.os;
  built.architecture = asked.architecture;
  if (!asked.variant.empty() || !is_same) built.variant = asked.variant;
  if (!asked.os_version.empty() || !is_same) built.os_version = asked.os_version;
  return built;
}

// The configuration with the new layers and the times of its history. What was cached keeps its time, so that nothing changed gives the
// same image.
oci::ImageConfig finished_config(const BuildRequest& request, const StageRun& target,
                                 const std::vector<LayerBlob>& blobs) {
  oci::ImageConfig config = target.plan.image;
  config.platform = final_platform(request, config.platform);
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
                          const LayerStore& store, const StageRun& target,
                          const oci::ImageConfig& config, const std::vector<LayerBlob>& blobs,
                          const std::string& inline_cache, BuildResult& result,
                          const std::stop_token& stop) {
  oci::Manifest manifest;
  std::string config_bytes = oci::print(config);
  manifest.config = oci::describe(config_bytes, oci::media_type::kConfig);
  if (!environment.store.has(manifest.config.digest)) environment.store.put(config_bytes);
  if (target.base_image) {
    const auto& base = target.base_image->image;
    for (std::size_t i = 0; i < base.manifest.layers.size(); ++i) {
      auto layer = base.manifest.layers[i];
      layer.media_type = oci_layer_type(layer.media_type);
      if (request.force_compression)
        layer = in_form(layer, base.config.diff_ids[i], layer_form(request), store,
                        environment.store, stop);
      manifest.layers.push_back(std::move(layer));
    }
  }
  for (const auto& blob : blobs) manifest.layers.push_back(blob.blob);
  manifest.annotations = request.annotations;
  if (!inline_cache.empty()) manifest.annotations[std::string(kInlineCache)] = inline_cache;
  std::string bytes = oci::print(manifest);
  auto descriptor = oci::describe(bytes, oci::media_type::kManifest);
  if (!environment.store.has(descriptor.digest)) environment.store.put(bytes);
  result.config_digest = manifest.config.digest.str();
  result.manifest_digest = descriptor.digest.str();
  result.manifest_size = descriptor.size;
  result.media_type = descriptor.media_type;
  return descriptor;
}

// The image with what attests it: an index, as soon as anything was asked for.
oci::Descriptor attested(const BuildRequest& request, BuildEnvironment& environment,
                         const DockerfileText& file, Sources& sources, const oci::Descriptor& image,
                         const StageRun& target, const std::string& created, Tree* root,
                         formats::Time started, BuildResult& result, const std::stop_token& stop) {
  std::vector<Attestation> attestations;
  auto platform = final_platform(request, target.plan.image.platform);
  auto at = request.source_date_epoch
                ? formats::from_epoch_seconds(static_cast<double>(*request.source_date_epoch))
                : formats::now();
  if (root) {
    // The image's own time: an image that came from the cache has the same SBOM again, and a tag that keeps its digest.
    attestations.push_back(
        {kSpdxPredicate, spdx_document(packages_of(*root, stop), "sbom", created)});
  }
  if (request.provenance) {
    BuildFacts facts{.request = request,
                     .dockerfile = file.text,
                     .materials = sources.materials(),
                     .platform = platform.str(),
                     .started = formats::iso8601_millis(request.source_date_epoch ? at : started),
                     .finished = formats::iso8601_millis(at),
                     .id = request.source_date_epoch ? image.digest.str() : hex(random_bytes(12))};
    const auto& spec = *request.provenance;
    attestations.push_back({spec.version == "v1" ? kProvenance1 : kProvenance02,
                            provenance(facts, spec.max, spec.version)});
  }
  auto index = put_attestations(environment.store, image, platform, result.names, attestations);
  result.manifest_digest = index.digest.str();
  result.manifest_size = index.size;
  result.media_type = index.media_type;
  return index;
}

bool needs_image(const BuildRequest& request) {
  if (request.outputs.empty()) return true;
  return std::any_of(request.outputs.begin(), request.outputs.end(), [](const Output& output) {
    return output.kind != Output::Kind::local && output.kind != Output::Kind::tar;
  });
}

// Nothing for nothing, as BuildKit has it.
std::optional<std::int64_t> epoch_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto seconds = to_integer(text);
  if (!seconds) fail(Fault::bad_input, "SOURCE_DATE_EPOCH '{}' is not a number of seconds", text);
  return *seconds;
}

BuildRequest with_epoch_argument(BuildRequest request) {
  auto given = request.build_args.find("SOURCE_DATE_EPOCH");
  if (auto asked = request.build_args.find("BUILDKIT_INLINE_CACHE");
      asked != request.build_args.end() && asked->second == "1") {
    request.cache_to.push_back({.kind = CacheSpec::Kind::inline_});
  }
  if (given != request.build_args.end() && !request.source_date_epoch)
    request.source_date_epoch = epoch_of(given->second);
  return request;
}

// For one platform.
//   shared  gets what the caches are to hold, instead of them; nullptr: they are written
BuildResult build_one(const BuildRequest& given, BuildEnvironment& environment,
                      const ProgressSink& progress, CacheSteps* shared,
                      const std::stop_token& stop) {
  BuildRequest request = with_epoch_argument(given);
  BuildResult result;
  auto started = formats::now();
  for (const auto& tag : request.tags) result.names.push_back(oci::Reference::parse(tag).str());
  auto file = read_dockerfile(request);
  auto arguments = arguments_of(request);
  auto parsed = parse_dockerfile(file.text, file.name);
  check_syntax(parsed, request);
  auto list = read_stages(parsed, file.name, arguments);
  auto settings = check_settings(parsed, request, file);
  if (request.check_only && request.target.empty()) {  // without a target, of all of them
    list.needed.resize(list.stages.size());
    std::iota(list.needed.begin(), list.needed.end(), 0);
  }
  if (!list.errors.empty()) refuse(list.errors, file.text);
  if (!request.build_args.contains("SOURCE_DATE_EPOCH") && !request.source_date_epoch) {
    for (const auto& [name, value] : list.globals) {  // ARG SOURCE_DATE_EPOCH=… above the stages
      if (name == "SOURCE_DATE_EPOCH") request.source_date_epoch = epoch_of(value);
    }
  }

  auto lease = environment.store.lease();
  LayerStore store(environment.state / "build");
  Sources sources(request, environment, store);
  TaskGroup group(stop);
  sources.set_dockerfile(file.path);
  BuildCache cache(request, environment, store);
  EarlyPush early(request, environment, result.names);
  BlobMaker blobs(request, early, group);
  StageRunner runner({request, environment, list, arguments, file.text, sources, store, progress},
                     group);
  runner.plan(stop);
  auto findings = check_dockerfile(parsed, file.text, arguments);
  for (auto& finding : runner.findings()) findings.push_back(std::move(finding));
  std::stable_sort(findings.begin(), findings.end(),
                   [](const auto& a, const auto& b) { return a.lines.first < b.lines.first; });
  result.findings = printable(without_skipped(std::move(findings), settings, parsed), file);
  if (request.check_only) return result;
  if (settings.is_error && !result.findings.empty()) {
    std::set<std::string> rules;
    for (const auto& finding : result.findings) rules.insert(finding.rule);
    fail(Fault::bad_input, "lint violation found for rules: {}\n{}:{}: {}", fmt::join(rules, ", "),
         result.findings[0].file, result.findings[0].line, result.findings[0].message);
  }
  if (!request.cache_from.empty()) {
    store.set_remote(&cache);
    cache.import(stop);
  }
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
  CacheSteps steps;
  if (!request.cache_to.empty()) steps.least = runner.cache_entries(false, stop);
  if (needs_image(request)) {
    auto config = finished_config(request, *target, made);
    image = put_image(request, environment, store, *target, config, made,
                      cache.wants_inline() ? print_cache({steps.least, {}}) : "", result, stop);
    if (request.sbom || request.provenance) {
      Tree* root = request.sbom ? &runner.tree_of(*target, stop) : nullptr;
      image = attested(request, environment, file, sources, image, *target, config.created, root,
                       started, result, stop);
    }
    for (const auto& name : result.names) {
      auto known = environment.store.resolve(name);
      if (!known || known->digest != image.digest) environment.store.set_tag(name, image);
    }
  }
  OutputWorld world{.environment = environment,
                    .image = image,
                    .names = result.names,
                    .platform = final_platform(request, target->plan.image.platform),
                    .root = [&]() -> Tree& { return runner.tree_of(*target, stop); },
                    .progress = progress,
                    .mtime = request.source_date_epoch};
  for (const auto& output : request.outputs) write_output(output, world, result.pushed, stop);
  if (cache.wants_max()) steps.most = runner.cache_entries(true, stop);
  if (cache.wants_mounts()) steps.mounts = cache.mounts(runner.cache_mounts(), stop);
  if (!shared) {
    cache.write(steps, stop);
    return result;
  }
  cache.bring(steps, stop);
  for (auto [from, to] : {std::pair(&steps.least, &shared->least), {&steps.most, &shared->most}})
    to->insert(to->end(), from->begin(), from->end());
  for (auto& mount : steps.mounts) {  // what a later platform's build left in it counts
    std::erase_if(shared->mounts, [&](const auto& known) { return known.name == mount.name; });
    shared->mounts.push_back(std::move(mount));
  }
  return result;
}

}  // namespace

BuildResult build(const BuildRequest& request, BuildEnvironment& environment,
                  const ProgressSink& progress, const std::stop_token& stop) {
  if (request.platform.find(',') == std::string::npos)
    return build_one(request, environment, progress, nullptr, stop);
  return build_platforms(request, environment, progress, stop,
                         [&](const BuildRequest& one, CacheSteps& shared) {
                           return build_one(one, environment, progress, &shared, stop);
                         });
}

std::string print_checks(const std::vector<CheckFinding>& findings) {
  if (findings.empty()) return "Check complete, no warnings found.\n";
  std::string text = fmt::format("Check complete, {} warning{} been found!\n", findings.size(),
                                 findings.size() == 1 ? " has" : "s have");
  for (const auto& finding : findings) {
    text += fmt::format("\nWARNING: {}{}{}\n{}\n{}:{}\n{}\n", finding.rule,
                        finding.address.empty() ? "" : " - ", finding.address, finding.message,
                        finding.file, finding.line, finding.source);
  }
  return text;
}

}  // namespace slipway::image
