// SPDX-License-Identifier: Apache-2.0
#include "cloud/ec2/security_groups.hpp"

#include <doctest/doctest.h>

using namespace slipway;
using namespace slipway::cloud;
using namespace slipway::cloud::ec2;

namespace {

const Scope kScope{"123456789012", "us-east-1"};

Json permission(const std::string& protocol, int from, int to, const std::string& cidr,
                const std::string& group) {
  Json out = Json::object({{"ipProtocol", protocol},
                           {"fromPort", from},
                           {"toPort", to},
                           {"ipRanges", Json::array()},
                           {"groups", Json::array()}});
  if (!cidr.empty()) out["ipRanges"].push_back(Json::object({{"cidrIp", cidr}}));
  if (!group.empty()) out["groups"].push_back(Json::object({{"groupId", group}}));
  return out;
}

std::map<std::string, Json> groups() {
  auto one = [](const std::string& name, Json in, Json out) {
    return Json::object({{"groupName", name},
                         {"vpcId", "vpc-1"},
                         {"ipPermissions", Json::array({std::move(in)})},
                         {"ipPermissionsEgress", Json::array({std::move(out)})}});
  };
  Json all = permission("-1", -1, -1, "0.0.0.0/0", "");
  return {{"sg-d", one("default", permission("-1", -1, -1, "", "sg-d"), all)},
          {"sg-lb", one("lb", permission("tcp", 80, 80, "0.0.0.0/0", ""), all)},
          {"sg-app", one("app", permission("6", 8000, 8001, "172.31.0.0/16", "sg-lb"), all)},
          {"sg-six", one("six", permission("icmpv6", -1, -1, "0.0.0.0/0", ""),
                         permission("icmp", 3, 4, "0.0.0.0/0", ""))}};
}

std::map<std::string, Json> subnets() {
  return {{"subnet-a", Json::object({{"vpcId", "vpc-1"}, {"cidrBlock", "172.31.0.0/20"}})},
          {"subnet-x", Json::object({{"vpcId", "vpc-2"}, {"cidrBlock", "172.31.0.0/20"}})}};
}

}  // namespace

TEST_CASE(
    "a rule that names a group lets in what has the group, balancers by this machine's address") {
  auto filter = security_filter({{"10.0.0.5", {kScope, {"sg-app"}, "subnet-a"}},
                                 {"10.0.0.2", {kScope, {"sg-lb"}, "subnet-a", true}}},
                                groups(), subnets(), "10.0.0.1");
  CHECK(filter.sets.at("sg_lb") == std::set<std::string>{"10.0.0.1", "10.0.0.2"});
  CHECK(filter.sets.at("sg_app") == std::set<std::string>{"10.0.0.5"});
  CHECK(filter.sets.at("subnet_a") == std::set<std::string>{"10.0.0.2", "10.0.0.5"});
  const auto& in = filter.policies.at(filter.members.at("10.0.0.5")).in;
  REQUIRE(in.size() == 1);
  // The VPC's range stands for the tasks of its subnets, and only of its.
  CHECK(in[0] ==
        container::FilterRule{"tcp", 8000, 8001, {"172.31.0.0/16"}, {"subnet_a", "sg_lb"}});
}

TEST_CASE("without a group an interface has its VPC's default one") {
  auto filter =
      security_filter({{"10.0.0.5", {kScope, {}, "subnet-a"}}}, groups(), subnets(), "10.0.0.1");
  CHECK(filter.sets.at("sg_d") == std::set<std::string>{"10.0.0.5"});
  const auto& policy = filter.policies.at(filter.members.at("10.0.0.5"));
  CHECK(policy.in[0].sets == std::vector<std::string>{"sg_d"});
  CHECK(policy.out[0].ranges == std::vector<std::string>{"0.0.0.0/0"});
}

TEST_CASE("rules for what begins no connection here let nothing begin") {
  auto filter = security_filter({{"10.0.0.5", {kScope, {"sg-six"}, "subnet-a"}}}, groups(),
                                subnets(), "10.0.0.1");
  const auto& policy = filter.policies.at(filter.members.at("10.0.0.5"));
  CHECK(policy.in.empty());
  CHECK(policy.out.empty());
}
