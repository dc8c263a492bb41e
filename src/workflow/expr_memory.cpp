// SPDX-License-Identifier: Apache-2.0
#include "workflow/expr_memory.hpp"

#include "base/error.hpp"
#include "workflow/expr.hpp"
#include "workflow/unicode.hpp"

namespace slipway::workflow {
namespace {

void check(std::size_t bytes) {
  if (bytes > kMaxExpressionMemory)
    fail(Fault::failed, "The maximum allowed memory size was exceeded");
}

}  // namespace

std::size_t counted_bytes(std::string_view text) { return 26 + 2 * utf16_length(text); }

std::size_t counted_bytes_of(const Value& value) {
  return value.is_string() ? counted_bytes(value.string()) : kObjectBytes;
}

void EvaluationMemory::add(std::size_t depth, std::size_t bytes, bool gives_back_deeper) {
  if (gives_back_deeper) {
    while (at_depth_.size() > depth + 1) {
      total_ -= at_depth_.back();
      at_depth_.pop_back();
    }
  }
  if (at_depth_.size() <= depth) at_depth_.resize(depth + 1);
  at_depth_[depth] += bytes;
  total_ += bytes;
  check(total_);
}

void ResultMemory::add(std::size_t bytes) {
  bytes_ += bytes;
  check(bytes_);
}

}  // namespace slipway::workflow
