// SPDX-License-Identifier: Apache-2.0
#include "workflow/cron.hpp"
#include "workflow/read_parts.hpp"

namespace slipway::workflow {
namespace {

std::vector<std::string> texts(const Template& value) {
  if (value.is_string()) return {value.text};
  std::vector<std::string> result;
  for (const auto& item : value.items) result.push_back(item.text);
  return result;
}

FilterPair read_filter(const Template& event, const std::string& key) {
  FilterPair pair;
  const auto& only = event[key];
  const auto& ignore = event[key + "-ignore"];
  pair.has_only = !only.is_absent();
  pair.has_ignore = !ignore.is_absent();
  pair.only = texts(only);
  pair.ignore = texts(ignore);
  return pair;
}

std::vector<InputDefinition> read_inputs(const Template& inputs) {
  std::vector<InputDefinition> result;
  for (const auto& [key, value, is_insert] : inputs.entries) {
    InputDefinition input;
    input.name = key.text;
    input.place = key.place;
    if (value["type"].is_string()) input.type = value["type"].text;
    input.description = value["description"].text;
    input.required = value["required"].boolean;
    input.standard = value["default"];
    input.options = texts(value["options"]);
    result.push_back(std::move(input));
  }
  return result;
}

// What the form takes: choices are listed, and only there; a boolean starts as one.
//   value  an input as written
void check_input(const InputDefinition& input, const Template& value, Findings& findings) {
  if (!value.is_mapping()) return;
  bool has_options = !value["options"].items.empty();
  if (input.type == "choice" && !has_options)
    findings.add(value.place, "Missing 'options' for choice input");
  if (input.type != "choice" && !value["options"].is_absent()) {
    findings.add(value.place, "Input type is not 'choice', but 'options' is defined");
  }
  const auto& standard = input.standard;
  if (input.type == "boolean" && standard.is_scalar() && !standard.is_expression() &&
      standard.kind != Template::Kind::boolean) {
    findings.add(
        standard.place,
        fmt::format("the default of a boolean input is true or false, not '{}'", standard.text));
  }
}

void check_schedule(const Template& schedule, Findings& findings) {
  for (const auto& item : schedule.items) {
    const auto& cron = item["cron"];
    if (!cron.is_string() || is_cron(cron.text)) continue;
    findings.add(
        cron.place,
        "Invalid cron expression. Expected format: '* * * * *' (minute hour day month weekday)");
  }
}

Trigger read_trigger(const Template& key, const Template& value, Findings& findings) {
  Trigger trigger;
  trigger.event = key.text;
  trigger.place = key.place;
  trigger.types = texts(value["types"]);
  trigger.branches = read_filter(value, "branches");
  trigger.tags = read_filter(value, "tags");
  trigger.paths = read_filter(value, "paths");
  trigger.workflows = texts(value["workflows"]);
  for (const auto& item : value.items) trigger.crons.push_back(item["cron"].text);
  if (trigger.event == "schedule") check_schedule(value, findings);
  trigger.inputs = read_inputs(value["inputs"]);
  for (std::size_t i = 0; i < trigger.inputs.size(); ++i) {
    check_input(trigger.inputs[i], value["inputs"].entries[i].value, findings);
  }
  for (const auto& [name, secret, is_insert] : value["secrets"].entries) {
    trigger.secrets.push_back({name.text, secret["required"].boolean, name.place});
  }
  for (const auto& [name, output, is_insert] : value["outputs"].entries) {
    trigger.outputs.emplace_back(name.text, output["value"]);
  }
  return trigger;
}

}  // namespace

std::vector<Trigger> read_triggers(const Template& on, Findings& findings) {
  static const Template nothing;
  std::vector<Trigger> result;
  if (on.is_string()) result.push_back(read_trigger(on, nothing, findings));
  for (const auto& item : on.items) result.push_back(read_trigger(item, nothing, findings));
  for (const auto& entry : on.entries)
    result.push_back(read_trigger(entry.key, entry.value, findings));
  return result;
}

Permissions read_permissions(const Template& value) {
  Permissions permissions;
  if (value.is_absent()) return permissions;
  permissions.given = true;
  permissions.place = value.place;
  auto access = [](const std::string& word) {
    return word.starts_with("write")  ? Access::write
           : word.starts_with("read") ? Access::read
                                      : Access::none;
  };
  if (value.is_string()) {
    permissions.all = access(value.text);
    // Nobody writes models or alerts.
    for (const char* scope : {"models", "vulnerability-alerts"})
      permissions.scopes[scope] = Access::read;
  }
  for (const auto& entry : value.entries)
    permissions.scopes[entry.key.text] = access(entry.value.text);
  return permissions;
}

Defaults read_defaults(const Template& value) {
  const auto& run = value["run"];
  return {run["shell"], run["working-directory"]};
}

}  // namespace slipway::workflow
