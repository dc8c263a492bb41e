// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace slipway::cli {

/// One thing that this machine needs.
struct Check {
  std::string name;
  bool ok = false;
  bool is_needed = true;  ///< without it `up` cannot work
  std::string sentence;   ///< what was found, or what is wrong
  std::string command;    ///< what mends it; empty when nothing is to be mended or no command can
};

/// Looks at this machine; changes nothing.
std::vector<Check> check_machine();

/// throws Error{unavailable} with the sentence and command of every needed check that failed
void require_machine();

}  // namespace slipway::cli
