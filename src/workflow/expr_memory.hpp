// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "workflow/value.hpp"

namespace slipway::workflow {

inline constexpr std::size_t kObjectBytes = 24;
inline constexpr std::size_t kPointerBytes = 8;
/// What GitHub counts for a string: 26 and 2 a UTF-16 unit.
std::size_t counted_bytes(std::string_view text);
std::size_t counted_bytes_of(const Value& value);

/// GitHub's bound on what an evaluation holds at a time: results are counted at their depth in the tree, and given back
/// when a result above them is known to hold nothing of theirs.
///   throws  Error{failed} from every add() past the bound
///   source  runner, src/Sdk/Expressions/Sdk/EvaluationMemory.cs
class EvaluationMemory final {
 public:
  void add(std::size_t depth, std::size_t bytes, bool gives_back_deeper);

 private:
  std::vector<std::size_t> at_depth_;
  std::size_t total_ = 0;
};

/// The same bound for one function's result while it grows.
class ResultMemory final {
 public:
  void add(std::string_view text) { add(counted_bytes(text)); }
  void add(std::size_t bytes);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

}  // namespace slipway::workflow
