// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "workflow/action.hpp"

namespace slipway::actions {

/// A language whose interpreter the machine has, in one or more versions.
struct Language {
  std::string name;     ///< "Node.js"
  std::string tool;     ///< its directory in the tool cache: "node", "Python"
  std::string program;  ///< below bin: "node"
  std::vector<std::string>
      candidates;  ///< other programs that may be it: "python3", "/usr/bin/python3"
};

struct Installed {
  std::string version;    ///< "20.11.1"
  std::string program;    ///< path inside the job
  std::string directory;  ///< of the program
};

/// The newest installed version that is in the range: of the tool cache (TOOL/VERSION/ARCH/bin), then of the programs in PATH.
///   throws  Error{not_found} that names what is there and what to do
Installed find_language(workflow::ActionContext& context, const Language& language,
                        const std::string& range);

/// "x64" or "arm64": this machine's, as the tool cache names it.
std::string tool_architecture();

}  // namespace slipway::actions
