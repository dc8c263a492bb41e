// SPDX-License-Identifier: Apache-2.0
// The AppSpec of a deployment.
#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/codedeploy/api.hpp"
#include "formats/sha256.hpp"
#include "formats/yaml.hpp"

namespace slipway::cloud::codedeploy {
namespace {

constexpr std::string_view kWrong = "InvalidRevisionException";

[[noreturn]] void wrong(const std::string& what) {
  refuse(std::string(kWrong), "The AppSpec file is not valid: " + what);
}

// A member whose first letter may be written in either case, as CodeDeploy takes it.
const Json* either(const Json& json, std::string_view name) {
  if (const Json* found = json.find(std::string(name))) return found;
  std::string other(name);
  other[0] = static_cast<char>(other[0] ^ 0x20);
  return json.find(other);
}

const Json& required(const Json& json, std::string_view name) {
  const Json* found = json.is_object() ? either(json, name) : nullptr;
  if (found == nullptr || found->is_null()) wrong(fmt::format("'{}' is missing.", name));
  return *found;
}

std::string text_of(const Json& json, std::string_view name) {
  const Json& value = required(json, name);
  if (!value.is_string() || value.as_string().empty())
    wrong(fmt::format("'{}' must be a text.", name));
  return value.as_string();
}

std::int64_t port_of(const Json& value) {
  auto number = value.is_string()   ? to_integer(value.as_string())
                : value.is_number() ? std::optional(static_cast<long long>(value.as_number()))
                                    : std::nullopt;
  if (!number || *number < 1 || *number > 65535) wrong("'ContainerPort' must be a port.");
  return *number;
}

Json parse(const std::string& content) {
  auto document = formats::parse_yaml(content, "appspec");  // JSON is YAML, too
  if (!document.ok()) wrong(to_string(document.diagnostics.front()));
  try {
    return formats::yaml_to_json(document.root, "appspec");
  } catch (const Error& error) {
    wrong(error.what());
  }
}

}  // namespace

AppSpec parse_app_spec(const std::string& content) {
  Json spec = parse(content);
  if (!spec.is_object()) wrong("it holds no map.");
  const Json& resources = required(spec, "Resources");
  if (!resources.is_array() || resources.size() != 1 || !resources.as_array()[0].is_object() ||
      resources.as_array()[0].size() != 1)
    wrong("'Resources' must hold exactly one resource.");
  const Json& resource = resources.as_array()[0].as_object().begin()->second;
  if (text_of(resource, "Type") != "AWS::ECS::Service")
    wrong("the resource's 'Type' must be AWS::ECS::Service.");
  const Json& properties = required(resource, "Properties");
  const Json& balancer = required(properties, "LoadBalancerInfo");
  if (const Json* hooks = either(spec, "Hooks"); hooks && hooks->is_array() && !hooks->empty()) {
    refuse(std::string(kWrong),
           "slipway: hooks in an AppSpec are not supported yet: there is no Lambda");
  }
  return {.task_definition = text_of(properties, "TaskDefinition"),
          .container = text_of(balancer, "ContainerName"),
          .port = port_of(required(balancer, "ContainerPort"))};
}

AppSpec app_spec_of(const Json& revision) {
  std::string type = revision.get_string("revisionType");
  const Json* held = revision.find(type == "String" ? "string" : "appSpecContent");
  if (type != "AppSpecContent" && type != "String") {
    refuse(std::string(kWrong),
           fmt::format("slipway: revisions of type '{}' are not supported yet: AppSpecContent is",
                       type));
  }
  if (held == nullptr) refuse("RevisionRequiredException", "The revision holds no content.");
  std::string content = held->get_string("content");
  std::string sum = held->get_string("sha256");
  if (!sum.empty() && to_lower(sum) != formats::sha256_hex(content)) {
    refuse(std::string(kWrong),
           "The provided hash of the AppSpec content is not the hash of its content.");
  }
  return parse_app_spec(content);
}

}  // namespace slipway::cloud::codedeploy
