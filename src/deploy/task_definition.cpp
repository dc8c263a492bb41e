// SPDX-License-Identifier: Apache-2.0
#include "deploy/task_definition.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/yaml.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

bool says_nothing(const Json& value) {
  if (value.is_null()) return true;
  if (value.is_string()) return value.as_string().empty();
  if (value.is_array())
    return std::all_of(value.as_array().begin(), value.as_array().end(), says_nothing);
  if (value.is_object()) {
    const auto& members = value.as_object();
    return std::all_of(members.begin(), members.end(),
                       [](const auto& member) { return says_nothing(member.second); });
  }
  return false;
}

Json without_empty(const Json& value, const std::set<std::string>& keep) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const auto& item : value.as_array()) {
      if (!says_nothing(item)) out.push_back(without_empty(item, keep));
    }
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, member] : value.as_object()) {
    if (keep.contains(key)) {
      out[key] = member;
    } else if (!says_nothing(member)) {
      out[key] = without_empty(member, keep);
    }
  }
  return out;
}

void fill(Json& list, std::initializer_list<std::string_view> keys) {
  if (!list.is_array()) return;
  for (auto& entry : list.as_array()) {
    for (auto key : keys) {
      if (entry.is_object() && !entry.contains(key)) entry[key] = "";
    }
  }
}

// An empty value is a value for a variable and for App Mesh's settings.
void restore_values(Json& definition) {
  if (Json* containers = definition.find("containerDefinitions");
      containers && containers->is_array()) {
    for (auto& container : containers->as_array()) {
      if (Json* variables = container.find("environment")) fill(*variables, {"value"});
    }
  }
  Json* proxy = definition.find("proxyConfiguration");
  if (proxy && proxy->is_object() && proxy->get_string("type") == "APPMESH") {
    if (Json* properties = proxy->find("properties")) fill(*properties, {"name", "value"});
  }
}

}  // namespace

Json read_task_definition(std::string_view text, const std::string& file) {
  Json definition;
  if (trim(text).starts_with('{')) {
    definition = formats::parse_json(text, file);
  } else {
    auto document = formats::parse_yaml(text, file);
    if (!document.ok()) throw_diagnostics(document.diagnostics);
    definition = formats::yaml_to_json(document.root, file);
  }
  if (!definition.is_object()) {
    fail(Fault::bad_input, "{}: a task definition is an object, found {}", file,
         definition.kind_name());
  }
  if (definition.contains("taskDefinition") && !definition.contains("containerDefinitions")) {
    fail(Fault::bad_input,
         "{}: this is the answer of describe-task-definition: put what is inside its "
         "'taskDefinition' into the file",
         file);
  }
  return definition;
}

Prepared prepare(const Json& task_definition, const std::set<std::string>& keep_null_values) {
  static constexpr std::array kOnlyAnswered = {
      "compatibilities", "taskDefinitionArn", "requiresAttributes", "revision",
      "status",          "registeredAt",      "deregisteredAt",     "registeredBy"};
  Prepared prepared{without_empty(task_definition, keep_null_values), {}};
  restore_values(prepared.input);
  for (std::string_view attribute : kOnlyAnswered) {
    if (prepared.input.erase(attribute)) prepared.ignored.emplace_back(attribute);
  }
  return prepared;
}

std::optional<Json> describe_task_definition(Calls& calls, const std::string& name,
                                             const std::stop_token& stop) {
  auto answer = calls.call(
      "ecs", "DescribeTaskDefinition",
      Json::object({{"taskDefinition", name}, {"include", Json::array({"TAGS"})}}), stop);
  if (const auto* error = answer.error();
      error && error->message.find("Unable to describe task definition") != std::string::npos) {
    return std::nullopt;
  }
  Json definition = answer.value().at("taskDefinition");
  if (const Json* tags = answer.value().find("tags"); tags && !tags->empty())
    definition["tags"] = *tags;
  return definition;
}

Json register_task_definition(Calls& calls, const Json& input, const std::stop_token& stop) {
  return calls.call("ecs", "RegisterTaskDefinition", input, stop).value().at("taskDefinition");
}

std::string brief_task_definition(std::string_view arn) {
  constexpr std::string_view kMark = ":task-definition/";
  auto at = arn.find(kMark);
  return std::string(at == std::string_view::npos ? arn : arn.substr(at + kMark.size()));
}

std::string last_part(std::string_view arn) {
  auto at = arn.rfind('/');
  return std::string(at == std::string_view::npos ? arn : arn.substr(at + 1));
}

}  // namespace slipway::deploy
