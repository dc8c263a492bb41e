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
  /// Bytes from `offset` on, waiting for the first; 0 at the blob's end. throws Error{unavailable} when it was given up; Cancelled
  std::size_t read_at(std::uint64_t offset, std::span<char> into, const std::stop_token& stop);
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
