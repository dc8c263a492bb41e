// SPDX-License-Identifier: Apache-2.0
#include "workflow/cache_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/gzip.hpp"
#include "formats/io.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"
#include "formats/zstd.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using formats::Json;

constexpr auto kUploadsKept = std::chrono::hours(24);  // of an upload whose process died

std::string hash_of(const std::string& key, const std::string& version, const std::string& ref) {
  return formats::sha256_hex(ref + "\n" + version + "\n" + key).substr(0, 32);
}

void mark_used(const fs::path& archive) {
  const timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  ::utimensat(AT_FDCWD, archive.c_str(), now, 0);  // merely what is thrown away first depends on it
}

// 48 bits: a number that JavaScript holds exactly.
std::int64_t id_of(const fs::path& about) {
  return std::stoll(about.stem().string().substr(0, 12), nullptr, 16);
}

// Renames, or copies from another file system; appears at once.
void take_in(const fs::path& archive, const fs::path& kept) {
  fs::path aside = kept.string() + "." + uuid();
  std::error_code problem;
  fs::rename(archive, aside, problem);
  if (problem) fs::copy_file(archive, aside);
  fs::rename(aside, kept);
}

std::string branch_ref(const std::string& name) { return name.empty() ? "" : "refs/heads/" + name; }

}  // namespace

CacheScope cache_scope(const Json& github) {
  CacheScope scope;
  auto add = [&](const std::string& ref) {
    if (!ref.empty() && std::find(scope.read.begin(), scope.read.end(), ref) == scope.read.end())
      scope.read.push_back(ref);
  };
  add(github.get_string("ref"));
  scope.write = github.get_string("ref");
  add(branch_ref(github.get_string("base_ref")));
  const auto* event = github.find("event");
  const auto* repository = event ? event->find("repository") : nullptr;
  auto main = repository ? repository->get_string("default_branch") : "";
  add(branch_ref(main.empty() ? "main" : main));
  return scope;
}

std::string cache_version(std::vector<std::string> paths, const std::string& compression) {
  if (!compression.empty()) paths.push_back(compression);
  paths.emplace_back("1.0");
  return formats::sha256_hex(join(paths, "|"));
}

CacheStore::CacheStore(const fs::path& root, const std::string& repository)
    : root_(root), directory_(root / replace_all(to_lower(repository), "/", "+")) {}

fs::path CacheStore::place_of(const std::string& key, const std::string& version,
                              const std::string& ref) const {
  return directory_ / hash_of(key, version, ref);
}

std::vector<CacheStore::Entry> CacheStore::all() const {
  std::vector<Entry> entries;
  std::error_code none;
  for (const auto& file : fs::directory_iterator(directory_, none)) {
    if (file.path().extension() != ".json") continue;
    auto text = os::read_file_if_exists(file.path());
    if (!text) continue;  // thrown away just now
    auto about = formats::parse_json(*text, file.path().string());
    entries.push_back({.key = about.get_string("key"),
                       .version = about.get_string("version"),
                       .ref = about.get_string("ref"),
                       .expected = about.get_string("expected"),
                       .id = id_of(file.path()),
                       .created_ms = about.get_int("created_ms"),
                       .archive = fs::path(file.path()).replace_extension(".tar")});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.created_ms > b.created_ms; });
  return entries;
}

std::optional<CacheStore::Entry> CacheStore::find(const std::string& key,
                                                  const std::vector<std::string>& prefixes,
                                                  const std::vector<std::string>& versions,
                                                  const std::vector<std::string>& refs) const {
  auto known = all();
  std::erase_if(known, [&](const Entry& entry) {
    return std::find(versions.begin(), versions.end(), entry.version) == versions.end();
  });
  std::vector<std::string> starts = {key};  // the key itself counts as a prefix, too
  starts.insert(starts.end(), prefixes.begin(), prefixes.end());
  auto take = [](const Entry& entry) {
    mark_used(entry.archive);
    return entry;
  };
  for (const auto& ref : refs) {
    for (const auto& entry : known) {
      if (entry.ref == ref && entry.key == key) return take(entry);
    }
    for (const auto& start : starts) {
      for (const auto& entry : known) {
        if (entry.ref == ref && entry.key.starts_with(start)) return take(entry);
      }
    }
  }
  return std::nullopt;
}

bool CacheStore::contains(const std::string& key, const std::string& version,
                          const std::string& ref) const {
  return fs::exists(place_of(key, version, ref).string() + ".json");
}

std::optional<CacheStore::Entry> CacheStore::save(Entry entry, const fs::path& archive,
                                                  std::uintmax_t most_bytes) {
  auto place = place_of(entry.key, entry.version, entry.ref).string();
  fs::path about = place + ".json";
  os::make_dirs(directory_);
  auto lock = os::FileLock::take(directory_ / ".lock");
  if (fs::exists(about)) return std::nullopt;
  entry.archive = place + ".tar";
  take_in(archive, entry.archive);
  entry.id = id_of(about);
  entry.created_ms = formats::now().time_since_epoch().count();
  os::write_file_durably(about, Json::object({{"key", entry.key},
                                              {"version", entry.version},
                                              {"ref", entry.ref},
                                              {"expected", entry.expected},
                                              {"created_ms", entry.created_ms}})
                                    .dump());
  prune(most_bytes);
  return entry;
}

void CacheStore::compress(const Entry& entry) const {
  if (entry.expected.empty()) return;
  auto lock = os::FileLock::take(directory_ / ".lock");
  auto file = os::open_file(entry.archive.string(), O_RDONLY);
  std::array<char, 16> magic{};
  formats::FileRangeReader start(
      file.get(), 0, std::min<std::uint64_t>(fs::file_size(entry.archive), magic.size()));
  std::string_view begin(magic.data(), formats::read_fully(start, magic));
  if (formats::looks_like_zstd(begin) || formats::looks_like_gzip(begin)) return;
  auto directory = make_upload_directory();
  auto packed = directory / "packed";
  {
    auto out = os::open_file(packed.string(), O_WRONLY | O_CREAT);
    formats::FdWriter writer(out.get());
    formats::FdReader reader(file.get());
    auto threads = std::max(1U, std::thread::hardware_concurrency());
    if (entry.expected == "gzip") {
      formats::GzipWriter gzip(writer, threads);
      formats::copy_all(reader, gzip);
      gzip.finish();
    } else {
      formats::ZstdWriter zstd(writer, threads);
      formats::copy_all(reader, zstd);
      zstd.finish();
    }
  }
  fs::rename(packed, entry.archive);
  os::remove_tree(directory);
}

fs::path CacheStore::make_upload_directory() const {
  auto uploads = root_ / ".uploads";
  os::make_dirs(uploads);
  std::error_code none;
  for (const auto& left : fs::directory_iterator(uploads, none)) {
    if (left.last_write_time(none) + kUploadsKept < fs::file_time_type::clock::now())
      os::remove_tree(left.path());
  }
  auto directory = uploads / uuid();
  os::make_dirs(directory);
  return directory;
}

void CacheStore::prune(std::uintmax_t most_bytes) const {
  struct Kept {
    fs::path archive;
    std::uintmax_t bytes;
    fs::file_time_type used;
  };
  std::vector<Kept> kept;
  std::uintmax_t total = 0;
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator(root_, none)) {
    if (entry.path().extension() != ".tar") continue;
    kept.push_back({entry.path(), entry.file_size(none), entry.last_write_time(none)});
    total += kept.back().bytes;
  }
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
  for (const auto& entry : kept) {
    if (total <= most_bytes) return;
    fs::path about = entry.archive;
    fs::remove(about.replace_extension(".json"), none);
    fs::remove(entry.archive, none);
    total -= entry.bytes;
  }
}

}  // namespace slipway::workflow
