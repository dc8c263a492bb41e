// SPDX-License-Identifier: Apache-2.0
#include "actions/cache_store.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"

namespace slipway::actions {
namespace {

namespace fs = std::filesystem;
using formats::Json;

std::string name_of(const std::string& key, const std::string& version) { return formats::sha256_hex(version + "\n" + key).substr(0, 32); }

}  // namespace

CacheStore::CacheStore(const fs::path& root, const std::string& scope)
    : root_(root), directory_(root / replace_all(to_lower(scope), "/", "+")) {}

std::optional<CacheStore::Entry> CacheStore::find(const std::string& key, const std::vector<std::string>& prefixes, const std::string& version) const {
  auto exact = directory_ / name_of(key, version);
  auto archive = [](fs::path path) { return path.replace_extension(".tar"); };
  if (fs::exists(exact.string() + ".json")) return Entry{key, archive(exact)};
  struct Known {
    std::string key;
    fs::path file;
    fs::file_time_type at;
  };
  std::vector<Known> known;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory_, none)) {
    if (entry.path().extension() != ".json") continue;
    auto text = os::read_file_if_exists(entry.path());
    if (!text) continue;
    auto about = formats::parse_json(*text, entry.path().string());
    if (about.get_string("version") == version) known.push_back({about.get_string("key"), entry.path(), entry.last_write_time(none)});
  }
  std::stable_sort(known.begin(), known.end(), [](const Known& a, const Known& b) { return a.at > b.at; });
  std::vector<std::string> all = {key};  // the key itself counts as a prefix, too
  all.insert(all.end(), prefixes.begin(), prefixes.end());
  for (const auto& prefix : all) {
    for (const auto& entry : known) {
      if (entry.key.starts_with(prefix)) return Entry{entry.key, archive(entry.file)};
    }
  }
  return std::nullopt;
}

bool CacheStore::save(const std::string& key, const std::string& version, const fs::path& archive, std::uintmax_t most_bytes) {
  auto name = directory_ / name_of(key, version);
  fs::path about = name.string() + ".json";
  if (fs::exists(about)) return false;
  os::make_dirs(directory_);
  fs::path aside = name.string() + "." + uuid();
  std::error_code problem;
  fs::rename(archive, aside, problem);
  if (problem) fs::copy_file(archive, aside);  // another file system
  fs::rename(aside, name.string() + ".tar");
  os::write_file_durably(about, Json::object({{"key", key}, {"version", version}}).dump());
  prune(most_bytes);
  return true;
}

void CacheStore::prune(std::uintmax_t most_bytes) const {
  struct Kept {
    fs::path archive;
    std::uintmax_t bytes;
    fs::file_time_type at;
  };
  std::vector<Kept> kept;
  std::uintmax_t total = 0;
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator(root_, none)) {
    if (entry.path().extension() != ".tar") continue;
    kept.push_back({entry.path(), entry.file_size(none), entry.last_write_time(none)});
    total += kept.back().bytes;
  }
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.at < b.at; });
  for (const auto& entry : kept) {
    if (total <= most_bytes) return;
    fs::path about = entry.archive;
    fs::remove(about.replace_extension(".json"), none);
    fs::remove(entry.archive, none);
    total -= entry.bytes;
  }
}

}  // namespace slipway::actions
