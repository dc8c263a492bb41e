// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/lifecycle.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "cloud/iam/policy.hpp"

namespace slipway::cloud::ecr {
namespace {

using Images = std::vector<const LifecycleImage*>;

// Every prefix and every pattern must fit one of the image's tags.
bool has_tags(const LifecycleImage& image, const Json& selection) {
  auto fits_one = [&](auto&& fits) {
    return std::any_of(image.tags.begin(), image.tags.end(), fits);
  };
  for (const auto& prefix : selection.get_array("tagPrefixList")) {
    if (!fits_one([&](const std::string& tag) { return tag.starts_with(prefix.as_string()); }))
      return false;
  }
  for (const auto& pattern : selection.get_array("tagPatternList")) {
    if (!fits_one(
            [&](const std::string& tag) { return iam::matches_pattern(pattern.as_string(), tag); }))
      return false;
  }
  return true;
}

bool selects(const Json& selection, const LifecycleImage& image) {
  auto status = selection.get_string("tagStatus");
  if (status == "any") return true;
  return status == "untagged" ? image.tags.empty()
                              : !image.tags.empty() && has_tags(image, selection);
}

// Of the selected images, newest first, those that the count lets go.
Images beyond(const Json& selection, const Images& selected, Time now) {
  auto count = selection.get_int("countNumber");
  Images out;
  for (std::size_t i = 0; i < selected.size(); ++i) {
    bool goes = selection.get_string("countType") == "imageCountMoreThan"
                    ? static_cast<std::int64_t>(i) >= count
                    : selected[i]->pushed < now - std::chrono::hours(24 * count);
    if (goes) out.push_back(selected[i]);
  }
  return out;
}

}  // namespace

std::vector<Expiry> expired(const Json& policy, const std::vector<LifecycleImage>& images,
                            Time now) {
  std::vector<const Json*> rules;
  for (const auto& rule : policy.get_array("rules")) rules.push_back(&rule);
  std::sort(rules.begin(), rules.end(), [](const Json* a, const Json* b) {
    return a->get_int("rulePriority") < b->get_int("rulePriority");
  });
  Images newest;
  for (const auto& image : images) newest.push_back(&image);
  std::stable_sort(
      newest.begin(), newest.end(),
      [](const LifecycleImage* a, const LifecycleImage* b) { return a->pushed > b->pushed; });
  std::set<std::string> taken;
  std::map<std::string, std::int64_t> going;
  for (const auto* rule : rules) {
    const Json& selection = rule->at("selection");
    Images selected;
    std::copy_if(newest.begin(), newest.end(), std::back_inserter(selected),
                 [&](const LifecycleImage* image) {
                   return image->parents.empty() && selects(selection, *image);
                 });
    for (const auto* image : beyond(selection, selected, now)) {
      if (!taken.contains(image->digest)) going[image->digest] = rule->get_int("rulePriority");
    }
    for (const auto* image : selected) taken.insert(image->digest);
  }
  std::vector<Expiry> out;
  for (const auto* image : newest) {
    auto found = going.find(image->digest);
    auto lasting = std::find_if(image->parents.begin(), image->parents.end(),
                                [&](const std::string& parent) { return !going.contains(parent); });
    if (found != going.end()) {
      out.push_back({image->digest, found->second});
    } else if (!image->parents.empty() && lasting == image->parents.end()) {
      out.push_back({image->digest, going.at(image->parents.front())});
    }
  }
  return out;
}

}  // namespace slipway::cloud::ecr
