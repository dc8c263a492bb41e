// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecr/lifecycle.hpp"

#include <doctest/doctest.h>

namespace slipway::cloud::ecr {
namespace {

constexpr Time kNow{std::chrono::hours(24 * 1000)};

LifecycleImage image(std::string digest, std::vector<std::string> tags, int days_old,
                     std::vector<std::string> parents = {}) {
  return {std::move(digest), std::move(tags), kNow - std::chrono::hours(24 * days_old),
          std::move(parents)};
}

std::string going(const char* policy, const std::vector<LifecycleImage>& images) {
  std::string out;
  for (const auto& one : expired(formats::parse_json(policy), images, kNow))
    out += fmt::format("{}:{} ", one.digest, one.rule_priority);
  return out;
}

}  // namespace

TEST_CASE("all but the newest images go, and older than so many days") {
  std::vector<LifecycleImage> images = {image("a", {"1"}, 3), image("b", {}, 2),
                                        image("c", {"2"}, 1)};
  CHECK(
      going(
          R"({"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1}}]})",
          images) == "b:1 a:1 ");
  CHECK(
      going(
          R"({"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1}}]})",
          images) == "b:1 ");
}

TEST_CASE("an image that a rule selects is out of reach of the rules after it") {
  std::vector<LifecycleImage> images = {image("p1", {"prod-1"}, 9), image("p2", {"prod-2"}, 8),
                                        image("x", {"x"}, 7)};
  CHECK(going(R"({"rules":[
    {"rulePriority":2,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1}},
    {"rulePriority":1,"selection":{"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":1}}]})",
              images) == "x:2 p1:1 ");
}

TEST_CASE("patterns need every one of them to fit; what an index lists goes with the index") {
  std::vector<LifecycleImage> images = {image("i", {"v1-linux"}, 5), image("child", {}, 6, {"i"}),
                                        image("k", {"v2"}, 5)};
  CHECK(
      going(
          R"({"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1}}]})",
          images)
          .empty());
  CHECK(
      going(
          R"({"rules":[{"rulePriority":3,"selection":{"tagStatus":"tagged","tagPatternList":["v*","*linux"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1}}]})",
          images) == "i:3 child:3 ");
}

}  // namespace slipway::cloud::ecr
