// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"
#include "os/mount.hpp"

// A layer is unpacked on its own, under its diff id, so that images share it whatever lies below.
// That is right as long as it brings all directories it uses; where it does not ("implied"), the
// lower layers may have them with another mode or as a link. Then it is unpacked once more on a
// mounted overlay of the lower layers, under its chain id: the kernel sorts it out, and the
// overlay's upper directory is the layer.
namespace slipway::oci {
namespace {

using formats::Json;
namespace fs = std::filesystem;

// Unpacked files are not synced: after a crash of the machine they may be there with nothing in
// them. So a layer counts only in the boot that made it.
std::string boot_id() {
  return std::string(
      trim(os::read_file_if_exists("/proc/sys/kernel/random/boot_id").value_or("?")));
}

struct Record {
  std::vector<std::string> implied;
  bool needs_lower = false;
  std::string missing_link;
};

std::optional<Record> read_record(const fs::path& layer) {
  auto text = os::read_file_if_exists(layer / "layer.json");
  if (!text) return std::nullopt;
  Json json = formats::parse_json(*text, (layer / "layer.json").string());
  if (json.get_string("boot") != boot_id()) return std::nullopt;
  Record record;
  record.needs_lower = json.get_bool("needs_lower");
  record.missing_link = json.get_string("missing_link");
  for (const Json& path : json.get_array("implied")) record.implied.push_back(path.as_string());
  return record;
}

void write_record(const fs::path& layer, const Digest& diff_id, const Unpacked& unpacked) {
  Json json =
      Json::object({{"diff_id", diff_id.str()}, {"boot", boot_id()}, {"bytes", unpacked.bytes}});
  if (unpacked.needs_lower) json["needs_lower"] = true;
  if (!unpacked.missing_link.empty()) json["missing_link"] = unpacked.missing_link;
  if (!unpacked.implied.empty()) {
    json["implied"] = Json::array();
    for (const std::string& path : unpacked.implied) json["implied"].push_back(path);
  }
  os::write_file(layer / "layer.json", json.dump());
}

// True when the directory that a layer below has at `path` is the plain one that unpacking made up
// (or none has it).
bool is_plain_below(const std::string& path, const std::vector<fs::path>& lower_top_first) {
  for (const fs::path& lower : lower_top_first) {
    os::Fd root = os::open_file(lower.string(), O_PATH | O_DIRECTORY);
    open_how how{};
    how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    os::Fd fd(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
    if (!fd.is_open()) {
      if (errno == ENOENT) continue;
      return false;  // a link or a file on the way
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return false;
    if (S_ISCHR(info.st_mode) && info.st_rdev == 0) return true;  // whited out: nothing is there
    return S_ISDIR(info.st_mode) && (info.st_mode & 07777) == 0755 && info.st_uid == 0 &&
           info.st_gid == 0;
  }
  return true;
}

bool stands_alone(const Record& record, const std::vector<fs::path>& lower_top_first) {
  if (!record.missing_link.empty()) return false;
  if (lower_top_first.empty()) return true;
  if (record.needs_lower) return false;
  return std::all_of(record.implied.begin(), record.implied.end(), [&](const std::string& path) {
    return is_plain_below(path, lower_top_first);
  });
}

// The lock of one layer, against other threads and processes that want to unpack it.
os::FileLock lock_layer(const fs::path& root, std::string_view name, const std::stop_token& stop) {
  return os::FileLock::take(root / "locks" / name.substr(0, 2), stop);
}

Digest chain_of(const std::vector<Digest>& below, const Digest& diff_id) {
  if (below.empty()) return diff_id;
  Digest chain = below.front();
  for (std::size_t i = 1; i < below.size(); ++i) chain = chain_id(chain, below[i]);
  return chain_id(chain, diff_id);
}

fs::path layer_path(const fs::path& root, const Digest& name) {
  return root / "layers" / name.hex();
}

// What stands there without a valid record: of another boot.
void drop_stale(const fs::path& root, const fs::path& layer) {
  if (!fs::exists(layer)) return;
  fs::path aside = root / "tmp" / fmt::format("stale-{}", hex(random_bytes(8)));
  if (::rename(layer.c_str(), aside.c_str()) != 0)
    os::throw_errno("renaming '" + layer.string() + "'");
  os::remove_tree(aside);
}

void publish(const fs::path& root, const fs::path& from, const fs::path& layer) {
  drop_stale(root, layer);
  if (::rename(from.c_str(), layer.c_str()) != 0)
    os::throw_errno("renaming '" + from.string() + "'");
}

// Unpacks into DIRECTORY/fs and writes the record. Checks the diff id.
Unpacked unpack_to(const fs::path& directory, const fs::path& target, const Digest& diff_id,
                   formats::Reader& tar, Whiteouts whiteouts, const std::stop_token& stop) {
  class Hashing final : public formats::Reader {
   public:
    Hashing(formats::Reader& source, std::string_view algorithm)
        : source_(source), digester_(algorithm) {}
    std::size_t read(std::span<char> into) override {
      std::size_t count = source_.read(into);
      digester_.update(std::string_view(into.data(), count));
      return count;
    }
    [[nodiscard]] Digest digest() const { return digester_.digest(); }

   private:
    formats::Reader& source_;
    Digester digester_;
  } hashing(tar, diff_id.algorithm());
  os::Fd root = os::open_file(target.string(), O_RDONLY | O_DIRECTORY);
  UnpackOptions options;
  options.whiteouts = whiteouts;
  options.own = ::geteuid() == 0;
  Unpacked unpacked = apply_layer(hashing, root, options, stop);
  if (hashing.digest() != diff_id) {
    fail(Fault::bad_input, "the layer's content is {}, but the image's configuration says {}",
         hashing.digest(), diff_id);
  }
  write_record(directory, diff_id, unpacked);
  return unpacked;
}

}  // namespace

LayerCache::LayerCache(fs::path root) : root_(fs::absolute(std::move(root))) {
  for (const char* name : {"layers", "locks", "tmp"}) os::make_dirs(root_ / name);
}

LayerCache::~LayerCache() = default;

os::TempDir LayerCache::scratch() const { return os::TempDir(root_ / "tmp"); }

std::optional<fs::path> LayerCache::find(const std::vector<Digest>& below,
                                         const Digest& diff_id) const {
  auto lower = find(below);
  if (!lower) return std::nullopt;
  fs::path alone = layer_path(root_, diff_id);
  if (auto record = read_record(alone); record && stands_alone(*record, *lower))
    return alone / "fs";
  if (below.empty()) return std::nullopt;
  fs::path chained = layer_path(root_, chain_of(below, diff_id));
  if (read_record(chained)) return chained / "fs";
  return std::nullopt;
}

std::optional<std::vector<fs::path>> LayerCache::find(const std::vector<Digest>& diff_ids) const {
  std::vector<fs::path> top_first;
  for (std::size_t i = 0; i < diff_ids.size(); ++i) {
    fs::path alone = layer_path(root_, diff_ids[i]);
    auto record = read_record(alone);
    if (record && stands_alone(*record, top_first)) {
      top_first.insert(top_first.begin(), alone / "fs");
      continue;
    }
    std::vector<Digest> below(diff_ids.begin(), diff_ids.begin() + static_cast<std::ptrdiff_t>(i));
    fs::path chained = layer_path(root_, chain_of(below, diff_ids[i]));
    if (below.empty() || !read_record(chained)) return std::nullopt;
    top_first.insert(top_first.begin(), chained / "fs");
  }
  return top_first;
}

bool LayerCache::unpack_alone(const Digest& diff_id, formats::Reader& tar,
                              const std::stop_token& stop) {
  fs::path layer = layer_path(root_, diff_id);
  if (read_record(layer)) return false;
  os::FileLock lock = lock_layer(root_, diff_id.hex(), stop);
  if (read_record(layer)) return false;
  os::TempDir work = scratch();
  fs::path whole = work.path() / "layer";
  os::make_dirs(whole / "fs");
  if (::chmod((whole / "fs").c_str(), 0755) != 0) os::throw_errno("chmod");
  unpack_to(whole, whole / "fs", diff_id, tar, Whiteouts::overlay, stop);
  publish(root_, whole, layer);
  return true;
}

fs::path LayerCache::unpack_on(const std::vector<Digest>& below, const std::vector<fs::path>& lower,
                               const Digest& diff_id, formats::Reader& tar,
                               const std::stop_token& stop) {
  Digest chain = chain_of(below, diff_id);
  fs::path layer = layer_path(root_, chain);
  os::FileLock lock = lock_layer(root_, chain.hex(), stop);
  if (read_record(layer)) return layer / "fs";
  os::TempDir work = scratch();
  fs::path whole = work.path() / "layer";
  for (const fs::path& directory : {whole / "fs", work.path() / "work", work.path() / "merged"})
    os::make_dirs(directory);
  {
    os::mount_overlay({.lower = lower, .upper = whole / "fs", .work = work.path() / "work"},
                      work.path() / "merged");
    os::Mount mounted(work.path() / "merged");
    unpack_to(whole, work.path() / "merged", diff_id, tar, Whiteouts::apply, stop);
  }
  publish(root_, whole, layer);
  return layer / "fs";
}

fs::path LayerCache::unpack_one(const std::vector<Digest>& below, const Digest& diff_id,
                                const std::function<std::unique_ptr<formats::Reader>()>& open,
                                const std::stop_token& stop) {
  if (auto found = find(below, diff_id)) return *found;
  auto lower = find(below);
  if (!lower)
    fail(Fault::not_found, "unpacking layer {}: a layer below it is not unpacked", diff_id);
  fs::path alone = layer_path(root_, diff_id);
  if (!read_record(alone)) unpack_alone(diff_id, *open(), stop);
  auto record = read_record(alone);
  if (record && stands_alone(*record, *lower)) return alone / "fs";
  if (lower->empty()) {
    fail(Fault::bad_input, "layer entry '{}': a hard link to something that is not there",
         record ? record->missing_link : "?");
  }
  return unpack_on(below, *lower, diff_id, *open(), stop);
}

std::vector<fs::path> LayerCache::unpack(const Manifest& manifest, const ImageConfig& config,
                                         const BlobStore& store, const std::stop_token& stop) {
  if (manifest.layers.size() != config.diff_ids.size()) {
    fail(Fault::bad_input, "the image has {} layers but its configuration lists {}",
         manifest.layers.size(), config.diff_ids.size());
  }
  if (auto found = find(config.diff_ids)) return *found;
  TaskGroup tasks(stop);
  const unsigned workers =
      std::min<unsigned>(4, std::max<unsigned>(2, std::thread::hardware_concurrency()));
  std::atomic<std::size_t> next = 0;
  for (unsigned i = 0; i < workers; ++i) {
    tasks.start([&](const std::stop_token& its_stop) {
      for (std::size_t at = next++; at < manifest.layers.size(); at = next++) {
        const Digest& diff_id = config.diff_ids[at];
        if (read_record(layer_path(root_, diff_id))) continue;
        while_doing(fmt::format("unpacking layer {}", manifest.layers[at].digest.brief()), [&] {
          unpack_alone(diff_id, *open_layer(store, manifest.layers[at].digest), its_stop);
        });
      }
    });
  }
  tasks.join();
  if (stop.stop_requested()) throw Cancelled();
  for (std::size_t at = 0; at < manifest.layers.size(); ++at) {
    std::vector<Digest> below(config.diff_ids.begin(),
                              config.diff_ids.begin() + static_cast<std::ptrdiff_t>(at));
    unpack_one(
        below, config.diff_ids[at], [&] { return open_layer(store, manifest.layers[at].digest); },
        stop);
  }
  auto found = find(config.diff_ids);
  if (!found) fail(Fault::unavailable, "unpacked layers were removed while they were needed");
  return *found;
}

fs::path LayerCache::adopt(const Digest& diff_id, const fs::path& upper) {
  fs::path layer = layer_path(root_, diff_id);
  os::FileLock lock = lock_layer(root_, diff_id.hex(), {});
  if (read_record(layer)) return layer / "fs";
  os::TempDir work = scratch();
  fs::path whole = work.path() / "layer";
  os::make_dirs(whole);
  if (::rename(upper.c_str(), (whole / "fs").c_str()) != 0)
    os::throw_errno("renaming '" + upper.string() + "'");
  write_record(whole, diff_id, {});
  publish(root_, whole, layer);
  return layer / "fs";
}

}  // namespace slipway::oci
