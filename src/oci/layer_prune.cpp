// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

namespace fs = std::filesystem;

// The lower directories of every overlay in a mountinfo text: "lowerdir=A:B" or "lowerdir+=A".
void add_lower_directories(std::string_view mountinfo, std::set<std::string>& used) {
  for (std::string_view line : lines_of(mountinfo)) {
    if (line.find(" - overlay ") == std::string_view::npos) continue;
    for (const std::string& option : split(line.substr(line.rfind(' ') + 1), ',')) {
      std::size_t equals = option.find('=');
      if (!option.starts_with("lowerdir") || equals == std::string::npos) continue;
      for (std::string& directory : split(option.substr(equals + 1), ':'))
        used.insert(std::move(directory));
    }
  }
}

// Of all mount namespaces that some process is in: containers mount in theirs.
std::set<std::string> mounted_lower_directories() {
  std::set<std::string> used;
  std::set<std::string> namespaces;
  for (const auto& process : fs::directory_iterator("/proc")) {
    std::string pid = process.path().filename().string();
    if (!to_integer(pid)) continue;
    std::error_code gone;
    fs::path space = fs::read_symlink(process.path() / "ns" / "mnt", gone);
    if (gone || !namespaces.insert(space.string()).second) continue;
    try {
      if (auto text = os::read_file_if_exists(process.path() / "mountinfo"))
        add_lower_directories(*text, used);
    } catch (const Error&) {
      namespaces.erase(
          space.string());  // it ended under our eyes: another process of the namespace may tell
    }
  }
  return used;
}

bool is_kept(const fs::path& layer, const std::set<Digest>& keep) {
  auto text = os::read_file_if_exists(layer / "layer.json");
  if (!text) return false;
  auto diff_id =
      Digest::try_parse(formats::parse_json(*text, layer.string()).get_string("diff_id"));
  return diff_id && keep.contains(*diff_id);
}

}  // namespace

LayerCache::Pruned LayerCache::prune(const std::set<Digest>& keep) {
  Pruned pruned;
  std::vector<fs::path> unused;
  for (const auto& entry : fs::directory_iterator(root_ / "layers")) {
    if (!is_kept(entry.path(), keep)) unused.push_back(entry.path());
  }
  if (unused.empty()) return pruned;
  std::set<std::string> used = mounted_lower_directories();
  for (const fs::path& layer : unused) {
    if (used.contains((layer / "fs").string())) continue;
    auto lock = os::FileLock::try_take(root_ / "locks" / layer.filename().string().substr(0, 2));
    if (!lock) continue;  // being unpacked
    fs::path aside = root_ / "tmp" / fmt::format("pruned-{}", hex(random_bytes(8)));
    if (::rename(layer.c_str(), aside.c_str()) != 0)
      os::throw_errno("renaming '" + layer.string() + "'");
    lock.reset();
    os::remove_tree(aside);
    ++pruned.layers;
  }
  return pruned;
}

}  // namespace slipway::oci
