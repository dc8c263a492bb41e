// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "deploy/check.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// A route table's way to the internet.
enum class WayOut { none, internet_gateway, other };

WayOut way_out_of(const Json& table) {
  for (const auto& route : aws::items_of(table, "routeSet")) {
    if (route.get_string("destinationCidrBlock") != "0.0.0.0/0") continue;
    if (route.get_string("state") == "blackhole") continue;
    return route.get_string("gatewayId").starts_with("igw-") ? WayOut::internet_gateway
                                                             : WayOut::other;
  }
  return WayOut::none;
}

class NetworkCheck final {
 public:
  NetworkCheck(Calls& calls, std::string service, const Json& configuration,
               const std::stop_token& stop)
      : calls_(calls), service_(std::move(service)), given_(configuration), stop_(stop) {}

  std::vector<Finding> run() {
    subnets();
    security_groups();
    return std::move(findings_);
  }

 private:
  void ok(const std::string& what) {
    findings_.push_back({Finding::State::ok, fmt::format("{}: {}", service_, what), "", ""});
  }
  void bad(const std::string& what, const std::string& message, const std::string& mend) {
    findings_.push_back(
        {Finding::State::missing, fmt::format("{}: {}", service_, what), message, mend});
  }

  Json ask(const char* operation, const char* filter, const std::string& value) {
    Json filters = Json::array({Json::object({{"Name", filter}, {"Value", Json::array({value})}})});
    return calls_.call("ec2", operation, Json::object({{"Filter", filters}}), stop_).value();
  }

  void subnets() {
    Json ids = Json::array();
    for (const auto& id : given_.get_array("subnets")) ids.push_back(id);
    auto answer = calls_.call("ec2", "DescribeSubnets", Json::object({{"SubnetId", ids}}), stop_);
    if (const auto* error = answer.error())
      return bad("subnets", error->message, "update the service's network configuration");
    ok(fmt::format("{} subnets", ids.size()));
    std::map<std::string, std::vector<std::string>> by_vpc;
    for (const auto& subnet : aws::items_of(answer.value(), "subnetSet"))
      by_vpc[subnet.get_string("vpcId")].push_back(subnet.get_string("subnetId"));
    for (const auto& [vpc, all] : by_vpc) routes(vpc, all);
  }

  void routes(const std::string& vpc, const std::vector<std::string>& subnets) {
    Json tables = ask("DescribeRouteTables", "vpc-id", vpc);
    std::map<std::string, WayOut> by_subnet;
    WayOut main = WayOut::none;
    for (const auto& table : aws::items_of(tables, "routeTableSet")) {
      for (const auto& association : aws::items_of(table, "associationSet")) {
        if (association.get_string("main") == "true") main = way_out_of(table);
        if (auto id = association.get_string("subnetId"); !id.empty())
          by_subnet[id] = way_out_of(table);
      }
    }
    bool is_public = given_.get_string("assignPublicIp") == "ENABLED";
    std::vector<std::string> cut_off;
    for (const auto& subnet : subnets) {
      auto own = by_subnet.find(subnet);
      WayOut way = own == by_subnet.end() ? main : own->second;
      bool gets_out = way == WayOut::other || (way == WayOut::internet_gateway && is_public);
      if (!gets_out) cut_off.push_back(subnet);
    }
    if (cut_off.empty()) return ok("its tasks reach ECR from every subnet");
    if (has_endpoints(vpc)) return ok("its tasks reach ECR by VPC endpoints");
    bad(fmt::format("routes of {}", join(cut_off, ", ")),
        is_public ? "no route leads out, and the VPC has no endpoints for ECR and S3: tasks cannot "
                    "pull their images"
                  : "tasks without a public address do not get out by an internet gateway, and the "
                    "VPC has no endpoints for ECR and S3: they cannot pull their images",
        "set assignPublicIp to ENABLED, route 0.0.0.0/0 to a NAT gateway, or make VPC endpoints "
        "for ecr.api, ecr.dkr, s3 and logs");
  }

  // source  Amazon ECR user guide, "Interface VPC endpoints", "Considerations for Amazon ECS"
  bool has_endpoints(const std::string& vpc) {
    auto found = aws::items_of(ask("DescribeVpcEndpoints", "vpc-id", vpc), "vpcEndpointSet");
    constexpr std::array kNeeded = {".ecr.api", ".ecr.dkr", ".s3"};
    return std::all_of(kNeeded.begin(), kNeeded.end(), [&](const char* end) {
      return std::any_of(found.begin(), found.end(), [&](const Json& endpoint) {
        return endpoint.get_string("serviceName").ends_with(end);
      });
    });
  }

  void security_groups() {
    Json groups = Json::array();
    for (const auto& id : given_.get_array("securityGroups")) groups.push_back(id);
    if (groups.empty()) return;
    auto found =
        calls_.call("ec2", "DescribeSecurityGroups", Json::object({{"GroupId", groups}}), stop_);
    if (const auto* error = found.error())
      return bad("security groups", error->message, "update the service's network configuration");
    ok(fmt::format("{} security groups", groups.size()));
  }

  Calls& calls_;
  std::string service_;
  const Json& given_;
  const std::stop_token& stop_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_network(Calls& calls, const std::string& service,
                                   const Json& configuration, const std::stop_token& stop) {
  return NetworkCheck(calls, service, configuration, stop).run();
}

}  // namespace slipway::deploy
