// SPDX-License-Identifier: Apache-2.0
#include "actions/builtin.hpp"
#include "actions/job_paths.hpp"
#include "actions/job_tar.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "workflow/cache_store.hpp"

// actions/cache, cache/restore and cache/save. They share their entries with the official ones: see workflow/toolkit_caches.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using workflow::ActionContext;

workflow::CacheStore store_of(ActionContext& context, const Dependencies& dependencies) {
  return workflow::CacheStore(dependencies.state / "cache",
                              context.github().get_string("repository", "none"));
}

// How the official client would compress in this job, which is part of the version that its caches have.
std::string compression_of(ActionContext& context) {
  return context.machine().find_program("zstd", context.env_or("PATH")) ? "zstd-without-long"
                                                                        : "gzip";
}

std::vector<std::string> versions_of(ActionContext& context) {
  std::vector<std::string> versions;
  for (const char* compression : {"zstd-without-long", "zstd", "gzip"}) {
    versions.push_back(workflow::cache_version(context.list("path"), compression));
  }
  return versions;
}

void check_key(const std::string& key) {
  if (key.size() > 512)
    fail(Fault::bad_input, "Key Validation Error: {} cannot be larger than 512 characters.", key);
  if (key.find(',') != std::string::npos)
    fail(Fault::bad_input, "Key Validation Error: {} cannot contain commas.", key);
}

/// Restores; the key that was found is kept for save().
void restore(ActionContext& context, const Dependencies& dependencies) {
  auto key = context.text("key");
  check_key(key);
  context.save_state("CACHE_KEY", key);
  auto scope = workflow::cache_scope(context.github());
  auto found = store_of(context, dependencies)
                   .find(key, context.list("restore-keys"), versions_of(context), scope.read);
  context.set_output("cache-primary-key", key);
  if (!found) {
    if (context.flag("fail-on-cache-miss", false))
      fail(Fault::not_found,
           "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: {}",
           key);
    context.log("Cache not found for input keys: " + key);
    return;
  }
  context.save_state("CACHE_RESULT", found->key);
  context.set_output("cache-matched-key", found->key);
  context.set_output("cache-hit", found->key == key ? "true" : "false");
  if (context.flag("lookup-only", false)) {
    context.log("Cache found and can be restored from key: " + found->key);
    return;
  }
  auto exit = unpack_tar(context, found->archive);
  if (!exit.ok())
    fail(Fault::failed, "unpacking the cache '{}' failed with {}", found->key, os::to_string(exit));
  context.log("Cache restored from key: " + found->key);
}

void save(ActionContext& context, const Dependencies& dependencies, const std::string& key) {
  auto found = find_paths(context, context.list("path"));
  if (found.paths.empty()) {
    context.warning(
        "Path Validation Error: Path(s) specified in the action for caching do(es) not exist, "
        "hence no cache is being saved.");
    return;
  }
  const auto& workspace = context.machine().paths().workspace;
  auto relative = [&](const std::string& path) {
    return fs::path(path).lexically_relative(workspace).string();
  };
  auto store = store_of(context, dependencies);
  auto directory = store.make_upload_directory();
  std::vector<std::string> argv = {"tar", "-cf", "-", "-P", "-C", workspace};
  for (const auto& path : found.excluded) argv.push_back("--exclude=" + relative(path));
  for (const auto& path : found.paths) argv.push_back(relative(path));
  auto exit = run_into(context, argv, directory / "cache.tar");
  if (exit.ok()) {
    auto scope = workflow::cache_scope(context.github());
    auto compression = compression_of(context);
    auto version = workflow::cache_version(context.list("path"), compression);
    bool saved =
        store
            .save({.key = key, .version = version, .ref = scope.write, .expected = compression},
                  directory / "cache.tar")
            .has_value();
    context.log(saved ? "Cache saved with key: " + key : "Cache already exists with key: " + key);
  } else {
    context.warning(fmt::format("packing the cache failed with {}", os::to_string(exit)));
  }
  os::remove_tree(directory);
}

std::vector<workflow::ActionInput> cache_inputs() {
  return {{"path", std::nullopt, true},      {"key", std::nullopt, true},
          {"restore-keys", std::nullopt},    {"upload-chunk-size", std::nullopt},
          {"enableCrossOsArchive", "false"}, {"fail-on-cache-miss", "false"},
          {"lookup-only", "false"},          {"save-always", "false"}};
}

class Cache final : public workflow::Action {
 public:
  explicit Cache(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return cache_inputs();
  }
  [[nodiscard]] bool is_apart_from_services() const override { return true; }
  void run(ActionContext& context) override { restore(context, dependencies_); }
  [[nodiscard]] bool has_post() const override { return true; }
  [[nodiscard]] bool posts_only_after_success() const override { return true; }
  void post(ActionContext& context) override {
    auto key = context.state("CACHE_KEY").value_or("");
    if (key.empty() || context.flag("lookup-only", false)) return;
    if (context.state("CACHE_RESULT") == key) {
      context.log(fmt::format("Cache hit occurred on the primary key {}, not saving cache.", key));
      return;
    }
    save(context, dependencies_, key);
  }

 private:
  const Dependencies& dependencies_;
};

class CacheRestore final : public workflow::Action {
 public:
  explicit CacheRestore(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return cache_inputs();
  }
  [[nodiscard]] bool is_apart_from_services() const override { return true; }
  void run(ActionContext& context) override { restore(context, dependencies_); }

 private:
  const Dependencies& dependencies_;
};

class CacheSave final : public workflow::Action {
 public:
  explicit CacheSave(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"path", std::nullopt, true},
            {"key", std::nullopt, true},
            {"upload-chunk-size", std::nullopt},
            {"enableCrossOsArchive", "false"}};
  }
  void run(ActionContext& context) override {
    auto key = context.text("key");
    check_key(key);
    save(context, dependencies_, key);
  }

 private:
  const Dependencies& dependencies_;
};

}  // namespace

std::unique_ptr<workflow::Action> make_cache(const Dependencies& dependencies) {
  return std::make_unique<Cache>(dependencies);
}
std::unique_ptr<workflow::Action> make_cache_restore(const Dependencies& dependencies) {
  return std::make_unique<CacheRestore>(dependencies);
}
std::unique_ptr<workflow::Action> make_cache_save(const Dependencies& dependencies) {
  return std::make_unique<CacheSave>(dependencies);
}

}  // namespace slipway::actions
