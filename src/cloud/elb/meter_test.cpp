// SPDX-License-Identifier: Apache-2.0
#include "cloud/elb/meter.hpp"

#include <doctest/doctest.h>

#include "cloud/elb/api.hpp"

namespace slipway::cloud::elb {
namespace {

TEST_CASE("HAProxy's statistics are read by the names of their columns") {
  auto counts = read_counts(
      "# pxname,svname,stot,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,req_tot,rtime,\n"
      "group_1,10.0.0.2:80,9,9,0,0,0,,3,\n"
      "group_1,BACKEND,12,7,0,2,3,12,40,\n\nnonsense\n");
  REQUIRE(counts.size() == 1);
  CHECK(counts.at("group_1").requests == 12);
  CHECK(counts.at("group_1").answers.at("5XX") == 3);
  CHECK(counts.at("group_1").answer_ms == 40);
  CHECK(read_counts("").empty());
}

TEST_CASE("a meter tells what was new, and begins anew when the counts fell") {
  Model model;
  std::string group_arn = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/0123";
  TargetGroup group{.scope = {"1", "us-east-1"}, .arn = group_arn, .name = "web", .id = "0123"};
  model.groups[group_arn] = group;
  Rule rule;
  rule.actions = Json::array({Json::object({{"Type", "forward"}, {"TargetGroupArn", group_arn}})});
  Listener listener;
  listener.load_balancer_arn =
      "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/shop/4567";
  listener.rules.push_back(rule);
  model.listeners["l"] = listener;
  auto count = [&](double requests, double broken) {
    BackendCount counted{requests, {{"5XX", broken}}, 20};
    return std::map<std::string, BackendCount>{{backend_name(group), counted}};
  };
  auto value = [](const std::vector<Meter::Reading>& readings, const std::string& name) {
    for (const auto& one : readings) {
      if (one.metric.name == name) return one.datum.sum;
    }
    return -1.0;
  };
  Meter meter;
  auto first = meter.read(model, count(10, 1), 1);
  CHECK(value(first, "RequestCount") == 10);
  CHECK(first.front().metric.dimensions ==
        std::vector<std::pair<std::string, std::string>>{{"LoadBalancer", "app/shop/4567"},
                                                         {"TargetGroup", "targetgroup/web/0123"}});
  auto second = meter.read(model, count(25, 4), 2);
  CHECK(value(second, "RequestCount") == 15);
  CHECK(value(second, "HTTPCode_Target_5XX_Count") == 3);
  CHECK(value(meter.read(model, count(25, 4), 3), "RequestCount") == -1);
  CHECK(value(meter.read(model, count(2, 0), 4), "RequestCount") == 2);
}

}  // namespace
}  // namespace slipway::cloud::elb
