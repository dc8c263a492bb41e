// SPDX-License-Identifier: Apache-2.0
#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/process.hpp"

namespace slipway::os {
namespace {

// Empties the directory behind `directory`; entries on another file system than `device` are left alone.
void remove_entries(Fd directory, dev_t device) {
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.release()), ::closedir);
  if (!stream) throw_errno("reading a directory");
  int at = ::dirfd(stream.get());
  while (dirent* entry = ::readdir(stream.get())) {
    std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(at, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM && errno != EBUSY)
      throw_errno(fmt::format("removing '{}'", name));
    struct stat info {};
    if (::fstatat(at, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno(fmt::format("stat '{}'", name));
    if (!S_ISDIR(info.st_mode)) {
      errno = EPERM;
      throw_errno(fmt::format("removing '{}'", name));
    }
    if (info.st_dev != device) fail(Fault::conflict, "'{}' is a mount point, not removed", name);
    if ((info.st_mode & S_IRWXU) != S_IRWXU) ::fchmodat(at, entry->d_name, 0700, 0);
    Fd child(::openat(at, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.is_open()) throw_errno(fmt::format("opening '{}'", name));
    remove_entries(std::move(child), device);
    if (::unlinkat(at, entry->d_name, AT_REMOVEDIR) != 0)
      throw_errno(fmt::format("removing '{}'", name));
  }
}

std::string aside_name(const std::filesystem::path& path) {
  return path.string() + ".new-" + hex(random_bytes(6));
}

void write_aside_and_rename(const std::filesystem::path& path, std::string_view bytes,
                            unsigned mode, bool durable) {
  std::string aside = aside_name(path);
  try {
    Fd fd = open_file(aside, O_WRONLY | O_CREAT | O_EXCL, mode);
    write_all(fd.get(), bytes);
    if (durable && ::fsync(fd.get()) != 0) throw_errno("fsync '" + aside + "'");
    if (::rename(aside.c_str(), path.c_str()) != 0) throw_errno("renaming '" + aside + "'");
  } catch (...) {
    ::unlink(aside.c_str());
    throw;
  }
  if (durable) sync_directory(path.parent_path());
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  Fd fd = open_file(path.string(), O_RDONLY);
  return while_doing(fmt::format("reading '{}'", path.string()),
                     [&] { return read_all(fd.get()); });
}

std::optional<std::string> read_file_if_exists(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno("opening '" + path.string() + "'");
  }
  try {
    return while_doing(fmt::format("reading '{}'", path.string()),
                       [&] { return read_all(fd.get()); });
  } catch (const Error& error) {
    // A file below /proc/PID whose process ended after the open.
    if (error.fault() == Fault::not_found) return std::nullopt;
    throw;
  }
}

void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  Fd fd = open_file(path.string(), O_WRONLY | O_CREAT | O_TRUNC, mode);
  write_all(fd.get(), bytes);
}

void write_file_durably(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  write_aside_and_rename(path, bytes, mode, true);
}

void replace_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  write_aside_and_rename(path, bytes, mode, false);
}

void sync_directory(const std::filesystem::path& directory) {
  Fd fd = open_file(directory.empty() ? "." : directory.string(), O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) != 0) throw_errno("fsync '" + directory.string() + "'");
}

void make_dirs(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    errno = error.value();
    throw_errno(fmt::format("making the directory '{}'", directory.string()));
  }
}

void remove_tree(const std::filesystem::path& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return;
    throw_errno("stat '" + path.string() + "'");
  }
  while_doing(fmt::format("removing '{}'", path.string()), [&] {
    if (S_ISDIR(info.st_mode)) {
      if ((info.st_mode & S_IRWXU) != S_IRWXU) ::chmod(path.c_str(), 0700);
      remove_entries(open_file(path.string(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW), info.st_dev);
      if (::rmdir(path.c_str()) != 0 && errno != ENOENT) throw_errno("rmdir");
    } else if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      throw_errno("unlink");
    }
  });
}

namespace {

constexpr const char* kMemory = "/dev/shm";
constexpr std::string_view kMemoryPrefix = "slipway-memory-";

std::filesystem::path usual_parent() {
  const char* tmp =
      std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  return tmp && *tmp ? tmp : "/tmp";
}

// "slipway-memory-PID-TICKS-XXXXXX" of a process that is no more, or is one of another PID namespace.
bool may_be_abandoned(const std::string& name) {
  if (!name.starts_with(kMemoryPrefix)) return false;
  auto parts = split(name.substr(kMemoryPrefix.size()), '-');
  if (parts.size() != 3) return false;
  auto pid = to_integer(parts[0]);
  auto ticks = to_integer(parts[1]);
  return pid && ticks && *pid > 0 && std::in_range<pid_t>(*pid) && *ticks >= 0 &&
         !is_alive(static_cast<pid_t>(*pid), static_cast<unsigned long long>(*ticks));
}

}  // namespace

TempDir::TempDir(const std::filesystem::path& base, const std::string& prefix) {
  std::string pattern = (base / (prefix + "XXXXXX")).string();
  if (!::mkdtemp(pattern.data())) throw_errno("making a directory in '" + base.string() + "'");
  path_ = pattern;
}

TempDir::TempDir(const std::filesystem::path& parent)
    : TempDir(parent.empty() ? usual_parent() : parent, "slipway-") {}

TempDir TempDir::in_memory() {
  static std::once_flag once;
  std::call_once(once, remove_abandoned_memory);
  std::error_code absent;
  if (!std::filesystem::is_directory(kMemory, absent)) return TempDir();
  TempDir made(kMemory, fmt::format("{}{}-{}-", kMemoryPrefix, ::getpid(),
                                    start_ticks(::getpid()).value_or(0)));
  made.held_ = open_file(made.path_.string(), O_RDONLY | O_DIRECTORY);
  if (::flock(made.held_.get(), LOCK_EX | LOCK_NB) != 0)
    throw_errno("locking '" + made.path_.string() + "'");
  return made;
}

void remove_abandoned_memory() {
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(kMemory, absent)) {
    if (!may_be_abandoned(entry.path().filename().string())) continue;
    Fd directory(::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    bool is_ours = directory.is_open() && ::fstat(directory.get(), &status) == 0 &&
                   status.st_uid == ::geteuid() && ::flock(directory.get(), LOCK_EX | LOCK_NB) == 0;
    if (is_ours) remove_tree(entry.path());
  }
}

TempDir::TempDir(TempDir&& other) noexcept
    : path_(std::exchange(other.path_, {})), held_(std::move(other.held_)) {}

TempDir::~TempDir() {
  if (path_.empty()) return;
  try {
    remove_tree(path_);
  } catch (const std::
               exception&) {  // NOLINT(bugprone-empty-catch): what cannot be removed stays in /tmp
  }
}

std::filesystem::path TempDir::keep() { return std::exchange(path_, {}); }

std::optional<FileLock> FileLock::try_take(const std::filesystem::path& path) {
  Fd fd = open_file(path.string(), O_RDWR | O_CREAT);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(fd));
  if (errno == EWOULDBLOCK) return std::nullopt;
  throw_errno("locking '" + path.string() + "'");
}

// The kernel tells nobody that a lock was let go (inotify's event of the close comes before it is): asked again and again.
FileLock FileLock::take(const std::filesystem::path& path, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock waiting(mutex);
  while (true) {
    if (auto lock = try_take(path)) return std::move(*lock);
    never.wait_for(waiting, stop, std::chrono::milliseconds(20), [] { return false; });
    if (stop.stop_requested()) throw Cancelled();
  }
}

FileLock FileLock::take(const std::filesystem::path& path) {
  Fd fd = open_file(path.string(), O_RDWR | O_CREAT);
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw_errno("locking '" + path.string() + "'");
  }
  return FileLock(std::move(fd));
}

}  // namespace slipway::os
