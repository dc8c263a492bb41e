// SPDX-License-Identifier: Apache-2.0
#include "oci/blob_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/blob_writer_state.hpp"
#include "oci/image_names.hpp"

namespace slipway::oci {
namespace {

// An empty name for a file that is about to be renamed into the store.
std::filesystem::path aside(const std::filesystem::path& root) {
  return root / "ingest" / fmt::format("{}-{}", ::getpid(), hex(random_bytes(8)));
}

bool same_file_system(const std::filesystem::path& directory, const struct stat& file) {
  struct stat info {};
  return ::stat(directory.c_str(), &info) == 0 && info.st_dev == file.st_dev;
}

// A link keeps the content only as long as nobody writes into the file: not for files of other
// users.
bool may_be_linked(const struct stat& file) {
  return S_ISREG(file.st_mode) && (file.st_uid == ::geteuid() || file.st_uid == 0) &&
         (file.st_mode & 022) == 0;
}

}  // namespace

BlobStore::BlobStore(std::filesystem::path root)
    : root_(std::move(root)), names_(std::make_unique<Names>()) {
  while_doing(fmt::format("opening the image store '{}'", root_.string()), [&] {
    os::make_dirs(root_ / "ingest");
    os::make_dirs(root_ / "blobs" / "sha256");
    if (!std::filesystem::exists(root_ / "oci-layout")) {
      os::replace_file(root_ / "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
    }
  });
}

BlobStore::~BlobStore() = default;

std::filesystem::path BlobStore::path_of(const Digest& digest) const {
  return root_ / "blobs" / digest.algorithm() / digest.hex();
}

std::optional<std::uint64_t> BlobStore::size(const Digest& digest) const {
  struct stat info {};
  if (::stat(path_of(digest).c_str(), &info) == 0) return static_cast<std::uint64_t>(info.st_size);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  os::throw_errno(fmt::format("stat '{}'", path_of(digest).string()));
}

os::Fd BlobStore::open(const Digest& digest) const {
  os::Fd file(::open(path_of(digest).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.is_open()) return file;
  if (errno == ENOENT) fail(Fault::not_found, "blob {} is not in the store", digest);
  os::throw_errno(fmt::format("opening '{}'", path_of(digest).string()));
}

std::string BlobStore::read(const Digest& digest, std::uint64_t most_bytes) const {
  os::Fd file = open(digest);
  formats::FdReader reader(file.get());
  std::string bytes = while_doing(fmt::format("reading blob {}", digest),
                                  [&] { return formats::read_all(reader, most_bytes); });
  Digester digester(digest.algorithm());
  digester.update(bytes);
  if (digester.digest() != digest)
    fail(Fault::bad_input, "blob {} is damaged: its content is {}", digest, digester.digest());
  return bytes;
}

BlobWriter BlobStore::begin(std::string_view algorithm) {
  return BlobWriter(std::make_unique<BlobWriter::State>(*this, algorithm));
}

Digest BlobStore::put(std::string_view bytes) {
  Digest digest = Digest::of(bytes);
  if (has(digest)) return digest;
  BlobWriter writer = begin();
  writer.write(bytes);
  return writer.commit(digest);
}

Descriptor BlobStore::put(std::string_view bytes, std::string_view media_type) {
  put(bytes);
  return describe(bytes, media_type);
}

void BlobStore::publish(const std::filesystem::path& file, const Digest& digest) {
  std::filesystem::path target = path_of(digest);
  if (digest.algorithm() != "sha256") os::make_dirs(target.parent_path());
  if (::rename(file.c_str(), target.c_str()) != 0)
    os::throw_errno("renaming '" + file.string() + "'");
  os::sync_directory(target.parent_path());
}

void BlobStore::move_in(const std::filesystem::path& file, const Digest& digest) {
  os::Fd fd = os::open_file(file.string(), O_RDONLY | O_NOFOLLOW);
  if (::fsync(fd.get()) != 0) os::throw_errno("fsync '" + file.string() + "'");
  publish(file, digest);
}

void BlobStore::put_file(const std::filesystem::path& file, const Digest& digest) {
  if (has(digest)) return;
  os::Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_open()) os::throw_errno("opening '" + file.string() + "'");
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) os::throw_errno("stat '" + file.string() + "'");
  formats::FdReader reader(fd.get());
  if (!may_be_linked(info) || !same_file_system(root_, info)) {
    BlobWriter writer = begin(digest.algorithm());
    formats::copy_all(reader, writer);
    while_doing(fmt::format("'{}'", file.string()), [&] { writer.commit(digest); });
    return;
  }
  struct Hashing final : formats::Writer {
    explicit Hashing(std::string_view algorithm) : digester(algorithm) {}
    void write(std::string_view bytes) override { digester.update(bytes); }
    Digester digester;
  } hash(digest.algorithm());
  formats::copy_all(reader, hash);
  if (hash.digester.digest() != digest) {
    fail(Fault::bad_input, "'{}' is damaged: its content is {}, not {}", file.string(),
         hash.digester.digest(), digest);
  }
  // By descriptor: the very file that was hashed, whatever its name leads to by now.
  std::filesystem::path link = aside(root_);
  std::string self = fmt::format("/proc/self/fd/{}", fd.get());
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, link.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    os::throw_errno("linking '" + file.string() + "'");
  }
  if (::fsync(fd.get()) != 0) os::throw_errno("fsync '" + file.string() + "'");
  publish(link, digest);
}

bool BlobStore::remove(const Digest& digest) {
  if (::unlink(path_of(digest).c_str()) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  os::throw_errno(fmt::format("removing '{}'", path_of(digest).string()));
}

std::vector<Digest> BlobStore::blobs() const {
  std::vector<Digest> found;
  for (std::string_view algorithm : {"sha256", "sha512"}) {
    std::error_code absent;
    for (const auto& entry :
         std::filesystem::directory_iterator(root_ / "blobs" / algorithm, absent)) {
      if (auto digest = Digest::try_parse(
              fmt::format("{}:{}", algorithm, entry.path().filename().string()))) {
        found.push_back(*digest);
      }
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

BlobStore::Lease BlobStore::lease() const {
  os::Fd lock = os::open_file((root_ / "lease.lock").string(), O_RDWR | O_CREAT);
  while (::flock(lock.get(), LOCK_SH) != 0) {
    if (errno != EINTR) os::throw_errno("locking the image store");
  }
  return Lease(std::move(lock));
}

std::optional<BlobStore::Lease> BlobStore::try_sole_lease() const {
  os::Fd lock = os::open_file((root_ / "lease.lock").string(), O_RDWR | O_CREAT);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return Lease(std::move(lock));
  if (errno == EWOULDBLOCK) return std::nullopt;
  os::throw_errno("locking the image store");
}

}  // namespace slipway::oci
