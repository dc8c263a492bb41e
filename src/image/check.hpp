// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "image/dockerignore.hpp"
#include "image/graph.hpp"

namespace slipway::image {

/// `# check=skip=RuleA,RuleB;error=true;experimental=all`, or the same in the build argument BUILDKIT_DOCKERFILE_CHECK.
struct CheckSettings {
  bool skips_all = false;
  std::set<std::string> skipped;
  bool is_error = false;  ///< findings fail the build
  bool all_experiments = false;
  std::set<std::string> experiments;
};
CheckSettings read_check_settings(std::string_view text);

/// Checks a Dockerfile by the rules of BuildKit that need no base image; in the order of their lines.
///   ignore  of the build context; may be nullptr
///   source  moby/buildkit frontend/dockerfile/linter/ruleset.go and docs/rules
std::vector<Finding> check_dockerfile(const Dockerfile& dockerfile, std::string_view text,
                                      const Arguments& arguments, const IgnoreMatcher* ignore);
/// Takes away what the settings skip.
std::vector<Finding> without_skipped(std::vector<Finding> findings, const CheckSettings& settings);
/// Where a rule is explained.
std::string rule_address(std::string_view rule);

}  // namespace slipway::image
