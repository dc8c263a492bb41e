// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "os/fd.hpp"

namespace slipway::os {

/// The whole file. throws Error{not_found} when it does not exist, Error{unavailable} otherwise.
std::string read_file(const std::filesystem::path& path);
/// Nothing when the file does not exist.
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path);
/// Creates or replaces, not atomic, not synced. `mode` is what a new file gets (less the umask).
void write_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);
/// Written aside, fsynced, renamed, directory fsynced: after it returns the file is the new one, before it the old one.
void write_file_durably(const std::filesystem::path& path, std::string_view bytes,
                        unsigned mode = 0644);
/// Replaces `path` atomically but without waiting for the disk.
void replace_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);
/// fsync of a directory, so that names made in it are kept.
void sync_directory(const std::filesystem::path& directory);
/// Like mkdir -p.
void make_dirs(const std::filesystem::path& directory);
/// Removes a tree without following links and without leaving its file system; absence is fine.
void remove_tree(const std::filesystem::path& path);

/// A new directory under `parent` (default: $TMPDIR or /tmp), removed with what it holds at the end.
class TempDir final {
 public:
  explicit TempDir(const std::filesystem::path& parent = {});
  /// In memory (/dev/shm) where there is such a place: for secrets. What killed processes left there is removed with a process's first.
  static TempDir in_memory();
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Leaves the directory where it is.
  std::filesystem::path keep();

 private:
  TempDir(const std::filesystem::path& base, const std::string& prefix);

  std::filesystem::path path_;
  Fd held_;  // of in_memory(): locked as long as somebody uses it
};

/// Removes the directories of TempDir::in_memory() whose processes were killed.
void remove_abandoned_memory();

/// An advisory lock on a file (flock), held until the end of the object's life or the process's.
class FileLock final {
 public:
  /// Takes the lock without waiting; nothing when another process holds it. Creates the file.
  static std::optional<FileLock> try_take(const std::filesystem::path& path);
  /// Waits for the lock.
  static FileLock take(const std::filesystem::path& path);
  /// The same, for locks that are held long. throws Cancelled
  static FileLock take(const std::filesystem::path& path, const std::stop_token& stop);
  /// The locked file, for a pid written into it.
  [[nodiscard]] const Fd& fd() const { return fd_; }

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace slipway::os
