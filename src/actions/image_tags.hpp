// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace slipway::actions {

/// What tags are made from.
struct TagFacts {
  std::string event;  ///< "push", "schedule", "pull_request"
  std::string ref;    ///< full
  std::string sha;
  std::string default_branch;
  std::string pull_number;  ///< of a pull request
  std::string base_ref;     ///< short
  std::string now;          ///< ISO 8601
};

struct ImageTags {
  std::vector<std::string> tags;  ///< most important first, without the image's name
  std::string version;            ///< the first of them but for "latest"; empty when there is none
};

/// The tags of docker/metadata-action's `tags` and `flavor` inputs.
///   rules    "type=ref,event=branch", "type=semver,pattern={{version}}", "type=raw,value=x"; none: the action's own four
///   flavor   "latest=auto", "prefix=x,onlatest=true", "suffix=x"
///   throws   Error{bad_input} naming a rule that is none; Error{unsupported} for type=pep440 and placeholders not known here
///   source   docker/metadata-action v5, README "tags input" and src/meta.ts
ImageTags image_tags(const std::vector<std::string>& rules, const std::vector<std::string>& flavor,
                     const TagFacts& facts);

}  // namespace slipway::actions
