// SPDX-License-Identifier: Apache-2.0
#include "formats/io.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.hpp"
#include "base/reason.hpp"

namespace slipway::formats {

std::size_t MemoryReader::read(std::span<char> into) {
  std::size_t count = std::min(into.size(), rest_.size());
  std::copy_n(rest_.data(), count, into.data());
  rest_.remove_prefix(count);
  return count;
}

std::size_t FdReader::read(std::span<char> into) {
  for (;;) {
    ssize_t count = ::read(fd_, into.data(), into.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) fail(Fault::unavailable, "reading: {}", std::strerror(errno));
  }
}

std::size_t FileRangeReader::read(std::span<char> into) {
  if (left_ == 0) return 0;
  std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
  for (;;) {
    ssize_t count = ::pread(fd_, into.data(), wanted, static_cast<off_t>(offset_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(Fault::unavailable, "reading a file: {}", std::strerror(errno));
    if (count == 0)
      fail(Fault::unavailable, "a file is shorter than it was: {} bytes are missing", left_);
    offset_ += static_cast<std::uint64_t>(count);
    left_ -= static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }
}

std::size_t LimitedReader::read(std::span<char> into) {
  if (left_ == 0) return 0;
  std::size_t count = source_.read(
      into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_))));
  left_ -= count;
  return count;
}

void FdWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(Fault::unavailable, "writing: {}", reason_of(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::uint64_t copy_all(Reader& from, Writer& to) {
  std::vector<char> buffer(std::size_t{256} << 10);
  std::uint64_t total = 0;
  while (std::size_t count = from.read(buffer)) {
    to.write({buffer.data(), count});
    total += count;
  }
  return total;
}

std::string read_all(Reader& from, std::uint64_t limit) {
  std::string all;
  std::vector<char> buffer(std::size_t{64} << 10);
  while (std::size_t count = from.read(buffer)) {
    if (all.size() + count > limit) fail(Fault::bad_input, "more than {} bytes", limit);
    all.append(buffer.data(), count);
  }
  return all;
}

std::size_t read_fully(Reader& from, std::span<char> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    std::size_t count = from.read(into.subspan(filled));
    if (count == 0) break;
    filled += count;
  }
  return filled;
}

}  // namespace slipway::formats
