// SPDX-License-Identifier: Apache-2.0
#include "image/file_hashes.hpp"

#include <fcntl.h>

#include <atomic>
#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "formats/sha256.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

constexpr std::string_view kMagic = "slipway-file-hashes-1\n";
// File times advance with the kernel's tick; two changes within one cannot be told apart.
constexpr std::int64_t kTickNs = 20'000'000;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Record {
  std::uint64_t device, inode, size;
  std::int64_t mtime_ns, ctime_ns;
  FileHashes::Hash hash;
};
static_assert(sizeof(Record) == 72, "records are written as they are");

}  // namespace

FileHashes::Key FileHashes::key_of(const Node& node) {
  return {node.device, node.inode, node.size, node.mtime * 1'000'000'000 + node.mtime_ns,
          node.ctime_ns};
}

FileHashes::FileHashes(std::filesystem::path file) : file_(std::move(file)) {
  auto bytes = os::read_file_if_exists(file_);
  if (!bytes || !bytes->starts_with(kMagic) ||
      (bytes->size() - kMagic.size()) % sizeof(Record) != 0)
    return;
  std::size_t count = (bytes->size() - kMagic.size()) / sizeof(Record);
  known_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Record record;
    std::memcpy(&record, bytes->data() + kMagic.size() + i * sizeof record, sizeof record);
    known_.emplace(Key{record.device, record.inode, record.size, record.mtime_ns, record.ctime_ns},
                   Known{record.hash});
  }
}

FileHashes::Hash FileHashes::read(const Node& node) {
  formats::Sha256 sha;
  if (node.content) {
    sha.update(*node.content);
  } else {
    os::Fd fd = os::open_file(node.real, O_RDONLY | O_NOFOLLOW);
    formats::FdReader reader(fd.get());
    std::array<char, 65536> buffer;
    while (auto got = reader.read(buffer)) sha.update({buffer.data(), got});
  }
  Hash hash;
  std::string digest = sha.digest();
  std::copy(digest.begin(), digest.end(), hash.begin());
  return hash;
}

void FileHashes::learn(std::span<const Node* const> nodes, const std::stop_token& stop) {
  std::vector<const Node*> missing;
  {
    std::lock_guard lock(mutex_);
    for (const Node* node : nodes) {
      if (!node->is_file() || node->content) continue;
      auto known = known_.find(key_of(*node));
      if (known == known_.end()) {
        missing.push_back(node);
      } else {
        known->second.is_used = true;
      }
    }
  }
  if (missing.empty()) return;
  std::vector<std::pair<Key, Known>> learned(missing.size());
  std::atomic<std::size_t> next{0};
  auto work = [&](const std::stop_token& stopped) {
    for (std::size_t i = next++; i < missing.size(); i = next++) {
      if (stopped.stop_requested()) throw Cancelled();
      std::int64_t before = now_ns();
      learned[i] = {key_of(*missing[i]), {.hash = read(*missing[i]), .is_used = true}};
      learned[i].second.is_settled = missing[i]->ctime_ns + kTickNs < before;
    }
  };
  if (missing.size() < 16) {
    work(stop);
  } else {
    TaskGroup group(stop);
    unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
    for (unsigned i = 0; i < threads; ++i) group.start(work);
    group.join();
  }
  std::lock_guard lock(mutex_);
  for (auto& [key, known] : learned) known_.insert_or_assign(key, known);
  changed_ = true;
}

FileHashes::Hash FileHashes::of(const Node& node) {
  if (node.content) return read(node);
  {
    std::lock_guard lock(mutex_);
    if (auto known = known_.find(key_of(node)); known != known_.end()) return known->second.hash;
  }
  const Node* one = &node;
  learn(std::span(&one, 1), {});
  std::lock_guard lock(mutex_);
  return known_.at(key_of(node)).hash;
}

void FileHashes::save() {
  std::string bytes(kMagic);
  {
    std::lock_guard lock(mutex_);
    if (!changed_) return;
    changed_ = false;
    bytes.reserve(kMagic.size() + known_.size() * sizeof(Record));
    for (const auto& [key, known] : known_) {
      if (!known.is_settled || !known.is_used) continue;
      Record record{key.device, key.inode, key.size, key.mtime_ns, key.ctime_ns, known.hash};
      bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
    }
  }
  os::replace_file(file_, bytes);
}

}  // namespace slipway::image
