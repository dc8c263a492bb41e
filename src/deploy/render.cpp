// SPDX-License-Identifier: Apache-2.0
#include "deploy/render.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

struct Pair {
  std::string name;
  std::string value;
};

Pair split_pair(const std::string& line, std::string_view what, std::string_view form) {
  auto at = line.find('=');
  if (at == std::string::npos || at == 0) {
    fail(Fault::bad_input, "Cannot parse the {} '{}'. {} pairs must be of the form {}", what, line,
         what, form);
  }
  return {line.substr(0, at), line.substr(at + 1)};
}

// Labels and log options end at a second '=', as the official action's do.
Pair split_short_pair(const std::string& line, std::string_view what) {
  Pair pair = split_pair(line, what, "key=value");
  pair.value = pair.value.substr(0, pair.value.find('='));
  return pair;
}

// The entry of a list with that name gets the value, or a new one is added.
void put(Json& container, std::string_view list_name, const Pair& pair,
         std::string_view value_key) {
  Json& list = container[list_name];
  if (!list.is_array()) list = Json::array();
  for (auto& entry : list.as_array()) {
    if (entry.get_string("name") == pair.name) {
      entry[value_key] = pair.value;
      return;
    }
  }
  list.push_back(Json::object({{"name", pair.name}, {std::string(value_key), pair.value}}));
}

void set_logging(Json& container, const RenderRequest& request) {
  static constexpr std::array kDrivers = {"json-file", "syslog",  "journald", "logentries", "gelf",
                                          "fluentd",   "awslogs", "splunk",   "awsfirelens"};
  if (!request.log_driver.empty()) {
    if (std::find(kDrivers.begin(), kDrivers.end(), request.log_driver) == kDrivers.end()) {
      fail(Fault::bad_input,
           "'{}' is not a log driver. logConfiguration.logDriver must be one of the following: {}",
           request.log_driver, fmt::join(kDrivers, ", "));
    }
    container["logConfiguration"]["logDriver"] = request.log_driver;
  }
  for (const auto& line : request.log_options) {
    Pair pair = split_short_pair(line, "log configuration option");
    container["logConfiguration"]["options"][pair.name] = pair.value;
  }
}

void apply(Json& container, const RenderRequest& request) {
  container["image"] = request.image;
  if (!request.command.empty()) {
    Json words = Json::array();
    for (auto& word : split(request.command, ' ')) words.push_back(std::move(word));
    container["command"] = std::move(words);
  }
  if (!request.env_files.empty()) {
    Json files = Json::array();
    for (const auto& file : request.env_files)
      files.push_back(Json::object({{"value", file}, {"type", "s3"}}));
    container["environmentFiles"] = std::move(files);
  }
  for (const auto& line : request.environment) {
    put(container, "environment", split_pair(line, "environment variable", "NAME=value"), "value");
  }
  for (const auto& line : request.secrets) {
    put(container, "secrets", split_pair(line, "secret", "NAME=valueFrom"), "valueFrom");
  }
  set_logging(container, request);
  for (const auto& line : request.docker_labels) {
    Pair pair = split_short_pair(line, "docker label");
    container["dockerLabels"][pair.name] = pair.value;
  }
}

// ^arn:aws(-partition)?:iam::\d{12}:role/.+$
bool is_role_arn(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() != 6 || parts[0] != "arn" || parts[2] != "iam" || !parts[3].empty())
    return false;
  if (parts[1] != "aws" && !parts[1].starts_with("aws-")) return false;
  bool digits =
      parts[4].size() == 12 && parts[4].find_first_not_of("0123456789") == std::string::npos;
  return digits && parts[5].starts_with("role/") && parts[5].size() > 5;
}

void set_role(Json& definition, std::string_view key, const std::string& arn,
              std::string_view input) {
  if (arn.empty()) return;
  if (!is_role_arn(arn)) {
    fail(Fault::bad_input,
         "'{}' is not a role's ARN: {} has the form arn:aws:iam::123456789012:role/NAME", arn,
         input);
  }
  definition[key] = arn;
}

}  // namespace

Json render(Json definition, const RenderRequest& request) {
  Json* containers = definition.find("containerDefinitions");
  if (!containers || !containers->is_array()) {
    fail(Fault::bad_input,
         "Invalid task definition format: containerDefinitions section must be present and be an "
         "array");
  }
  for (const auto& name : request.containers) {
    auto& list = containers->as_array();
    auto found = std::find_if(list.begin(), list.end(),
                              [&](const Json& item) { return item.get_string("name") == name; });
    if (found == list.end()) {
      std::vector<std::string> names;
      for (const auto& item : list) names.push_back(item.get_string("name"));
      fail(Fault::bad_input,
           "Invalid task definition: Could not find container definition with matching name: no "
           "'{}' among '{}'",
           name, fmt::join(names, "', '"));
    }
    apply(*found, request);
  }
  set_role(definition, "taskRoleArn", request.task_role_arn, "task-role-arn");
  set_role(definition, "executionRoleArn", request.execution_role_arn, "execution-role-arn");
  for (std::string_view key :
       {"compatibilities", "taskDefinitionArn", "requiresAttributes", "revision", "status",
        "registeredAt", "deregisteredAt", "registeredBy"}) {
    definition.erase(key);
  }
  return definition;
}

}  // namespace slipway::deploy
