// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/blob_store.hpp"
#include "oci/blob_writer_state.hpp"

namespace slipway::oci {
namespace {

constexpr std::uint64_t kFlushSpan =
    8u << 20;  // bytes between asking the kernel to begin writing to disk

}  // namespace

BlobWriter::State::State(BlobStore& its_store, std::string_view algorithm)
    : store(its_store),
      path(its_store.root() / "ingest" / fmt::format("{}-{}", ::getpid(), hex(random_bytes(8)))),
      file(os::open_file(path.string(), O_RDWR | O_CREAT | O_EXCL)),
      digester(algorithm) {
  // Held while we write: who can take it (collect_garbage) knows that the writer is gone.
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    os::throw_errno("locking '" + path.string() + "'");
}

BlobWriter::State::~State() {
  if (!is_committed) ::unlink(path.c_str());
}

BlobWriter::BlobWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobWriter::BlobWriter(BlobWriter&& other) noexcept : state_(std::move(other.state_)) {}
BlobWriter::~BlobWriter() = default;

std::uint64_t BlobWriter::size() const { return state_->size; }
Digest BlobWriter::digest() const { return state_->digester.digest(); }
int BlobWriter::fd() const { return state_->file.get(); }

void BlobWriter::write(std::string_view bytes) {
  os::write_all(state_->file.get(), bytes);
  state_->digester.update(bytes);
  state_->size += bytes.size();
  if (state_->size - state_->flushed >=
      kFlushSpan) {  // so that the fsync at the end has little left to do
    ::sync_file_range(state_->file.get(), static_cast<off64_t>(state_->flushed),
                      static_cast<off64_t>(state_->size - state_->flushed), SYNC_FILE_RANGE_WRITE);
    state_->flushed = state_->size;
  }
}

Digest BlobWriter::commit(const std::optional<Digest>& expected) {
  Digest actual = digest();
  if (expected && *expected != actual) {
    fail(Fault::bad_input, "the content is {}, not {}", actual, *expected);
  }
  if (state_->store.has(actual)) {
    os::sync_directory(
        state_->store.path_of(actual).parent_path());  // another writer may not have come to it yet
    return actual;
  }
  if (::fsync(state_->file.get()) != 0) os::throw_errno("fsync '" + state_->path.string() + "'");
  state_->store.publish(state_->path, actual);
  state_->is_committed = true;
  ::flock(state_->file.get(), LOCK_UN);
  return actual;
}

}  // namespace slipway::oci
