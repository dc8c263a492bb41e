// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "formats/io.hpp"

namespace slipway::formats {

/// The uncompressed bytes of a file that bzip2, xz or another filter of libarchive made.
class UnfilterReader final : public Reader {
 public:
  /// throws Error{bad_input} when no filter knows the file; read() throws it for a damaged one
  explicit UnfilterReader(const std::string& path);
  ~UnfilterReader() override;
  std::size_t read(std::span<char> into) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::formats
