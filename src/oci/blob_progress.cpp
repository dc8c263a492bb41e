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

std::uint64_t BlobProgress::wait_beyond(std::uint64_t at, const std::stop_token& stop) {
  State now;
  bool met = state_.wait(
      stop, Deadline::never(),
      [&](const State& state) { return state.bytes > at || state.is_over; },
      [&](const State& state) { now = state; });
  if (!met) throw Cancelled();
  if (now.bytes <= at && !now.digest) fail(Fault::unavailable, "the layer did not come to its end");
  return now.bytes;
}

std::size_t FollowingReader::read(std::span<char> into) {
  if (at_ == known_) known_ = blob_.wait_beyond(at_, stop_);
  auto want = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), known_ - at_));
  if (want == 0) return 0;
  ssize_t count = ::pread(blob_.fd(), into.data(), want, static_cast<off_t>(at_));
  if (count <= 0) os::throw_errno("reading a layer");
  at_ += static_cast<std::uint64_t>(count);
  return static_cast<std::size_t>(count);
}

std::optional<Digest> BlobProgress::digest() const {
  return state_.read([](const State& state) { return state.digest; });
}

}  // namespace slipway::oci
