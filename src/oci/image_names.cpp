// SPDX-License-Identifier: Apache-2.0
#include "oci/image_names.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::oci {
namespace {

constexpr const char* kNameAnnotation = "org.opencontainers.image.ref.name";
constexpr std::uint64_t kMostManifest = 16u << 20;

std::string name_of(const Descriptor& entry) {
  auto name = entry.annotations.find(kNameAnnotation);
  return name == entry.annotations.end() ? "" : name->second;
}

Descriptor without_name(Descriptor entry) {
  entry.annotations.erase(kNameAnnotation);
  return entry;
}

// What a manifest or index leads to; nothing for any other content.
std::vector<Digest> children(const BlobStore& store, const Digest& digest) {
  auto size = store.size(digest);
  if (!size || *size > kMostManifest) return {};
  std::vector<Digest> result;
  try {
    auto document = parse_manifest_or_index(store.read(digest));
    if (const auto* index = std::get_if<Index>(&document)) {
      for (const Descriptor& entry : index->manifests) result.push_back(entry.digest);
    } else {
      const auto& manifest = std::get<Manifest>(document);
      result.push_back(manifest.config.digest);
      for (const Descriptor& layer : manifest.layers) result.push_back(layer.digest);
    }
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_input)
      throw;  // bad_input: a layer or a configuration, it leads nowhere
  }
  return result;
}

// True for contents that may be a manifest: JSON, and not large.
bool may_lead_on(const BlobStore& store, const Digest& digest) {
  auto size = store.size(digest);
  if (!size || *size < 2 || *size > kMostManifest) return false;
  char first = 0;
  os::Fd file = store.open(digest);
  return ::pread(file.get(), &first, 1, 0) == 1 &&
         (first == '{' || first == ' ' || first == '\n' || first == '\r' || first == '\t');
}

}  // namespace

std::shared_ptr<const Index> BlobStore::names() const {
  std::filesystem::path path = root_ / "index.json";
  os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT) return std::make_shared<const Index>();
    os::throw_errno("opening '" + path.string() + "'");
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) os::throw_errno("stat '" + path.string() + "'");
  std::lock_guard lock(names_->mutex);
  bool is_same = names_->index && names_->inode == info.st_ino &&
                 names_->modified.tv_sec == info.st_mtim.tv_sec &&
                 names_->modified.tv_nsec == info.st_mtim.tv_nsec;
  if (!is_same) {
    names_->index = while_doing(fmt::format("'{}'", path.string()), [&] {
      return std::make_shared<const Index>(parse_index(os::read_all(file.get())));
    });
    names_->inode = info.st_ino;
    names_->modified = info.st_mtim;
  }
  return names_->index;
}

void BlobStore::change_names(const std::function<bool(Index&)>& change) {
  // One lock a change, by its own descriptor: keeps out other threads as well as other processes.
  os::FileLock lock = os::FileLock::take(root_ / "names.lock");
  Index index = *names();
  if (change(index)) os::write_file_durably(root_ / "index.json", print(index));
}

void BlobStore::set_tag(const std::string& name, const Descriptor& target) {
  if (!has(target.digest))
    fail(Fault::not_found, "naming '{}': blob {} is not in the store", name, target.digest);
  Descriptor entry = target;
  entry.annotations[kNameAnnotation] = name;
  change_names([&](Index& index) {
    for (Descriptor& other : index.manifests) {
      if (name_of(other) != name) continue;
      if (other == entry) return false;
      other = entry;
      return true;
    }
    index.manifests.push_back(entry);
    std::sort(index.manifests.begin(), index.manifests.end(),
              [](const Descriptor& a, const Descriptor& b) { return name_of(a) < name_of(b); });
    return true;
  });
}

std::optional<Descriptor> BlobStore::resolve(std::string_view name) const {
  std::string_view after_at =
      name.substr(name.find('@') == std::string_view::npos ? 0 : name.find('@') + 1);
  if (auto digest = Digest::try_parse(after_at)) {
    if (!may_lead_on(*this, *digest)) return std::nullopt;
    std::string bytes = read(*digest);
    try {
      auto document = parse_manifest_or_index(bytes);
      Descriptor descriptor;
      descriptor.media_type = std::visit([](const auto& any) { return any.media_type; }, document);
      descriptor.digest = *digest;
      descriptor.size = bytes.size();
      return descriptor;
    } catch (const Error& error) {
      if (error.fault() != Fault::bad_input) throw;
      return std::nullopt;  // a configuration, or other JSON that names no image
    }
  }
  auto index = names();
  for (const Descriptor& entry : index->manifests) {
    if (name_of(entry) == name) return without_name(entry);
  }
  return std::nullopt;
}

std::vector<TaggedImage> BlobStore::tags() const {
  std::vector<TaggedImage> result;
  auto index = names();
  for (const Descriptor& entry : index->manifests) {
    if (std::string name = name_of(entry); !name.empty())
      result.push_back({name, without_name(entry)});
  }
  return result;
}

bool BlobStore::remove_tag(std::string_view name) {
  bool removed = false;
  change_names([&](Index& index) {
    auto is_it = [&](const Descriptor& entry) { return name_of(entry) == name; };
    removed = std::erase_if(index.manifests, is_it) > 0;
    return removed;
  });
  return removed;
}

void BlobStore::mark(const Digest& digest, std::set<Digest>& seen) const {
  std::vector<Digest> ahead{digest};
  while (!ahead.empty()) {
    Digest next = std::move(ahead.back());
    ahead.pop_back();
    if (!has(next) || !seen.insert(next).second) continue;
    if (!may_lead_on(*this, next)) continue;
    for (Digest& child : children(*this, next)) ahead.push_back(std::move(child));
  }
}

std::set<Digest> BlobStore::reachable(const Digest& root) const {
  std::set<Digest> seen;
  mark(root, seen);
  return seen;
}

BlobStore::Collected BlobStore::collect_garbage(const std::set<Digest>& keep) {
  Collected collected;
  auto sole = try_sole_lease();
  if (!sole) {
    collected.in_use = true;
    return collected;
  }
  std::set<Digest> seen;
  for (const Digest& digest : keep) mark(digest, seen);
  auto index = names();
  for (const Descriptor& entry : index->manifests) mark(entry.digest, seen);
  for (const Digest& digest : blobs()) {
    if (seen.contains(digest)) continue;
    std::uint64_t bytes = size(digest).value_or(0);
    if (!remove(digest)) continue;
    ++collected.blobs;
    collected.bytes += bytes;
  }
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "ingest")) {
    if (entry.is_directory()) {  // a broken-off import: the lease says that nobody works in it
      os::remove_tree(entry.path());
      continue;
    }
    os::Fd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    // Its writer lives while it holds the lock. A link that put_file() made has no lock, but a
    // lease then.
    if (file.is_open() && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0)
      ::unlink(entry.path().c_str());
  }
  return collected;
}

}  // namespace slipway::oci
