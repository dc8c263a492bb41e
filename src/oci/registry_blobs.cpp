// SPDX-License-Identifier: Apache-2.0
// Blobs and uploads of a registry, and the removal of what nothing needs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "oci/registry_state.hpp"

namespace slipway::oci {
namespace {

using formats::Database;
using formats::Statement;
using formats::Transaction;
namespace fs = std::filesystem;

constexpr std::size_t kPiece = 256u << 10;
constexpr std::uint64_t kBlobFlushSpan = 8u << 20;
constexpr std::size_t kMostSessions =
    4096;  // remembered between requests; others' files are read again at the end

[[noreturn]] void unknown_upload(std::string_view id) {
  throw RegistryRefusal(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry",
                        std::string(id.substr(0, 100)));
}

constexpr const char* kQuotaUsedUp = "the registry's quota is used up";

bool is_upload_id(std::string_view id) {
  return id.size() == 36 && id.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

Digest hash_file(int fd, std::string_view algorithm) {
  Digester digester(algorithm);
  std::vector<char> piece(kPiece);
  off_t at = 0;
  while (ssize_t count = ::pread(fd, piece.data(), piece.size(), at)) {
    if (count < 0) os::throw_errno("reading an upload");
    digester.update(std::string_view(piece.data(), static_cast<std::size_t>(count)));
    at += count;
  }
  return digester.digest();
}

std::uint64_t size_of_file(const os::Fd& file) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) os::throw_errno("stat of an upload");
  return static_cast<std::uint64_t>(info.st_size);
}

// Forgets what can be found out again: first of uploads that have nothing yet, then of any that no request is busy with.
void forget_some(std::map<std::string, std::shared_ptr<UploadSession>>& sessions) {
  for (bool only_empty : {true, false}) {
    if (sessions.size() < kMostSessions) return;
    std::erase_if(sessions, [&](const auto& entry) {
      return entry.second.use_count() == 1 && (!only_empty || entry.second->size == 0);
    });
  }
}

}  // namespace

// '/' is not part of a file's name, and '+' is not part of a repository's.
fs::path RegistryStore::State::uploads_of(std::string_view repository) const {
  return root / "uploads" / replace_all(std::string(repository), "/", "+");
}

std::optional<std::uint64_t> RegistryStore::State::linked_size(Database& database,
                                                               std::string_view repository,
                                                               std::string_view digest) {
  Statement row = database.prepare("SELECT size FROM blobs WHERE repository = ? AND digest = ?");
  if (!row.bind(repository, digest).step()) return std::nullopt;
  return static_cast<std::uint64_t>(row.get_int(0));
}

std::optional<std::uint64_t> RegistryStore::blob_size(std::string_view repository,
                                                      const Digest& digest) const {
  // Who sees it may go without uploading: collect_garbage() must not take it away under them. It looks here and deletes under
  // this lock: either it sees that we were here, or we see that the blob is gone.
  bool is_first = state_->touched.with(
      [&](auto& times) { return times.insert_or_assign(digest.str(), formats::now()).second; });
  auto size = state_->reader.with(
      [&](Database& database) { return State::linked_size(database, repository, digest.str()); });
  if (!size && is_first)  // nobody can fill the memory by asking for what is not here
    state_->touched.with([&](auto& times) { times.erase(digest.str()); });
  return size;
}

std::optional<os::Fd> RegistryStore::open_blob(std::string_view repository,
                                               const Digest& digest) const {
  if (!blob_size(repository, digest)) return std::nullopt;
  return state_->blobs.open(digest);
}

// The file is renamed and the row inserted under one lock, so that collect_garbage() sees both or
// neither.
void RegistryStore::State::link_blob(std::string_view repository, const Digest& digest,
                                     const fs::path& file, std::uint64_t size) {
  writer.with([&](Database& database) {
    Transaction change(database);
    require_repository(database, repository);
    bool is_new =
        !database.prepare("SELECT 1 FROM blobs WHERE digest = ?").bind(digest.str()).step();
    if (!file.empty() && !blobs.has(digest)) blobs.move_in(file, digest);
    database.run(
        "INSERT INTO blobs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET linked = excluded.linked",
        repository, digest.str(), size, to_millis(formats::now()));
    change.commit();
    if (is_new) bytes += size;
  });
}

bool RegistryStore::mount_blob(std::string_view repository, std::string_view from,
                               const Digest& digest) {
  return state_->writer.with([&](Database& database) {
    Transaction change(database);
    State::require_repository(database, repository);
    auto size = State::linked_size(database, from, digest.str());
    if (!size) return false;
    database.run(
        "INSERT INTO blobs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET linked = excluded.linked",
        repository, digest.str(), *size, to_millis(formats::now()));
    change.commit();
    return true;
  });
}

std::optional<std::uint64_t> RegistryStore::State::unlink_blob(Database& database,
                                                               std::string_view repository,
                                                               std::string_view digest) {
  auto size = linked_size(database, repository, digest);
  if (!size) return std::nullopt;
  database.run("DELETE FROM blobs WHERE repository = ? AND digest = ?", repository, digest);
  bool is_elsewhere = database.prepare("SELECT 1 FROM blobs WHERE digest = ?").bind(digest).step();
  return is_elsewhere ? 0 : *size;
}

bool RegistryStore::delete_blob(std::string_view repository, const Digest& digest) {
  return state_->writer.with([&](Database& database) {
    Transaction change(database);
    auto freed = State::unlink_blob(database, repository, digest.str());
    change.commit();
    state_->bytes -= freed.value_or(0);
    return freed.has_value();
  });
}

std::string RegistryStore::begin_upload(std::string_view repository) {
  if (!has_repository(repository)) {
    throw RegistryRefusal(404, "NAME_UNKNOWN",
                          fmt::format("repository name not known to registry: {}", repository));
  }
  std::string id = uuid();
  auto session = std::make_shared<UploadSession>();
  os::make_dirs(state_->uploads_of(repository));
  session->path = state_->uploads_of(repository) / id;
  os::open_file(session->path.string(), O_RDWR | O_CREAT | O_EXCL);
  session->digester.emplace("sha256");
  state_->sessions.with([&](auto& sessions) {
    forget_some(sessions);
    sessions[session->path.string()] = session;
  });
  return id;
}

std::shared_ptr<UploadSession> RegistryStore::State::session(std::string_view repository,
                                                             std::string_view id) {
  if (!is_upload_id(id)) return nullptr;
  fs::path path = uploads_of(repository) / id;
  return sessions.with([&](auto& known) -> std::shared_ptr<UploadSession> {
    if (auto found = known.find(path.string()); found != known.end()) return found->second;
    os::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));  // from before a restart
    if (!file.is_open()) return nullptr;
    auto session = std::make_shared<UploadSession>();
    session->path = path;
    session->size = size_of_file(file);
    forget_some(known);
    return known[path.string()] = session;
  });
}

HeldUpload RegistryStore::State::hold(std::string_view repository, std::string_view id) {
  HeldUpload held;
  held.session = session(repository, id);
  if (!held.session) unknown_upload(id);
  held.busy = std::unique_lock(held.session->busy, std::try_to_lock);
  if (!held.busy)
    throw RegistryRefusal(409, "BLOB_UPLOAD_INVALID", "another request is writing to this upload");
  if (held.session->is_over) unknown_upload(id);
  held.file =
      os::Fd(::open(held.session->path.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  if (held.file.is_open()) return held;
  if (errno != ENOENT) os::throw_errno("opening '" + held.session->path.string() + "'");
  drop(held);
  unknown_upload(id);
}

void RegistryStore::State::drop(HeldUpload& upload) {
  UploadSession& session = *upload.session;
  ::unlink(session.path.c_str());
  session.is_over = true;
  pending -= session.size;
  sessions.with([&](auto& known) { known.erase(session.path.string()); });
}

std::vector<std::pair<std::string, std::string>> RegistryStore::State::upload_names() const {
  std::vector<std::pair<std::string, std::string>> names;
  std::error_code gone;  // it may vanish while we look
  for (const auto& directory : fs::directory_iterator(root / "uploads", gone)) {
    std::string repository = replace_all(directory.path().filename().string(), "+", "/");
    for (const auto& file : fs::directory_iterator(directory.path(), gone))
      names.emplace_back(repository, file.path().filename().string());
  }
  return names;
}

bool RegistryStore::State::cancel(std::string_view repository, std::string_view id) {
  try {
    HeldUpload held = hold(repository, id);
    drop(held);
    return true;
  } catch (const RegistryRefusal&) {
    return false;
  }
}

std::optional<UploadStatus> RegistryStore::upload(std::string_view repository,
                                                  std::string_view id) const {
  auto session = state_->session(repository, id);
  if (!session) return std::nullopt;
  return UploadStatus{std::string(id), session->size};
}

void RegistryStore::State::append(HeldUpload& upload, std::string_view bytes_of_it) {
  UploadSession& session = *upload.session;
  try {
    os::write_all(upload.file.get(), bytes_of_it);
    if (session.digester) session.digester->update(bytes_of_it);
    session.size += bytes_of_it.size();
    pending += bytes_of_it.size();
  } catch (const Error&) {
    // A part of it may have been written (a full disk): from here on the file tells what is there, and is read again at the end.
    std::uint64_t there = size_of_file(upload.file);
    pending += there - session.size;
    session.size = there;
    session.digester.reset();
    throw;
  }
  if (session.size - session.flushed >=
      kBlobFlushSpan) {  // leaves the fsync at the end little to do
    ::sync_file_range(upload.file.get(), static_cast<off64_t>(session.flushed),
                      static_cast<off64_t>(session.size - session.flushed), SYNC_FILE_RANGE_WRITE);
    session.flushed = session.size;
  }
}

UploadStatus RegistryStore::append_upload(std::string_view repository, std::string_view id,
                                          formats::Reader& body, std::optional<std::uint64_t> at,
                                          const UploadLimits& limits) {
  HeldUpload held = state_->hold(repository, id);
  const UploadSession& session = *held.session;
  if (at && *at != session.size) {
    throw RegistryRefusal(
        416, "BLOB_UPLOAD_INVALID",
        fmt::format("blob upload invalid: the next byte must be number {}, not {}",
                    session.size.load(), *at));
  }
  // Not filled with zeros: of a body that trickles in only the first page is ever there.
  auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  while (std::size_t count = body.read({piece.get(), kPiece})) {
    bool is_too_long = session.size + count > limits.most_blob;
    if (is_too_long || bytes() + count > limits.most_total) {
      state_->drop(held);  // it can never be finished: its bytes must not lie in the way of others
      if (!is_too_long) throw RegistryRefusal(403, "DENIED", kQuotaUsedUp);
      throw RegistryRefusal(413, "SIZE_INVALID",
                            fmt::format("a blob may have at most {} bytes", limits.most_blob));
    }
    state_->append(held, std::string_view(piece.get(), count));
  }
  return {std::string(id), session.size};
}

void RegistryStore::finish_upload(std::string_view repository, std::string_view id,
                                  const Digest& digest) {
  HeldUpload held = state_->hold(repository, id);
  const UploadSession& session = *held.session;
  bool is_hashed = session.digester && digest.algorithm() == "sha256";
  Digest actual =
      is_hashed ? session.digester->digest() : hash_file(held.file.get(), digest.algorithm());
  if (actual != digest) {
    state_->drop(held);
    throw RegistryRefusal(
        400, "DIGEST_INVALID",
        fmt::format("provided digest did not match uploaded content: it is {}", actual),
        digest.str());
  }
  if (!state_->blobs.has(digest) && ::fsync(held.file.get()) != 0) {
    int error = errno;
    state_->drop(held);  // what did not reach the disk is not known: another fsync would not tell
    errno = error;
    os::throw_errno("fsync of an upload");
  }
  try {
    state_->link_blob(repository, digest, session.path, session.size);
  } catch (...) {  // the file may have its new name already: nothing is left then to try again with
    if (!fs::exists(session.path)) state_->drop(held);
    throw;
  }
  state_->drop(held);  // the name is gone when it was moved in, and must go when the blob was here
}

bool RegistryStore::cancel_upload(std::string_view repository, std::string_view id) {
  if (!state_->session(repository, id)) return false;
  HeldUpload held = state_->hold(repository, id);
  state_->drop(held);
  return true;
}

std::uint64_t RegistryStore::bytes() const { return state_->bytes + state_->pending; }

namespace {

// The blobs that a repository's manifests name.
std::set<std::string> named_blobs(Database& database, const std::string& repository) {
  std::set<std::string> named;
  Statement rows = database.prepare("SELECT body, media_type FROM manifests WHERE repository = ?");
  rows.bind(repository);
  while (rows.step()) {
    auto document = parse_manifest_or_index(rows.get_text(0), rows.get_text(1));
    const auto* manifest = std::get_if<Manifest>(&document);
    if (!manifest) continue;
    named.insert(manifest->config.digest.str());
    for (const Descriptor& layer : manifest->layers) named.insert(layer.digest.str());
  }
  return named;
}

}  // namespace

RegistryStore::Collected RegistryStore::collect_garbage(std::chrono::seconds grace) {
  Collected collected;
  const formats::Time now = formats::now();
  const formats::Time border = now - grace;
  auto was_touched = [&](const auto& times, const std::string& digest) {
    if (state_->started > border)
      return true;  // what was asked for before the restart is not known
    auto found = times.find(digest);
    return found != times.end() && found->second > border;
  };
  for (const std::string& repository :
       repositories()) {  // one repository at a time: requests wait for no longer than that
    state_->writer.with([&](Database& database) {
      Transaction change(database);
      std::set<std::string> named = named_blobs(database, repository);
      std::vector<std::string> unused;
      Statement rows =
          database.prepare("SELECT digest FROM blobs WHERE repository = ? AND linked < ?");
      rows.bind(repository, to_millis(border));
      while (rows.step()) {
        if (!named.contains(rows.get_text(0))) unused.push_back(rows.get_text(0));
      }
      rows.reset();
      state_->touched.read([&](const auto& times) {  // held until it is committed: see blob_size()
        std::uint64_t freed = 0;
        for (const std::string& digest : unused) {
          if (was_touched(times, digest)) continue;
          freed += State::unlink_blob(database, repository, digest).value_or(0);
        }
        change.commit();
        state_->bytes -= freed;
      });
    });
  }
  for (const Digest& digest : state_->blobs.blobs()) {
    state_->writer.with([&](Database& database) {
      if (database.prepare("SELECT 1 FROM blobs WHERE digest = ?").bind(digest.str()).step())
        return;
      std::uint64_t size = state_->blobs.size(digest).value_or(0);
      if (!state_->blobs.remove(digest)) return;
      ++collected.blobs;
      collected.bytes += size;
    });
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(border.time_since_epoch());
  for (const auto& [repository, id] : state_->upload_names()) {
    struct stat info {};
    bool is_idle = ::stat((state_->uploads_of(repository) / id).c_str(), &info) == 0 &&
                   info.st_mtim.tv_sec <= seconds.count();
    if (is_idle && state_->cancel(repository, id)) ++collected.uploads;
  }
  state_->touched.with([&](auto& times) {
    std::erase_if(times, [&](const auto& entry) { return entry.second < border; });
  });
  return collected;
}

}  // namespace slipway::oci
