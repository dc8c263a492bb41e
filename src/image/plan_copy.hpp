// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "image/graph.hpp"

namespace slipway::image {

/// What a COPY or ADD is read with.
struct CopySurroundings {
  std::string cwd;  ///< the image's working directory; "" is /
  /// Variables, and quotes unless they are ordinary characters.
  std::function<std::string(std::string_view text, bool no_quotes)> expanded;
};

struct PlannedCopy {
  CopyOp op;               ///< `from` is the caller's to fill
  std::string created_by;  ///< for the history
  std::vector<std::string> errors;
};

/// Expands a COPY or ADD, whose form check_instruction() found good. Pure but for `expanded`.
///   source  moby/buildkit frontend/dockerfile/dockerfile2llb/convert_copy.go
PlannedCopy plan_copy(const Instruction& instruction, const CopySurroundings& around);

}  // namespace slipway::image
