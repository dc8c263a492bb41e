// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.hpp"
#include "cloud/elb/model.hpp"

namespace slipway::cloud::elb {
namespace {

// A quoted word of HAProxy's configuration language; line breaks cannot stand in one.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else if (c >= ' ') {
      out += c;
    }
  }
  return out + "'";
}

std::string plain(std::string text) {
  for (char& c : text) {
    bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_';
    if (!ok) c = '_';
  }
  return text;
}

constexpr int kDice = 1000;  // numbers that a request draws from

std::string last_part(const std::string& arn) { return arn.substr(arn.find_last_of('/') + 1); }

// ELB's wildcards (* and ?) as a regular expression that matches the whole.
std::string wildcard_regex(const std::string& pattern) {
  std::string out = "^";
  for (char c : pattern) {
    if (c == '*') {
      out += ".*";
    } else if (c == '?') {
      out += '.';
    } else {
      if (std::string_view("\\.[]{}()+^$|").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out + "$";
}

std::vector<std::string> values_of(const Json& condition, const char* config) {
  std::vector<std::string> out;
  const Json* nested = condition.find(config);
  const auto& list = nested ? nested->get_array("Values") : condition.get_array("Values");
  for (const auto& value : list) {
    if (value.is_string()) out.push_back(value.as_string());
  }
  return out;
}

std::string patterns(const std::vector<std::string>& values) {
  std::string out;
  for (const auto& value : values) out += " " + quoted(wildcard_regex(value));
  return out;
}

// The sample that a condition looks at, with its patterns.
std::string match_of(const Json& condition) {
  std::string field = condition.get_string("Field");
  if (field == "path-pattern")
    return "path -m reg" + patterns(values_of(condition, "PathPatternConfig"));
  if (field == "host-header")
    return "hdr(host),field(1,:) -i -m reg" + patterns(values_of(condition, "HostHeaderConfig"));
  if (field == "http-request-method") {
    std::string out = "method";
    for (const auto& value : values_of(condition, "HttpRequestMethodConfig"))
      out += " " + quoted(value);
    return out;
  }
  if (field == "http-header") {
    std::string name = condition.contains("HttpHeaderConfig")
                           ? condition.at("HttpHeaderConfig").get_string("HttpHeaderName")
                           : "";
    return "hdr(" + plain(name) + ") -i -m reg" +
           patterns(values_of(condition, "HttpHeaderConfig"));
  }
  if (field == "source-ip") {
    std::string out = "src";
    for (const auto& value : values_of(condition, "SourceIpConfig")) out += " " + quoted(value);
    return out;
  }
  return "always_false";
}

std::string redirect_of(const Json& action) {
  const Json& config = action.at("RedirectConfig");
  auto part = [&](const char* key, const char* otherwise) {
    return config.get_string(key, otherwise);
  };
  std::string url = part("Protocol", "#{protocol}") + "://" + part("Host", "#{host}") + ":" +
                    part("Port", "#{port}") + part("Path", "/#{path}") + "?" +
                    part("Query", "#{query}");
  url = replace_all(url, "#{protocol}", "%[ssl_fc,iif(https,http)]");
  url = replace_all(url, "#{host}", "%[hdr(host),field(1,:)]");
  url = replace_all(url, "#{port}", "%[dst_port]");
  url = replace_all(url, "/#{path}", "%[path]");
  url = replace_all(url, "#{query}", "%[query]");
  std::string code = config.get_string("StatusCode") == "HTTP_301" ? "301" : "302";
  return fmt::format("http-request redirect code {} location \"{}\"", code, url);
}

int weight_of(const Json& share) {
  const Json* weight = share.find("Weight");
  if (weight == nullptr) return 1;
  return static_cast<int>(weight->is_string() ? to_integer(weight->as_string()).value_or(0)
                                              : weight->as_int());
}

// The backends that an action forwards to; several share the requests by their weights, by a number that is drawn for each request.
std::string forward_of(const Model& model, const Json& action, const std::string& condition) {
  std::vector<std::pair<std::string, int>> shares;
  int total = 0;
  auto add = [&](const std::string& arn, int weight) {
    auto it = model.groups.find(arn);
    if (it == model.groups.end() || weight <= 0) return;
    shares.emplace_back(backend_name(it->second), weight);
    total += weight;
  };
  const Json* config = action.find("ForwardConfig");
  if (config != nullptr && !config->get_array("TargetGroups").empty()) {
    for (const auto& share : config->get_array("TargetGroups"))
      add(share.get_string("TargetGroupArn"), weight_of(share));
  } else {
    add(action.get_string("TargetGroupArn"), 1);
  }
  if (shares.empty()) return "";
  std::string out;
  int drawn = 0;
  for (std::size_t i = 0; i + 1 < shares.size(); ++i) {
    drawn += shares[i].second;
    std::string dice = fmt::format("{{ var(txn.dice) -m int lt {} }}", drawn * kDice / total);
    out += fmt::format("  use_backend {}{} {}\n", shares[i].first,
                       condition.empty() ? " if" : condition, dice);
  }
  return out + (condition.empty()
                    ? fmt::format("  default_backend {}\n", shares.back().first)
                    : fmt::format("  use_backend {}{}\n", shares.back().first, condition));
}

// What a rule does, as a line of the frontend; `condition` is "if …" or empty.
std::string line_of(const Model& model, const Rule& rule, const std::string& condition) {
  if (rule.actions.empty()) return "";
  const Json& action = rule.actions.as_array().back();
  std::string type = action.get_string("Type");
  if (type == "redirect" && action.contains("RedirectConfig"))
    return "  " + redirect_of(action) + condition + "\n";
  if (type == "fixed-response" && action.contains("FixedResponseConfig")) {
    const Json& config = action.at("FixedResponseConfig");
    const std::string message = config.get_string("MessageBody");
    std::string status = plain(config.get_string("StatusCode", "503"));
    if (message.empty())
      return fmt::format("  http-request return status {}{}\n", status, condition);
    return fmt::format("  http-request return status {} content-type {} string {}{}\n", status,
                       quoted(config.get_string("ContentType", "text/plain")), quoted(message),
                       condition);
  }
  return forward_of(model, action, condition);
}

std::string frontend(const Model& model, const LoadBalancer& balancer, const Listener& listener) {
  std::string id = plain(last_part(listener.arn));
  bool is_tcp = balancer.type == "network";
  std::string out = fmt::format("frontend listener_{}\n  mode {}\n  bind 127.0.0.1:{}\n", id,
                                is_tcp ? "tcp" : "http", listener.host_port);
  if (!balancer.address.empty()) {
    out +=
        fmt::format("  bind {}:{} namespace {}\n", balancer.address, listener.port, balancer.netns);
  }
  if (!is_tcp) {
    out += "  option forwardfor\n  http-request set-header X-Forwarded-Proto http\n";
    out += fmt::format("  http-request set-header X-Forwarded-Port {}\n", listener.port);
  }
  // The first rule that fits is remembered by its number; answers come before backends in HAProxy's order of things.
  std::string marks =
      is_tcp ? "" : fmt::format("  http-request set-var(txn.dice) rand({})\n", kDice);
  std::string answers;
  std::string backends;
  int position = 0;
  for (const auto& rule : listener.rules) {
    std::string chosen;
    if (rule.priority != 0 && !is_tcp) {
      std::string condition;
      int number = 0;
      for (const auto& item : rule.conditions.as_array()) {
        std::string name = fmt::format("{}_{}", plain(last_part(rule.arn)), ++number);
        out += fmt::format("  acl {} {}\n", name, match_of(item));
        condition += " " + name;
      }
      marks += fmt::format(
          "  http-request set-var(txn.rule) int({}) if !{{ var(txn.rule) -m found }}{}\n",
          ++position, condition);
      chosen = fmt::format(" if {{ var(txn.rule) -m int {} }}", position);
    } else if (!is_tcp && position > 0) {
      chosen = " if !{ var(txn.rule) -m found }";
    }
    std::string line = line_of(
        model, rule,
        rule.priority == 0 && line_of(model, rule, "").starts_with("  default_backend") ? ""
                                                                                        : chosen);
    (line.starts_with("  http-request") ? answers : backends) += line;
  }
  return out + marks + answers + backends + "\n";
}

std::string backend(const Model& model, const TargetGroup& group) {
  bool is_tcp = group.protocol == "TCP";
  std::string out = fmt::format("backend {}\n  mode {}\n  balance roundrobin\n",
                                backend_name(group), is_tcp ? "tcp" : "http");
  for (const auto& [key, target] : model.targets) {
    if (target.group_arn != group.arn || target.state == "draining") continue;
    out += fmt::format("  server {} {}:{}{}\n", server_name(target), target.address, target.port,
                       is_served(model, target) ? "" : " disabled");
  }
  return out + "\n";
}

}  // namespace

std::string backend_name(const TargetGroup& group) { return "group_" + plain(group.id); }

std::string server_name(const Target& target) {
  return plain(fmt::format("t_{}_{}", target.address, target.port));
}

std::map<std::string, ShownServer> wanted_servers(const Model& model) {
  std::map<std::string, ShownServer> out;
  for (const auto& [key, target] : model.targets) {
    auto group = model.groups.find(target.group_arn);
    if (group == model.groups.end() || target.state == "draining") continue;
    out[fmt::format("{}/{}", backend_name(group->second), server_name(target))] = {
        fmt::format("{}:{}", target.address, target.port), is_served(model, target)};
  }
  return out;
}

std::string haproxy_config(const Model& model, const std::string& socket) {
  std::string out = fmt::format(
      "# Written by slipway's local load balancing; changes are lost.\n"
      "global\n"
      "  stats socket {} mode 600 level admin expose-fd listeners\n"
      "  stats timeout 1h\n"
      "  maxconn 4000\n"
      "  hard-stop-after 5m\n\n"
      "defaults\n"
      "  mode http\n"
      "  timeout connect 3s\n"
      "  timeout client 60s\n"
      "  timeout server 60s\n"
      "  timeout http-keep-alive 60s\n"
      "  timeout queue 10s\n"
      "  option redispatch 1\n"
      "  option http-server-close\n"
      "  retries 5\n"
      "  retry-on conn-failure\n\n",
      quoted(socket));
  for (const auto& [arn, listener] : model.listeners) {
    auto it = model.balancers.find(listener.load_balancer_arn);
    if (it != model.balancers.end()) out += frontend(model, it->second, listener);
  }
  for (const auto& [arn, group] : model.groups) out += backend(model, group);
  return out;
}

}  // namespace slipway::cloud::elb
