// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/guarded.hpp"
#include "formats/io.hpp"
#include "oci/digest.hpp"
#include "os/fd.hpp"

namespace slipway::oci {

/// A blob while it is being written, for those who take its bytes as they come.
///   threads  one writes; any follow
class BlobProgress final {
 public:
  /// fd  of the file that is written, borrowed: a descriptor of its own is made. throws Error{unavailable}
  explicit BlobProgress(int fd);

  /// The writer's side: more bytes are in the file; all are, and this is their digest; it is given up.
  void add(std::uint64_t bytes);
  void finish(const Digest& digest);
  void abandon();

  /// Waits until at least so many bytes are there. False when the blob is over with less; throws Cancelled
  bool wait_for(std::uint64_t bytes, const std::stop_token& stop);
  /// Waits until more than `at` bytes are there or the blob is whole; returns how many are. throws Error{unavailable} when it was given
  /// up before; Cancelled
  std::uint64_t wait_beyond(std::uint64_t at, const std::stop_token& stop);
  /// The file that is written.
  [[nodiscard]] int fd() const { return file_.get(); }
  /// Once it is whole.
  [[nodiscard]] std::optional<Digest> digest() const;

 private:
  struct State {
    std::uint64_t bytes = 0;
    bool is_over = false;
    std::optional<Digest> digest;  // of a whole one
  };
  os::Fd file_;
  Guarded<State> state_;
};

/// A blob's bytes as they are written.
class FollowingReader final : public formats::Reader {
 public:
  FollowingReader(BlobProgress& blob, std::stop_token stop) : blob_(blob), stop_(std::move(stop)) {}
  /// throws  as BlobProgress::wait_beyond()
  std::size_t read(std::span<char> into) override;

 private:
  BlobProgress& blob_;
  std::stop_token stop_;
  std::uint64_t at_ = 0;
  std::uint64_t known_ = 0;
};

/// Passes a blob's bytes on and tells of them; abandons the blob unless finish() was called.
class ToldWriter final : public formats::Writer {
 public:
  ToldWriter(formats::Writer& next, std::shared_ptr<BlobProgress> progress)
      : next_(next), progress_(std::move(progress)) {}
  ToldWriter(const ToldWriter&) = delete;
  ToldWriter& operator=(const ToldWriter&) = delete;
  ~ToldWriter() override { progress_->abandon(); }
  void write(std::string_view bytes) override {
    next_.write(bytes);
    progress_->add(bytes.size());
  }

 private:
  formats::Writer& next_;
  std::shared_ptr<BlobProgress> progress_;
};

}  // namespace slipway::oci
