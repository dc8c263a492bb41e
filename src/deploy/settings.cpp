// SPDX-License-Identifier: Apache-2.0
#include "deploy/settings.hpp"

#include <functional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/yaml.hpp"

namespace slipway::deploy {
namespace {

using formats::YamlNode;

class Reader final {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  using Fields = std::map<std::string, std::function<void(const YamlNode&)>>;

  Settings read(const YamlNode& root) {
    Settings settings;
    mapping(root, {{"environments", [&](const YamlNode& node) { environments(node, settings); }},
                   {"notifications", [&](const YamlNode& node) { notifications(node, settings); }},
                   {"tfstate", [&](const YamlNode& node) { settings.tfstate = text(node); }},
                   {"version", [&](const YamlNode& node) {
                      if (text(node) != "1") complain(node, "version is 1");
                    }}});
    for (const auto& [name, environment] : settings.environments) {
      for (const auto& wanted : environment.notifications) {
        bool is_known = std::any_of(settings.notifications.begin(), settings.notifications.end(),
                                    [&](const auto& n) { return n.name == wanted; });
        if (!is_known)
          complain(
              root,
              fmt::format(
                  "environment '{}' names the notification '{}', which is not among notifications",
                  name, wanted));
      }
    }
    if (!diagnostics_.empty()) throw_diagnostics(diagnostics_);
    return settings;
  }

 private:
  void complain(const YamlNode& node, const std::string& message) {
    diagnostics_.push_back({file_, node.line, node.column, message});
  }

  void mapping(const YamlNode& node, const Fields& fields) {
    if (!node.is_mapping()) return complain(node, "expected a mapping");
    for (const auto& entry : node.entries) {
      auto field = fields.find(entry.key.value);
      if (field != fields.end()) {
        field->second(entry.value);
        continue;
      }
      std::vector<std::string> names;
      for (const auto& [name, use] : fields) names.push_back(name);
      complain(entry.key, fmt::format("'{}' is not known here: there are {}", entry.key.value,
                                      join(names, ", ")));
    }
  }

  // Every entry of a mapping whose keys are names.
  void named(const YamlNode& node,
             const std::function<void(const std::string&, const YamlNode&)>& use) {
    if (!node.is_mapping()) return complain(node, "expected a mapping of names");
    for (const auto& entry : node.entries) use(entry.key.value, entry.value);
  }

  std::string text(const YamlNode& node) {
    if (!node.is_scalar() || node.value.empty()) complain(node, "expected a text");
    return node.value;
  }

  bool boolean(const YamlNode& node) {
    if (node.value != "true" && node.value != "false") complain(node, "expected true or false");
    return node.value == "true";
  }

  int count(const YamlNode& node) {
    auto value = to_integer(node.value);
    if (!node.is_scalar() || !value || *value < 0 || *value > 100)
      complain(node, "expected a number from 0 to 100");
    return static_cast<int>(value.value_or(0));
  }

  std::chrono::seconds span(const YamlNode& node) {
    auto value = parse_span(node.value);
    if (!node.is_scalar() || !value) complain(node, "expected a time such as 90s, 10m or 1h30m");
    return value.value_or(std::chrono::seconds(0));
  }

  std::vector<std::string> texts(const YamlNode& node) {
    std::vector<std::string> all;
    if (node.is_scalar()) return {text(node)};
    if (!node.is_sequence()) complain(node, "expected a list of texts");
    for (const auto& item : node.items) all.push_back(text(item));
    return all;
  }

  void environments(const YamlNode& node, Settings& settings) {
    named(node, [&](const std::string& name, const YamlNode& value) {
      EnvironmentSettings& environment = settings.environments[name];
      mapping(value,
              {{"order", [&](const YamlNode& n) { environment.order = order(n); }},
               {"canary", [&](const YamlNode& n) { environment.canary = canary(n); }},
               {"migrations", [&](const YamlNode& n) { environment.migration = migration(n); }},
               {"notifications", [&](const YamlNode& n) { environment.notifications = texts(n); }},
               {"protection", [&](const YamlNode& n) { environment.protection = protection(n); }},
               {"services", [&](const YamlNode& n) { settings.services[name] = services(n); }}});
    });
  }

  std::vector<std::vector<std::string>> order(const YamlNode& node) {
    std::vector<std::vector<std::string>> out;
    if (!node.is_sequence())
      complain(node, "expected a list: services, or lists of services that go together");
    for (const auto& item : node.items) out.push_back(texts(item));
    return out;
  }

  Migration migration(const YamlNode& node) {
    Migration out;
    mapping(
        node,
        {{"service", [&](const YamlNode& n) { out.service = text(n); }},
         {"container", [&](const YamlNode& n) { out.container = text(n); }},
         {"command",
          [&](const YamlNode& n) {
            out.command = n.is_scalar() ? std::vector<std::string>{"sh", "-c", text(n)} : texts(n);
          }},
         {"timeout", [&](const YamlNode& n) { out.timeout = span(n); }}});
    if (out.service.empty() || out.command.empty())
      complain(node, "migrations need a service and a command");
    return out;
  }

  Canary canary(const YamlNode& node) {
    Canary out;
    mapping(node, {{"percent", [&](const YamlNode& n) { out.percent = count(n); }},
                   {"bake", [&](const YamlNode& n) {
                      auto time = span(n);
                      out.bake = std::chrono::duration_cast<std::chrono::minutes>(time);
                      if (out.bake != time || time > std::chrono::hours(24))
                        complain(n,
                                 "expected whole minutes, a day at most: ECS bakes no other times");
                    }}});
    if (out.percent < 1 || out.percent > 99) complain(node, "percent is from 1 to 99");
    return out;
  }

  Protection protection(const YamlNode& node) {
    Protection out;
    mapping(node, {{"require_tests", [&](const YamlNode& n) { out.require_tests = boolean(n); }},
                   {"promote_from", [&](const YamlNode& n) { out.promote_from = text(n); }},
                   {"soak", [&](const YamlNode& n) { out.soak = span(n); }},
                   {"approvals", [&](const YamlNode& n) { out.approvals = count(n); }}});
    return out;
  }

  std::vector<ServiceSettings> services(const YamlNode& node) {
    std::vector<ServiceSettings> out;
    named(node, [&](const std::string& name, const YamlNode& value) {
      ServiceSettings service{.name = name, .cluster = "default", .task_definition = ""};
      mapping(value,
              {{"cluster", [&](const YamlNode& n) { service.cluster = text(n); }},
               {"task_definition", [&](const YamlNode& n) { service.task_definition = text(n); }}});
      if (service.task_definition.empty())
        complain(value, fmt::format("service '{}' needs a task_definition", name));
      out.push_back(service);
    });
    return out;
  }

  void notifications(const YamlNode& node, Settings& settings) {
    named(node, [&](const std::string& name, const YamlNode& value) {
      Notification out{
          .name = name, .kind = "", .url = "", .secret = "", .channel = "", .repository = ""};
      mapping(value, {{"kind", [&](const YamlNode& n) { out.kind = text(n); }},
                      {"url", [&](const YamlNode& n) { out.url = text(n); }},
                      {"secret", [&](const YamlNode& n) { out.secret = text(n); }},
                      {"channel", [&](const YamlNode& n) { out.channel = text(n); }},
                      {"repository", [&](const YamlNode& n) { out.repository = text(n); }}});
      bool needs_url = out.kind == "slack" || out.kind == "webhook";
      if (!needs_url && out.kind != "slack-bot" && out.kind != "github") {
        complain(value, "kind is slack, slack-bot, github or webhook");
      } else if (needs_url && out.url.empty()) {
        complain(value, fmt::format("a notification of kind {} needs a url", out.kind));
      } else if (out.kind == "slack-bot" && (out.channel.empty() || out.secret.empty())) {
        complain(value,
                 "a notification of kind slack-bot needs a channel and a secret (its token)");
      } else if (out.kind == "github" && (out.repository.empty() || out.secret.empty())) {
        complain(value, "a notification of kind github needs a repository and a secret (a token)");
      }
      settings.notifications.push_back(out);
    });
  }

  const std::string& file_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

const EnvironmentSettings& Settings::of(const std::string& environment) const {
  static const EnvironmentSettings kNone;
  auto it = environments.find(environment);
  return it == environments.end() ? kNone : it->second;
}

Protection stricter(const Protection& a, const Protection& b) {
  return {.require_tests = a.require_tests || b.require_tests,
          .promote_from = b.promote_from.empty() ? a.promote_from : b.promote_from,
          .soak = std::max(a.soak, b.soak),
          .approvals = std::max(a.approvals, b.approvals)};
}

std::optional<std::chrono::seconds> parse_span(std::string_view text) {
  std::chrono::seconds total{0};
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    auto digits = text.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos || digits > 6) return std::nullopt;
    long long value = *to_integer(text.substr(0, digits));
    char unit = text[digits];
    if (unit != 's' && unit != 'm' && unit != 'h') return std::nullopt;
    total += std::chrono::seconds(value * (unit == 's' ? 1 : unit == 'm' ? 60 : 3600));
    text.remove_prefix(digits + 1);
  }
  return total;
}

Settings read_settings(std::string_view text, const std::string& file) {
  if (trim(text).empty()) return {};
  auto document = formats::parse_yaml(text, file);
  auto diagnostics = document.diagnostics;
  if (document.ok())
    diagnostics = formats::duplicate_keys(document.root, file, formats::KeyComparison::exact);
  if (!diagnostics.empty()) throw_diagnostics(diagnostics);
  return Reader(file).read(document.root);
}

}  // namespace slipway::deploy
