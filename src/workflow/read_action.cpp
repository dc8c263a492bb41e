// SPDX-License-Identifier: Apache-2.0
#include "formats/yaml.hpp"
#include "workflow/read_parts.hpp"
#include "workflow/read_workflow.hpp"

namespace slipway::workflow {
namespace {

void convert_runs(Template runs, ActionFile& action, Findings& findings) {
  const auto& using_text = runs["using"].text;
  const auto& if_available = action_schema().at("runs-if").available;
  action.pre_if = read_condition(runs["pre-if"], if_available, false, findings);
  action.post_if = read_condition(runs["post-if"], if_available, false, findings);
  action.main = runs["main"].text;
  action.pre = runs["pre"].text;
  action.post = runs["post"].text;
  action.image = runs["image"].text;
  action.entrypoint = runs["entrypoint"].text;
  action.pre_entrypoint = runs["pre-entrypoint"].text;
  action.post_entrypoint = runs["post-entrypoint"].text;
  action.args = runs["args"];
  action.env = runs["env"];
  if (using_text == "composite") {
    action.runs = ActionFile::Runs::composite;
    auto steps = runs.take("steps");
    action.steps = read_steps(steps, action_schema().at("step-if").available, findings);
  } else if (using_text == "docker") {
    action.runs = ActionFile::Runs::docker;
  } else {
    action.runs = ActionFile::Runs::node;
    action.node = using_text;
  }
}

}  // namespace

ReadActionResult read_action(std::string_view text, const std::string& file) {
  ReadActionResult result;
  result.action.file = file;
  auto document = formats::parse_yaml(text, file);
  if (!document.ok()) {
    result.diagnostics = std::move(document.diagnostics);
    return result;
  }
  Findings findings(file);
  auto root = read_by_schema(document.root, action_schema().at("action"), findings);
  result.action.name = root["name"].text;
  for (const auto& entry : root["inputs"].entries) {
    ActionFile::Input input;
    input.name = entry.key.text;
    input.required = entry.value["required"].boolean;
    input.standard = entry.value["default"];
    input.deprecation = entry.value["deprecationMessage"].text;
    result.action.inputs.push_back(std::move(input));
  }
  for (const auto& entry : root["outputs"].entries) {
    result.action.outputs.push_back({entry.key.text, entry.value["value"]});
  }
  convert_runs(root.take("runs"), result.action, findings);
  result.diagnostics = findings.take();
  return result;
}

}  // namespace slipway::workflow
