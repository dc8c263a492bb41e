// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/elb/api.hpp"
#include "net/stream.hpp"

namespace slipway::cloud::elb {
namespace {

constexpr std::uint16_t kFirstHostPort = 8080;

Json describe(const Listener& l) {
  Json actions = Json::array();
  for (const auto& rule : l.rules) {
    if (rule.priority == 0) actions = rule.actions;
  }
  return Json::object({{"ListenerArn", l.arn},
                       {"LoadBalancerArn", l.load_balancer_arn},
                       {"Port", l.port},
                       {"Protocol", l.protocol},
                       {"DefaultActions", actions}});
}

// "…:listener/app/NAME/ID/LID" → "…:listener-rule/app/NAME/ID/LID/RID".
std::string new_rule_arn(const std::string& listener_arn) {
  return replace_all(listener_arn, ":listener/", ":listener-rule/") + "/" + new_id();
}

}  // namespace

Json describe(const Rule& rule) {
  return Json::object({{"RuleArn", rule.arn},
                       {"Priority", rule.priority == 0 ? "default" : std::to_string(rule.priority)},
                       {"Conditions", rule.conditions},
                       {"Actions", rule.actions},
                       {"IsDefault", rule.priority == 0}});
}

void check_actions(const Model& model, const Json& actions) {
  if (actions.empty()) refuse("ValidationError", "An action must be specified");
  for (const auto& action : actions.as_array()) {
    std::string type = action.get_string("Type");
    if (type != "forward" && type != "redirect" && type != "fixed-response") {
      refuse("ValidationError",
             "slipway: listener actions of type '" + type + "' are not supported yet");
    }
    std::string group = action.get_string("TargetGroupArn");
    std::vector<std::string> groups = {group};
    if (const Json* config = action.find("ForwardConfig")) {
      for (const auto& share : config->get_array("TargetGroups"))
        groups.push_back(share.get_string("TargetGroupArn"));
    }
    for (const auto& arn : groups) {
      if (!arn.empty() && !model.groups.contains(arn))
        refuse("TargetGroupNotFound", "Target groups '" + arn + "' not found");
    }
  }
}

void sort_rules(Listener& listener) {
  std::sort(listener.rules.begin(), listener.rules.end(), [](const Rule& a, const Rule& b) {
    return (a.priority == 0 ? INT32_MAX : a.priority) < (b.priority == 0 ? INT32_MAX : b.priority);
  });
}

// Where the host reaches a listener: its own port when it may be had, else the next free one from 8080 on.
std::uint16_t Elb::free_host_port(const Model& model, std::uint16_t wanted) {
  auto is_free = [&](std::uint16_t port) {
    for (const auto& [arn, listener] : model.listeners) {
      if (listener.host_port == port) return false;
    }
    try {
      net::listen_tcp(fmt::format("127.0.0.1:{}", port));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  if (wanted >= 1024 && is_free(wanted)) return wanted;
  for (std::uint16_t port = kFirstHostPort; port < 65535; ++port) {
    if (is_free(port)) return port;
  }
  fail(Fault::unavailable, "no free port on 127.0.0.1 for a listener");
}

Json Elb::create_listener(const Call& call) {
  Input in(call.input, "ValidationError");
  Listener listener;
  listener.scope = scope_of(call);
  listener.load_balancer_arn = in.text("LoadBalancerArn");
  listener.protocol = in.text_or("Protocol", "HTTP");
  auto port = in.integer_or("Port", 80);
  if (port < 1 || port > 65535) refuse("ValidationError", "Port must be between 1 and 65535");
  listener.port = static_cast<std::uint16_t>(port);
  if (listener.protocol == "HTTPS" || listener.protocol == "TLS") {
    refuse("UnsupportedProtocol", "slipway: listeners with the protocol '" + listener.protocol +
                                      "' are not supported yet: use HTTP");
  }
  Json actions = list_of(call, "DefaultActions");
  change(
      [&](Model& model, Tables& tables) {
        auto balancer = model.balancers.find(listener.load_balancer_arn);
        if (balancer == model.balancers.end())
          refuse("LoadBalancerNotFound", "One or more load balancers not found");
        for (const auto& [arn, other] : model.listeners) {
          if (other.load_balancer_arn == listener.load_balancer_arn &&
              other.port == listener.port) {
            refuse("DuplicateListener",
                   "A listener already exists on this port for this load balancer '" +
                       listener.load_balancer_arn + "'");
          }
        }
        check_actions(model, actions);
        listener.arn = replace_all(listener.load_balancer_arn, ":loadbalancer/", ":listener/") +
                       "/" + new_id();
        listener.host_port = free_host_port(model, listener.port);
        listener.rules.push_back({new_rule_arn(listener.arn), 0, Json::array(), actions});
        model.listeners[listener.arn] = listener;
        tables.put("elb.listener", listener.scope, listener.arn, to_json(listener));
        // Where a person's browser on this machine finds it.
        Json& tags = balancer->second.tags;
        std::erase_if(tags.as_array(),
                      [](const Json& tag) { return tag.get_string("Key") == "slipway:local-url"; });
        tags.push_back(
            Json::object({{"Key", "slipway:local-url"},
                          {"Value", fmt::format("http://127.0.0.1:{}", listener.host_port)}}));
        tables.put("elb.lb", balancer->second.scope, balancer->second.name,
                   to_json(balancer->second));
      },
      true);
  return Json::object({{"Listeners", Json::array({describe(listener)})}});
}

Json Elb::describe_listeners(const Call& call) {
  Input in(call.input, "ValidationError");
  std::string balancer = in.text_or("LoadBalancerArn");
  auto arns = in.texts("ListenerArns");
  return world_.read([&](const World& world) {
    if (!balancer.empty() && !world.model.balancers.contains(balancer))
      refuse("LoadBalancerNotFound", "One or more load balancers not found");
    Json out = Json::array();
    for (const auto& [arn, listener] : world.model.listeners) {
      if (listener.load_balancer_arn == balancer ||
          std::find(arns.begin(), arns.end(), arn) != arns.end())
        out.push_back(describe(listener));
    }
    if (!arns.empty() && out.size() < arns.size())
      refuse("ListenerNotFound", "One or more listeners not found");
    return Json::object({{"Listeners", out}});
  });
}

Json Elb::modify_listener(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("ListenerArn");
  Json out;
  change(
      [&](Model& model, Tables& tables) {
        auto it = model.listeners.find(wanted);
        if (it == model.listeners.end())
          refuse("ListenerNotFound", "One or more listeners not found");
        Json actions = list_of(call, "DefaultActions");
        if (!actions.empty()) {
          check_actions(model, actions);
          for (auto& rule : it->second.rules) {
            if (rule.priority == 0) rule.actions = actions;
          }
        }
        tables.put("elb.listener", it->second.scope, wanted, to_json(it->second));
        out = describe(it->second);
      },
      true);
  return Json::object({{"Listeners", Json::array({out})}});
}

Json Elb::delete_listener(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("ListenerArn");
  change(
      [&](Model& model, Tables& tables) {
        auto it = model.listeners.find(wanted);
        if (it == model.listeners.end())
          refuse("ListenerNotFound", "One or more listeners not found");
        tables.erase("elb.listener", it->second.scope, wanted);
        model.listeners.erase(it);
      },
      true);
  return Json::object();
}

Json Elb::create_rule(const Call& call) {
  Input in(call.input, "ValidationError");
  std::string wanted = in.text("ListenerArn");
  Rule rule;
  rule.priority = static_cast<int>(in.integer_or("Priority", 0));
  if (rule.priority < 1 || rule.priority > 50'000)
    refuse("ValidationError", "Priority must be between 1 and 50000");
  rule.conditions = list_of(call, "Conditions");
  rule.actions = list_of(call, "Actions");
  if (rule.conditions.empty()) refuse("ValidationError", "A condition must be specified");
  change(
      [&](Model& model, Tables& tables) {
        auto it = model.listeners.find(wanted);
        if (it == model.listeners.end())
          refuse("ListenerNotFound", "One or more listeners not found");
        check_actions(model, rule.actions);
        for (const auto& other : it->second.rules) {
          if (other.priority == rule.priority)
            refuse("PriorityInUse",
                   "Priority '" + std::to_string(rule.priority) + "' is currently in use");
        }
        rule.arn = new_rule_arn(wanted);
        it->second.rules.push_back(rule);
        sort_rules(it->second);
        tables.put("elb.listener", it->second.scope, wanted, to_json(it->second));
      },
      true);
  return Json::object({{"Rules", Json::array({describe(rule)})}});
}

Json Elb::describe_rules(const Call& call) {
  Input in(call.input, "ValidationError");
  std::string wanted = in.text_or("ListenerArn");
  auto arns = in.texts("RuleArns");
  return world_.read([&](const World& world) {
    if (!wanted.empty() && !world.model.listeners.contains(wanted))
      refuse("ListenerNotFound", "One or more listeners not found");
    Json out = Json::array();
    for (const auto& [arn, listener] : world.model.listeners) {
      for (const auto& rule : listener.rules) {
        if (arn == wanted || std::find(arns.begin(), arns.end(), rule.arn) != arns.end())
          out.push_back(describe(rule));
      }
    }
    return Json::object({{"Rules", out}});
  });
}

Json Elb::delete_rule(const Call& call) {
  std::string wanted = Input(call.input, "ValidationError").text("RuleArn");
  change(
      [&](Model& model, Tables& tables) {
        for (auto& [arn, listener] : model.listeners) {
          for (auto rule = listener.rules.begin(); rule != listener.rules.end(); ++rule) {
            if (rule->arn != wanted) continue;
            if (rule->priority == 0)
              refuse("OperationNotPermitted", "Default rule '" + wanted + "' cannot be deleted");
            listener.rules.erase(rule);
            tables.put("elb.listener", listener.scope, arn, to_json(listener));
            return;
          }
        }
        refuse("RuleNotFound", "One or more rules not found");
      },
      true);
  return Json::object();
}

}  // namespace slipway::cloud::elb
