// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"

namespace slipway {

std::string to_string(const Diagnostic& diagnostic) {
  std::string out = diagnostic.file;
  if (diagnostic.line > 0) {
    out += out.empty() ? "line " : ":";
    out += std::to_string(diagnostic.line);
    if (diagnostic.column > 0) out += ":" + std::to_string(diagnostic.column);
  }
  return out.empty() ? diagnostic.message : out + ": " + diagnostic.message;
}

void throw_diagnostics(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const auto& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += to_string(diagnostic);
  }
  throw Error(Fault::bad_input, text);
}

}  // namespace slipway
