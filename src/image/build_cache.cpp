// SPDX-License-Identifier: Apache-2.0
#include "image/build_cache.hpp"

#include <fcntl.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "image/layer.hpp"
#include "image/layer_form.hpp"
#include "oci/layout.hpp"
#include "oci/registry_client.hpp"
#include "oci/unpack.hpp"
#include "oci/verifying_writer.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

using formats::Json;

constexpr const char* kLayoutName = "buildcache";  // of the cache in a layout's index

std::string name_of(const CacheSpec& spec) {
  return spec.kind == CacheSpec::Kind::local     ? spec.directory.string()
         : spec.kind == CacheSpec::Kind::actions ? "gha, scope " + spec.ref
                                                 : spec.ref;
}

std::shared_ptr<ActionsCache> actions_cache(const CacheSpec& spec) {
  if (spec.url.empty() || spec.token.empty())
    fail(Fault::unavailable,
         "this is no job: ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN are not set");
  return std::make_shared<ActionsCache>(spec.url, spec.token);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<CacheEntry> entry_of(const Json& step, const std::vector<LayerBlob>& layers) {
  auto number = step.get_int("layer", -1);
  if (number < 0 || static_cast<std::size_t>(number) >= layers.size()) return std::nullopt;
  CacheEntry entry{
      .record = {step.get_string("identity"), step.get_string("id"), step.get_string("created")},
      .layer = layers[static_cast<std::size_t>(number)]};
  for (const auto& key : step.get_array("keys")) entry.keys.push_back(key.as_string());
  bool good = is_name(entry.record.identity) && is_name(entry.record.layer) &&
              entry.record.created.find('\n') == std::string::npos &&
              std::all_of(entry.keys.begin(), entry.keys.end(), is_name);
  return good ? std::optional(std::move(entry)) : std::nullopt;
}

}  // namespace

std::string print_cache(const CacheDescription& cache) {
  Json layers = Json::array();
  Json steps = Json::array();
  std::map<oci::Digest, std::size_t> numbers;
  auto number_of = [&](const LayerBlob& made) {
    auto [number, is_new] = numbers.try_emplace(made.blob.digest, layers.size());
    if (is_new) {
      const auto& blob = made.blob;
      Json layer = Json::object({{"diff_id", made.diff_id.str()},
                                 {"digest", blob.digest.str()},
                                 {"size", static_cast<std::int64_t>(blob.size)},
                                 {"mediaType", blob.media_type}});
      if (!blob.annotations.empty()) {
        Json annotations = Json::object();
        for (const auto& [name, value] : blob.annotations) annotations[name] = value;
        layer["annotations"] = annotations;
      }
      layers.push_back(layer);
    }
    return static_cast<std::int64_t>(number->second);
  };
  for (const auto& entry : cache.steps) {
    Json keys = Json::array();
    for (const auto& key : entry.keys) keys.push_back(key);
    steps.push_back(Json::object({{"keys", keys},
                                  {"identity", entry.record.identity},
                                  {"id", entry.record.layer},
                                  {"created", entry.record.created},
                                  {"layer", number_of(entry.layer)}}));
  }
  Json mounts = Json::array();
  for (const auto& mount : cache.mounts)
    mounts.push_back(Json::object({{"name", mount.name}, {"layer", number_of(mount.layer)}}));
  Json text = Json::object({{"layers", layers}, {"steps", steps}});
  if (!cache.mounts.empty()) text["mounts"] = mounts;
  return text.dump();
}

CacheDescription parse_cache(std::string_view text) {
  auto json = formats::parse_json(text, "cache");
  std::vector<LayerBlob> layers;
  for (const auto& layer : json.get_array("layers")) {
    auto size = layer.get_int("size", -1);
    if (size < 0) fail(Fault::bad_input, "cache: a layer has no size");
    layers.push_back({.diff_id = oci::Digest::parse(layer.get_string("diff_id")),
                      .blob = {.media_type = layer.get_string("mediaType"),
                               .digest = oci::Digest::parse(layer.get_string("digest")),
                               .size = static_cast<std::uint64_t>(size)}});
    auto& blob = layers.back().blob;
    if (const Json* annotations = layer.find("annotations"); annotations)
      for (const auto& [name, value] : annotations->as_object())
        blob.annotations.emplace(name, value.as_string());
    bool is_on_one_line = blob.media_type.find('\n') == std::string::npos;
    for (const auto& [name, value] : blob.annotations)
      is_on_one_line = is_on_one_line && name.find_first_of("=\n") == std::string::npos &&
                       value.find('\n') == std::string::npos;
    if (!is_on_one_line) fail(Fault::bad_input, "cache: bad media type or annotation");
  }
  CacheDescription cache;
  for (const auto& step : json.get_array("steps")) {
    if (auto entry = entry_of(step, layers)) cache.steps.push_back(std::move(*entry));
  }
  for (const auto& mount : json.get_array("mounts")) {
    auto number = mount.get_int("layer", -1);
    std::string name = mount.get_string("name");
    if (is_name(name) && number >= 0 && static_cast<std::size_t>(number) < layers.size())
      cache.mounts.push_back({name, layers[static_cast<std::size_t>(number)]});
  }
  return cache;
}

bool BuildCache::wants_inline() const {
  return std::any_of(request_.cache_to.begin(), request_.cache_to.end(),
                     [](const auto& spec) { return spec.kind == CacheSpec::Kind::inline_; });
}

bool BuildCache::wants_max() const {
  return std::any_of(request_.cache_to.begin(), request_.cache_to.end(),
                     [](const auto& spec) { return spec.max; });
}

bool BuildCache::wants_mounts() const {
  return std::any_of(request_.cache_to.begin(), request_.cache_to.end(),
                     [](const auto& spec) { return spec.mounts; });
}

std::optional<LayerBlob> BuildCache::imported_mount(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto known = mounts_.find(name);
  return known == mounts_.end() ? std::nullopt : std::optional(known->second);
}

bool BuildCache::fill_cache_mount(const std::string& name, const std::filesystem::path& into,
                                  const std::stop_token& stop) {
  auto known = imported_mount(name);
  if (!known) return false;
  try {
    bring(*known, stop);
    auto tar = oci::open_layer(environment_.store, known->blob.digest);
    os::Fd root = os::open_file(into.string(), O_RDONLY | O_DIRECTORY);
    oci::apply_layer(*tar, root, {}, stop);
    return true;
  } catch (const Error& error) {
    environment_.log.warn("a cache mount begins empty: {}", error.what());
    os::remove_tree(into);
    os::make_dirs(into);
    return false;
  }
}

std::vector<CacheMount> BuildCache::mounts(const std::set<std::string>& names,
                                           const std::stop_token& stop) {
  std::vector<CacheMount> found;
  for (const auto& name : names) {
    auto directory = layers_.root() / "cache" / name;
    std::error_code problem;
    if (std::filesystem::is_directory(directory, problem)) {
      try {
        found.push_back(
            {name, put_files_in_form({.compression = Compression::zstd}, environment_.store,
                                     read_upper(directory, stop), stop)});
        continue;
      } catch (const Error& error) {  // another build works in it
        environment_.log.warn("a cache mount is not written to the cache as it is now: {}",
                              error.what());
      }
    }
    if (auto known = imported_mount(name)) found.push_back({name, *known});
  }
  return found;
}

bool BuildCache::has(const oci::Digest& digest) const {
  std::lock_guard lock(mutex_);
  return remote_.contains(digest);
}

void BuildCache::fetch(const oci::Descriptor& blob, const std::stop_token& stop) {
  Source source;
  {
    std::lock_guard lock(mutex_);
    if (auto known = remote_.find(blob.digest); known != remote_.end()) source = known->second;
  }
  if (!source)
    fail(Fault::unavailable, "layer {} of the build cache is gone; build again with --no-cache",
         blob.digest);
  while_doing(fmt::format("fetching layer {} of the cache", blob.digest), [&] {
    auto writer = environment_.store.begin();
    source(blob, writer, stop);
    writer.commit(blob.digest);
  });
}

// What the cache says is kept as if it had been built here; the layers are known by where they can be had.
void BuildCache::take(const std::string& text, const Source& source) {
  auto cache = parse_cache(text);
  {
    std::lock_guard lock(mutex_);
    for (const auto& mount : cache.mounts) {
      mounts_.try_emplace(mount.name, mount.layer);
      if (source) remote_.insert_or_assign(mount.layer.blob.digest, source);
    }
  }
  for (const auto& entry : cache.steps) {
    std::string kind(plain_kind(compression_of(entry.layer.blob)));
    if (!layers_.find_blob(entry.record.layer, kind))
      layers_.keep_blob(entry.record.layer, kind, entry.layer);
    for (const auto& key : entry.keys) {
      auto known = layers_.find_step(key);
      if (!known || !Layer(known->layer, layers_, environment_.store).is_available())
        layers_.keep_step(key, entry.record);
    }
    if (!source) continue;
    std::lock_guard lock(mutex_);
    remote_.insert_or_assign(entry.layer.blob.digest, source);
  }
}

void BuildCache::import_registry(const oci::Reference& image, const std::stop_token& stop) {
  auto found = environment_.registry.manifest(image, stop);
  if (!found) fail(Fault::not_found, "there is no such cache");
  auto document = oci::parse_manifest_or_index(found->bytes, found->descriptor.media_type);
  if (const auto* index = std::get_if<oci::Index>(&document)) {
    const auto* entry = oci::select(*index, oci::Platform::host());
    if (!entry) fail(Fault::not_found, "it holds no image for this platform");
    auto child =
        environment_.registry.manifest({image.host, image.repository, "", entry->digest}, stop);
    if (!child) fail(Fault::not_found, "its manifest {} is missing", entry->digest);
    document = oci::parse_manifest(child->bytes);
  }
  const auto* manifest = std::get_if<oci::Manifest>(&document);
  if (!manifest) fail(Fault::bad_input, "it is an index within an index");
  Source source = [this, image](const oci::Descriptor& blob, formats::Writer& sink,
                                const std::stop_token& its_stop) {
    environment_.registry.fetch_blob(image, blob, sink, its_stop);
  };
  if (auto text = manifest->annotations.find(std::string(kInlineCache));
      text != manifest->annotations.end())
    return take(text->second, source);
  if (manifest->config.media_type != kCacheConfigType)
    fail(Fault::not_found, "it holds no build cache");
  if (manifest->config.size > (64u << 20)) fail(Fault::bad_input, "its description is too long");
  formats::StringWriter text;
  environment_.registry.fetch_blob(image, manifest->config, text, stop);
  take(text.text(), source);
}

void BuildCache::import_local(const CacheSpec& spec, const std::stop_token& stop) {
  auto text = os::read_file_if_exists(spec.directory / "index.json");
  if (!text) fail(Fault::not_found, "there is no cache in it");
  auto index = oci::parse_index(*text);
  std::optional<oci::Digest> found;
  for (const auto& entry : index.manifests) {
    auto name = entry.annotations.find("org.opencontainers.image.ref.name");
    if (name != entry.annotations.end() && name->second == kLayoutName) found = entry.digest;
  }
  if (!found) fail(Fault::not_found, "there is no cache in it");
  oci::import_layout(spec.directory, environment_.store, "", stop);
  auto manifest = oci::parse_manifest(environment_.store.read(*found));
  take(environment_.store.read(manifest.config.digest), {});
}

void BuildCache::import_actions(const CacheSpec& spec, const std::stop_token& stop) {
  auto service = actions_cache(spec);
  std::string prefix = index_prefix(spec.ref);
  auto hit = service->find(prefix, prefix, stop);
  if (!hit) fail(Fault::not_found, "there is no such cache yet");
  formats::StringWriter text;
  service->download(*hit, text, stop);
  take(text.text(), [service](const oci::Descriptor& blob, formats::Writer& sink,
                              const std::stop_token& its_stop) {
    auto layer = service->find(layer_key(blob.digest), "", its_stop);
    if (!layer) fail(Fault::not_found, "the actions cache has thrown it away; build without it");
    oci::VerifyingWriter checked(sink, blob);
    service->download(*layer, checked, its_stop);
    checked.check();
  });
}

void BuildCache::import_one(const CacheSpec& spec, const std::stop_token& stop) {
  switch (spec.kind) {
    case CacheSpec::Kind::local:
      return import_local(spec, stop);
    case CacheSpec::Kind::actions:
      return import_actions(spec, stop);
    case CacheSpec::Kind::registry:
    case CacheSpec::Kind::inline_:
      return import_registry(oci::Reference::parse(spec.ref), stop);
  }
}

void BuildCache::import(const std::stop_token& stop) {
  for (const auto& spec : request_.cache_from) {
    try {
      import_one(spec, stop);
    } catch (const Error& error) {
      environment_.log.warn("cache '{}' is not used: {}", name_of(spec), error.what());
    }
  }
}

void BuildCache::write_actions(const CacheSpec& spec, const CacheDescription& cache,
                               const std::stop_token& stop) {
  auto service = actions_cache(spec);
  std::map<oci::Digest, oci::Descriptor> layers;
  for (const auto& entry : cache.steps) layers.emplace(entry.layer.blob.digest, entry.layer.blob);
  for (const auto& mount : cache.mounts) layers.emplace(mount.layer.blob.digest, mount.layer.blob);
  std::vector<oci::Descriptor> list;
  list.reserve(layers.size());
  for (const auto& [digest, blob] : layers) list.push_back(blob);
  constexpr std::size_t kParallel = 4;
  TaskGroup tasks(stop);
  std::atomic<std::size_t> next = 0;
  for (std::size_t i = 0; i < std::min(kParallel, list.size()); ++i) {
    tasks.start([&](const std::stop_token& its_stop) {
      for (std::size_t at = next++; at < list.size(); at = next++) {
        const auto& blob = list[at];
        if (service->find(layer_key(blob.digest), "", its_stop)) continue;
        service->save(layer_key(blob.digest), environment_.store.open(blob.digest), blob.size,
                      its_stop);
      }
    });
  }
  tasks.join();
  if (stop.stop_requested()) throw Cancelled();
  // Entries never change: the newest of a row of numbered ones counts.
  auto text = environment_.store.put(print_cache(cache), kCacheConfigType);
  std::string prefix = index_prefix(spec.ref);
  auto hit = service->find(prefix, prefix, stop);
  std::string key = next_index_key(spec.ref, hit ? std::optional(hit->key) : std::nullopt);
  constexpr int kMostTries = 5;  // others may write the same scope now
  for (int i = 0; i < kMostTries; ++i) {
    if (service->save(key, environment_.store.open(text.digest), text.size, stop)) return;
    key = next_index_key(spec.ref, key);
  }
  fail(Fault::conflict, "other jobs are writing the cache of scope '{}' all the time", spec.ref);
}

void BuildCache::write_one(const CacheSpec& spec, const CacheDescription& cache,
                           const std::stop_token& stop) {
  if (spec.kind == CacheSpec::Kind::actions) return write_actions(spec, cache, stop);
  oci::Manifest manifest;
  manifest.config = environment_.store.put(print_cache(cache), kCacheConfigType);
  auto add = [&](const oci::Descriptor& blob) {
    bool is_known = std::any_of(manifest.layers.begin(), manifest.layers.end(),
                                [&](const auto& layer) { return layer.digest == blob.digest; });
    if (!is_known) manifest.layers.push_back(blob);
  };
  for (const auto& entry : cache.steps) add(entry.layer.blob);
  for (const auto& mount : cache.mounts) add(mount.layer.blob);
  auto target = environment_.store.put(oci::print(manifest), oci::media_type::kManifest);
  if (spec.kind == CacheSpec::Kind::local) {
    std::vector<oci::TaggedImage> images{{kLayoutName, target}};
    oci::export_layout(environment_.store, images, spec.directory, stop);
  } else {
    environment_.registry.push(environment_.store, target, oci::Reference::parse(spec.ref), {},
                               stop);
  }
}

void BuildCache::bring(const LayerBlob& layer, const std::stop_token& stop) {
  if (!environment_.store.has(layer.blob.digest)) fetch(layer.blob, stop);
}

void BuildCache::bring(const CacheSteps& steps, const std::stop_token& stop) {
  for (const auto* entries : {&steps.least, &steps.most}) {
    for (const auto& entry : *entries) bring(entry.layer, stop);
  }
  for (const auto& mount : steps.mounts) bring(mount.layer, stop);
}

void BuildCache::write(const CacheSteps& steps, const std::stop_token& stop) {
  for (const auto& spec : request_.cache_to) {
    if (spec.kind == CacheSpec::Kind::inline_) continue;
    CacheDescription cache{.steps = spec.max ? steps.most : steps.least, .mounts = {}};
    if (spec.mounts) cache.mounts = steps.mounts;
    try {
      bring({.least = cache.steps, .most = {}, .mounts = cache.mounts}, stop);
      write_one(spec, cache, stop);
    } catch (const Error& error) {
      // Outside of a job there is no such cache, which is no fault of the build's.
      bool is_absent = spec.kind == CacheSpec::Kind::actions && spec.token.empty();
      if (!spec.ignore_error && !is_absent)
        throw Error(error.fault(),
                    fmt::format("writing the cache {}: {}", name_of(spec), error.what()));
      environment_.log.warn("the cache '{}' was not written: {}", name_of(spec), error.what());
    }
  }
}

}  // namespace slipway::image
