// SPDX-License-Identifier: Apache-2.0
#include "oci/blob_progress.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"

namespace slipway::oci {

BlobProgress::BlobProgress(int fd) : file_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)) {
  if (!file_.is_open()) os::throw_errno("following a blob");
}

void BlobProgress::add(std::uint64_t bytes) {
  state_.with([&](State& state) { state.bytes += bytes; });
}

void BlobProgress::finish(const Digest& digest) {
  state_.with([&](State& state) {
    state.is_over = true;
    state.digest = digest;
  });
}

void BlobProgress::abandon() {
  state_.with([](State& state) { state.is_over = true; });
}

bool BlobProgress::wait_for(std::uint64_t bytes, const std::stop_token& stop) {
  bool is_there = false;
  bool met = state_.wait(
      stop, Deadline::never(),
      [&](const State& state) { return state.is_over || state.bytes >= bytes; },
      [&](const State& state) { is_there = state.bytes >= bytes; });
  if (!met) throw Cancelled();
  return is_there;
}

std::size_t BlobProgress::read_at(std::uint64_t offset, std::span<char> into,
                                  const std::stop_token& stop) {
  bool is_there = wait_for(offset + 1, stop);
  State now = state_.read([](const State& state) { return state; });
  if (!is_there && !now.digest) fail(Fault::unavailable, "the blob was not finished");
  if (!is_there) return 0;
  auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), now.bytes - offset));
  ssize_t count = ::pread(file_.get(), into.data(), wanted, static_cast<off_t>(offset));
  if (count <= 0) os::throw_errno("reading a blob that is being written");
  return static_cast<std::size_t>(count);
}

std::optional<Digest> BlobProgress::digest() const {
  return state_.read([](const State& state) { return state.digest; });
}

}  // namespace slipway::oci
