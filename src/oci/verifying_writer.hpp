// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <exception>

#include "base/error.hpp"
#include "formats/io.hpp"
#include "oci/digest.hpp"
#include "oci/manifest.hpp"

namespace slipway::oci {

/// Passes a content on and checks that it is what a descriptor says: never more bytes than its
/// size, in the end its digest.
class VerifyingWriter final : public formats::Writer {
 public:
  VerifyingWriter(formats::Writer& next, const Descriptor& expected)
      : next_(next), expected_(expected), digester_(expected.digest.algorithm()) {}

  void write(std::string_view bytes) override {
    if (skip_ > 0) {
      std::uint64_t known = std::min<std::uint64_t>(skip_, bytes.size());
      skip_ -= known;
      bytes = bytes.substr(static_cast<std::size_t>(known));
    }
    if (bytes.size() > expected_.size - count_) {
      fail(Fault::bad_input, "blob {} is longer than the {} bytes it should have", expected_.digest,
           expected_.size);
    }
    digester_.update(bytes);
    count_ += bytes.size();
    try {
      next_.write(bytes);
    } catch (...) {
      refused_ = std::current_exception();
      throw;
    }
  }
  /// The next writer threw (a full disk, say): it does not help to begin anew.
  [[nodiscard]] bool is_refused() const { return refused_ != nullptr; }
  /// throws Error{bad_input} when it is not the content; what the next writer threw
  void check() const {
    if (refused_) std::rethrow_exception(refused_);
    if (count_ != expected_.size) {
      fail(Fault::bad_input, "blob {} has {} bytes, not the {} it should have", expected_.digest,
           count_, expected_.size);
    }
    if (digester_.digest() != expected_.digest)
      fail(Fault::bad_input, "blob {}: what came is {}", expected_.digest, digester_.digest());
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// The source starts anew: so many bytes are known already.
  void skip(std::uint64_t count) { skip_ = count; }

 private:
  formats::Writer& next_;
  const Descriptor& expected_;
  Digester digester_;
  std::uint64_t count_ = 0;
  std::uint64_t skip_ = 0;
  std::exception_ptr refused_;
};

}  // namespace slipway::oci
