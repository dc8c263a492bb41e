// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "deploy/check.hpp"
#include "deploy/ecr_image.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// Whether a rule is about images with this tag; those without any are no release's.
// source  Amazon ECR user guide, "Lifecycle policy properties": all of a rule's prefixes and patterns must fit
bool is_about(const Json& selection, const std::string& tag) {
  std::string status = selection.get_string("tagStatus");
  if (status == "any") return true;
  if (status != "tagged") return false;
  const auto& prefixes = selection.get_array("tagPrefixList");
  const auto& patterns = selection.get_array("tagPatternList");
  return std::all_of(prefixes.begin(), prefixes.end(),
                     [&](const Json& one) { return tag.starts_with(one.as_string()); }) &&
         std::all_of(patterns.begin(), patterns.end(),
                     [&](const Json& one) { return matches_wildcard(one.as_string(), tag); });
}

std::string told(const Json& rule) {
  const Json& selection = rule.at("selection");
  auto count = selection.get_int("countNumber");
  return selection.get_string("countType") == "imageCountMoreThan"
             ? fmt::format("all but the newest {}", count)
             : fmt::format("those pushed more than {} {} ago", count,
                           selection.get_string("countUnit", "days"));
}

}  // namespace

std::vector<Finding> check_lifecycle(Calls& calls, const std::vector<Candidate>& candidates,
                                     const std::stop_token& stop) {
  std::vector<Finding> findings;
  std::set<std::string> seen;
  for (const auto& candidate : candidates) {
    for (const auto& released : candidate.images) {
      auto image = parse_ecr_image(released.reference);
      if (!image || image->tag.empty() || !seen.insert(image->repository).second) continue;
      std::string what = "lifecycle policy of " + image->repository;
      auto answer = calls.call(
          "ecr", "GetLifecyclePolicy",
          Json::object({{"registryId", image->account}, {"repositoryName", image->repository}}),
          stop);
      if (const auto* error = answer.error()) {
        if (error->code.find("Denied") != std::string::npos)
          findings.push_back({Finding::State::skipped, what, error->message,
                              "give this user ecr:GetLifecyclePolicy"});
        continue;  // there is none, or no such repository
      }
      Json policy =
          formats::parse_json(answer.value().get_string("lifecyclePolicyText"), "lifecycle policy");
      for (const auto& rule : policy.get_array("rules")) {
        const Json* action = rule.find("action");
        if (!action || action->get_string("type") != "expire" ||
            !is_about(rule.at("selection"), image->tag))
          continue;
        findings.push_back(
            {Finding::State::warned, what,
             fmt::format("its rule {} expires images with tags like {}: {}; a rollback to one of "
                         "those finds no image",
                         rule.get_int("rulePriority"), image->tag, told(rule)),
             "keep as many as you may want to go back to"});
      }
    }
  }
  return findings;
}

}  // namespace slipway::deploy
