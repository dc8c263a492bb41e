// SPDX-License-Identifier: Apache-2.0
#include "actions/builtin.hpp"
#include "actions/cache_store.hpp"
#include "actions/job_paths.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"

// actions/cache, cache/restore and cache/save. The job's own tar packs and unpacks, so that owners and links are the job's.
namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using workflow::ActionContext;

CacheStore store_of(ActionContext& context, const Dependencies& dependencies) {
  return CacheStore(dependencies.state / "cache", context.github().get_string("repository", "none"));
}

void check_key(const std::string& key) {
  if (key.size() > 512) fail(Fault::bad_input, "Key Validation Error: {} cannot be larger than 512 characters.", key);
  if (key.find(',') != std::string::npos) fail(Fault::bad_input, "Key Validation Error: {} cannot contain commas.", key);
}

/// Restores; the key that was found is kept for save().
void restore(ActionContext& context, const Dependencies& dependencies) {
  auto key = context.text("key");
  check_key(key);
  auto version = join(context.list("path"), "\n");
  context.save_state("CACHE_KEY", key);
  auto found = store_of(context, dependencies).find(key, context.list("restore-keys"), version);
  context.set_output("cache-primary-key", key);
  if (!found) {
    if (context.flag("fail-on-cache-miss", false)) fail(Fault::not_found, "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: {}", key);
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
  auto inside = fmt::format("{}/cache-{}.tar", context.machine().paths().temp, uuid());
  auto outside = context.machine().outside(inside);
  fs::copy_file(found->archive, outside);
  auto exit = context.run({"tar", "-xf", inside, "-P", "-C", context.machine().paths().workspace});
  fs::remove(outside);
  if (!exit.ok()) fail(Fault::failed, "unpacking the cache '{}' failed with {}", found->key, os::to_string(exit));
  context.log("Cache restored from key: " + found->key);
}

void save(ActionContext& context, const Dependencies& dependencies, const std::string& key) {
  auto found = find_paths(context, context.list("path"));
  if (found.paths.empty()) {
    context.warning("Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no cache is being saved.");
    return;
  }
  auto archive = fmt::format("{}/cache-{}.tar", context.machine().paths().temp, uuid());
  std::vector<std::string> argv = {"tar", "--posix", "-cf", archive, "-P", "-C", context.machine().paths().workspace};
  for (const auto& path : found.excluded) argv.push_back("--exclude=" + path);
  argv.insert(argv.end(), found.paths.begin(), found.paths.end());
  if (auto exit = context.run(argv); !exit.ok()) {
    context.warning(fmt::format("packing the cache failed with {}", os::to_string(exit)));
    return;
  }
  auto version = join(context.list("path"), "\n");
  bool saved = store_of(context, dependencies).save(key, version, context.machine().outside(archive));
  fs::remove(context.machine().outside(archive));
  context.log(saved ? "Cache saved with key: " + key : "Cache already exists with key: " + key);
}

std::vector<workflow::ActionInput> cache_inputs() {
  return {{"path", std::nullopt, true},          {"key", std::nullopt, true},    {"restore-keys", std::nullopt}, {"upload-chunk-size", std::nullopt}, {"enableCrossOsArchive", "false"},
          {"fail-on-cache-miss", "false"}, {"lookup-only", "false"}, {"save-always", "false"}};
}

class Cache final : public workflow::Action {
 public:
  explicit Cache(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override { return cache_inputs(); }
  void run(ActionContext& context) override { restore(context, dependencies_); }
  [[nodiscard]] bool has_post() const override { return true; }
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
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override { return cache_inputs(); }
  void run(ActionContext& context) override { restore(context, dependencies_); }

 private:
  const Dependencies& dependencies_;
};

class CacheSave final : public workflow::Action {
 public:
  explicit CacheSave(const Dependencies& dependencies) : dependencies_(dependencies) {}
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    return {{"path", std::nullopt, true}, {"key", std::nullopt, true}, {"upload-chunk-size", std::nullopt}, {"enableCrossOsArchive", "false"}};
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

std::unique_ptr<workflow::Action> make_cache(const Dependencies& dependencies) { return std::make_unique<Cache>(dependencies); }
std::unique_ptr<workflow::Action> make_cache_restore(const Dependencies& dependencies) { return std::make_unique<CacheRestore>(dependencies); }
std::unique_ptr<workflow::Action> make_cache_save(const Dependencies& dependencies) { return std::make_unique<CacheSave>(dependencies); }

}  // namespace slipway::actions
