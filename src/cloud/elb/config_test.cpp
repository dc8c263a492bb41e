// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "cloud/elb/model.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

using namespace slipway;
using namespace slipway::cloud::elb;

namespace {

Model model_with_rules() {
  Model model;
  LoadBalancer balancer;
  balancer.arn = "lb";
  TargetGroup web;
  web.arn = "arn:tg/web";
  web.id = "web";
  TargetGroup api = web;
  api.arn = "arn:tg/api";
  api.id = "api";
  Listener listener;
  listener.arn = "arn:listener/x";
  listener.load_balancer_arn = "lb";
  listener.host_port = 18080;
  auto forward = [](const std::string& arn) {
    return Json::array({Json::object({{"Type", "forward"}, {"TargetGroupArn", arn}})});
  };
  Json path =
      Json::object({{"Field", "path-pattern"}, {"Values", Json::array({"/api/*", "/it's"})}});
  Json host = Json::object(
      {{"Field", "host-header"},
       {"HostHeaderConfig", Json::object({{"Values", Json::array({"*.example.com"})}})}});
  Json fixed = Json::array({Json::object(
      {{"Type", "fixed-response"},
       {"FixedResponseConfig", Json::object({{"StatusCode", "404"}, {"MessageBody", "no"}})}})});
  Json redirect = Json::array({Json::object(
      {{"Type", "redirect"},
       {"RedirectConfig", Json::object({{"Host", "example.org"}, {"StatusCode", "HTTP_301"}})}})});
  listener.rules = {{"r/1", 1, Json::array({path, host}), forward(api.arn)},
                    {"r/2", 2, Json::array({path}), fixed},
                    {"r/3", 3, Json::array({host}), redirect},
                    {"r/d", 0, Json::array(), forward(web.arn)}};
  model.balancers["lb"] = balancer;
  model.listeners[listener.arn] = listener;
  model.groups[web.arn] = web;
  model.groups[api.arn] = api;
  Target up{.group_arn = web.arn, .address = "10.0.0.1", .port = 3000, .state = "healthy"};
  Target starting{.group_arn = web.arn, .address = "10.0.0.2", .port = 3000};
  model.targets[up.key()] = up;
  model.targets[starting.key()] = starting;
  return model;
}

}  // namespace

TEST_CASE("haproxy itself accepts the configuration of listeners, rules and target groups") {
  if (!os::find_program("haproxy")) {
    MESSAGE("skipped: there is no haproxy here");
    return;
  }
  os::TempDir dir;
  os::write_file(dir.path() / "cfg",
                 haproxy_config(model_with_rules(), (dir.path() / "s").string()));
  auto check = os::capture({.argv = {"haproxy", "-c", "-f", (dir.path() / "cfg").string()}}, {},
                           Deadline::in(std::chrono::seconds(10)));
  INFO(check.err);
  CHECK(check.exit.ok());
  CHECK(check.err.find("WARNING") == std::string::npos);
}

TEST_CASE("a group without a healthy target sends to its unhealthy ones") {
  Model model = model_with_rules();
  Target bad{.group_arn = model.targets.begin()->second.group_arn,
             .address = "10.0.0.3",
             .port = 3000,
             .state = "unhealthy"};
  model.targets[bad.key()] = bad;
  CHECK_FALSE(is_served(model, bad));
  for (auto& [key, target] : model.targets) {
    if (target.state == "healthy") target.state = "unhealthy";
  }
  CHECK(is_served(model, bad));
  for (const auto& [key, target] : model.targets)
    CHECK(is_served(model, target) == (target.state == "unhealthy"));
}

TEST_CASE("only healthy targets take requests from the start") {
  std::string text = haproxy_config(model_with_rules(), "/s");
  CHECK(text.find("server t_10_0_0_1_3000 10.0.0.1:3000\n") != std::string::npos);
  CHECK(text.find("server t_10_0_0_2_3000 10.0.0.2:3000 disabled\n") != std::string::npos);
}

TEST_CASE("requests are shared between target groups by their weights") {
  Model model = model_with_rules();
  Json shares = Json::array({Json::object({{"TargetGroupArn", "arn:tg/web"}, {"Weight", "80"}}),
                             Json::object({{"TargetGroupArn", "arn:tg/api"}, {"Weight", 20}})});
  model.listeners.begin()->second.rules.back().actions = Json::array({Json::object(
      {{"Type", "forward"}, {"ForwardConfig", Json::object({{"TargetGroups", shares}})}})});
  std::string text = haproxy_config(model, "/s");
  CHECK(text.find("{ var(txn.dice) -m int lt 800 }\n") != std::string::npos);
  if (!os::find_program("haproxy")) return;
  os::TempDir dir;
  os::write_file(dir.path() / "cfg", text);
  auto check = os::capture({.argv = {"haproxy", "-c", "-f", (dir.path() / "cfg").string()}}, {},
                           Deadline::in(std::chrono::seconds(10)));
  INFO(check.err);
  CHECK(check.exit.ok());
  CHECK(check.err.find("WARNING") == std::string::npos);
}

TEST_CASE("HAProxy has every target but those that drain; the healthy ones get requests") {
  Model model = model_with_rules();
  auto add = [&](const std::string& address, const std::string& state) {
    Target target{.group_arn = "arn:tg/web", .address = address, .port = 8000, .state = state};
    model.targets[target.key()] = target;
  };
  model.targets.clear();
  add("10.0.0.1", "healthy");
  add("10.0.0.2", "unhealthy");
  add("10.0.0.3", "initial");
  add("10.0.0.4", "draining");
  auto servers = wanted_servers(model);
  CHECK(servers.size() == 3);
  CHECK(servers.at("group_web/t_10_0_0_1_8000") == ShownServer{"10.0.0.1:8000", true});
  CHECK_FALSE(servers.at("group_web/t_10_0_0_2_8000").is_ready);
  CHECK_FALSE(servers.at("group_web/t_10_0_0_3_8000").is_ready);
}

TEST_CASE("a matcher takes codes, lists and ranges") {
  CHECK(matches_status("200", 200));
  CHECK_FALSE(matches_status("200", 204));
  CHECK(matches_status("200-299", 204));
  CHECK(matches_status("200, 301", 301));
  CHECK_FALSE(matches_status("x", 200));
}
