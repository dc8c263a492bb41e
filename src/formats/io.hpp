// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace slipway::formats {

/// Where bytes come from. One user at a time.
class Reader {
 public:
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;
  /// Fills the front of `into` (not empty); 0 only at the end, fewer than asked at any time.
  ///   throws  Error{unavailable} when the source breaks, Error{bad_input} when its format does
  virtual std::size_t read(std::span<char> into) = 0;
};

/// Where bytes go. One user at a time.
class Writer {
 public:
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  virtual ~Writer() = default;
  /// Takes all of `bytes`. throws Error{unavailable}
  virtual void write(std::string_view bytes) = 0;
};

/// Reads a text that it borrows.
class MemoryReader final : public Reader {
 public:
  explicit MemoryReader(std::string_view bytes) : rest_(bytes) {}
  std::size_t read(std::span<char> into) override;
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Reads a descriptor that it borrows, from where that stands.
class FdReader final : public Reader {
 public:
  explicit FdReader(int fd) : fd_(fd) {}
  std::size_t read(std::span<char> into) override;

 private:
  int fd_;
};

/// Reads a part of a file with pread: the descriptor's own position is neither used nor moved.
class FileRangeReader final : public Reader {
 public:
  /// `fd` is borrowed; bytes [offset, offset + length).
  FileRangeReader(int fd, std::uint64_t offset, std::uint64_t length)
      : fd_(fd), offset_(offset), left_(length) {}
  /// throws Error{unavailable} when the file ends before the range does
  std::size_t read(std::span<char> into) override;

 private:
  int fd_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

/// At most `limit` bytes of another reader.
class LimitedReader final : public Reader {
 public:
  LimitedReader(Reader& source, std::uint64_t limit) : source_(source), left_(limit) {}
  std::size_t read(std::span<char> into) override;
  [[nodiscard]] std::uint64_t left() const { return left_; }

 private:
  Reader& source_;
  std::uint64_t left_;
};

/// Collects into a string.
class StringWriter final : public Writer {
 public:
  void write(std::string_view bytes) override { text_ += bytes; }
  [[nodiscard]] const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Writes to a descriptor that it borrows.
class FdWriter final : public Writer {
 public:
  explicit FdWriter(int fd) : fd_(fd) {}
  void write(std::string_view bytes) override;

 private:
  int fd_;
};

/// Counts and drops.
class CountingWriter final : public Writer {
 public:
  void write(std::string_view bytes) override { count_ += bytes.size(); }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::uint64_t count_ = 0;
};

/// Gives the same bytes to two writers, the first one first.
class TeeWriter final : public Writer {
 public:
  TeeWriter(Writer& first, Writer& second) : first_(first), second_(second) {}
  void write(std::string_view bytes) override {
    first_.write(bytes);
    second_.write(bytes);
  }

 private:
  Writer& first_;
  Writer& second_;
};

/// Moves everything, in pieces of 256 KiB; returns how many bytes.
std::uint64_t copy_all(Reader& from, Writer& to);
/// Everything as a string. throws Error{bad_input} when there are more than `limit` bytes
std::string read_all(Reader& from, std::uint64_t limit = std::uint64_t{1} << 30);
/// Fills `into` as far as the source goes; returns less than its size only at the end.
std::size_t read_fully(Reader& from, std::span<char> into);

}  // namespace slipway::formats
