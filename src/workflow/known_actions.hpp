// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace slipway::workflow {

/// What an action that many workflows use takes and gives, over all its versions that still run.
struct KnownAction {
  std::string name;  ///< "actions/checkout", "actions/cache/save"; lower case
  std::vector<std::string> inputs;
  std::vector<std::string> required;
  std::vector<std::string> outputs;
  bool any_output = false;  ///< gives outputs that its inputs name
  int oldest = 0;           ///< the first major version that GitHub still runs; 0: all
};

/// The action that `uses:` names, whatever its version; nullptr for those that are not known here.
const KnownAction* known_action(std::string_view uses);
/// The repository ("owner/name") of a known action whose name is one slip away from `repository`; "" when there is none.
std::string nearest_known_action(std::string_view repository);

}  // namespace slipway::workflow
