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
/// throws Error{bad_input} for an option that is none
CheckSettings read_check_settings(std::string_view text);
/// The settings of a `# check=` line: what stands behind a space is a comment.
std::string_view check_directive(std::string_view value);

/// Checks a Dockerfile by the rules of BuildKit that need no values of variables; in the order of their lines. The others are of
/// plan_stage() and check_copies().
///   source  moby/buildkit frontend/dockerfile/linter/ruleset.go and docs/rules
std::vector<Finding> check_dockerfile(const Dockerfile& dockerfile, std::string_view text,
                                      const Arguments& arguments);
/// Finds what is copied from the build context and left out of it.
///   ignore  of the build context
std::vector<Finding> check_copies(const PlannedStage& stage, const IgnoreMatcher& ignore);
/// Takes away what the settings skip, and those in the comment above an instruction what is found in it.
std::vector<Finding> without_skipped(std::vector<Finding> findings, const CheckSettings& settings,
                                     const Dockerfile& dockerfile);
/// Where a rule is explained; "" when it is nowhere.
std::string rule_address(std::string_view rule);
/// What a rule asks for, in BuildKit's words.
std::string_view rule_description(std::string_view rule);

}  // namespace slipway::image
