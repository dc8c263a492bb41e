// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "formats/json.hpp"

namespace slipway::deploy {

/// One thing that a release would change.
struct Change {
  std::string place;               ///< "backend.image", "backend.environment.DEBUG", "cpu"
  std::string before;              ///< empty: it was not there
  std::string after;               ///< empty: it will not be there
  std::vector<std::string> notes;  ///< what more is known of it: "3 of 9 layers are new, 1.2 MB"
  formats::Json details;           ///< the same as members for to_json(); null: nothing
  bool operator==(const Change&) const = default;
};

/// What a task definition to be registered changes of the one that runs. Containers, variables, secrets, ports and mounts are
/// compared by their names, not their order; what the cloud adds by itself is no change. Of secrets only names and where they come
/// from are seen, never values.
///   before  as DescribeTaskDefinition tells it; null: nothing runs
std::vector<Change> compare(const formats::Json& before, const formats::Json& after);
/// Lines of a kind that people know: "~ backend.image: a → b", "+ backend.environment.X: 1", "- …".
std::string to_text(const std::vector<Change>& changes);
formats::Json to_json(const std::vector<Change>& changes);

}  // namespace slipway::deploy
