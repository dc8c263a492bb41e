// SPDX-License-Identifier: Apache-2.0
#include "workflow/action_inputs.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::workflow {
namespace {

struct Declared {
  std::string name;
  std::string deprecation;  // what the action says about it; empty: it is not deprecated
  std::function<std::optional<std::string>(const Contexts&)> standard;
};

// The names in `with`.
void warn_of(StepCall& call, const Variables& given, const std::vector<Declared>& declared,
             bool is_docker) {
  std::vector<std::string> unknown;
  for (const auto& [name, value] : given) {
    auto known = std::find_if(declared.begin(), declared.end(),
                              [name = name](const auto& d) { return to_lower(d.name) == name; });
    if (known != declared.end()) {
      if (!known->deprecation.empty())
        call.output.annotate(Severity::warning,
                             fmt::format("Input '{}' has been deprecated with message: {}",
                                         known->name, known->deprecation));
    } else if (!is_docker || (name != "entrypoint" && name != "args")) {
      unknown.push_back("'" + name + "'");
    }
  }
  if (unknown.empty()) return;
  std::vector<std::string> valid;
  for (const auto& d : declared) valid.push_back("'" + d.name + "'");
  call.output.annotate(Severity::warning,
                       fmt::format("Unexpected input(s) {}, valid inputs are [{}]",
                                   join(unknown, ", "), join(valid, ", ")));
}

Variables evaluated(StepCall& call, const std::vector<Declared>& declared, bool is_docker) {
  Variables inputs;
  if (!call.step->with.is_absent()) {
    auto with = evaluate(call.step->with, call.contexts);
    if (with.is_object()) {
      for (const auto& [name, value] : with.members()) inputs[to_lower(name)] = value.to_string();
    }
  }
  warn_of(call, inputs, declared, is_docker);
  for (const auto& d : declared) {
    if (inputs.contains(to_lower(d.name))) continue;
    if (auto value = d.standard(call.contexts)) inputs[to_lower(d.name)] = *value;
  }
  return inputs;
}

}  // namespace

Variables inputs_of(StepCall& call, const ActionFile& file) {
  std::vector<Declared> declared;
  for (const auto& input : file.inputs) {
    declared.push_back({input.name, input.deprecation,
                        [&input](const Contexts& contexts) -> std::optional<std::string> {
                          if (input.standard.is_absent()) return std::nullopt;
                          return evaluate_text(input.standard, contexts);
                        }});
  }
  return evaluated(call, declared, file.runs == ActionFile::Runs::docker);
}

Variables inputs_of(StepCall& call, const std::vector<ActionInput>& inputs) {
  std::vector<Declared> declared;
  for (const auto& input : inputs) {
    declared.push_back(
        {input.name, "", [&input](const Contexts& contexts) -> std::optional<std::string> {
           if (!input.standard) return std::nullopt;
           return interpolate(*input.standard, contexts);
         }});
  }
  return evaluated(call, declared, false);
}

void show_action_header(StepCall& call, const Variables& inputs) {
  call.output.group("Run " + call.step->uses);
  std::string text;
  if (!inputs.empty()) text += "with:\n";
  for (const auto& [name, value] : inputs) text += fmt::format("  {}: {}\n", name, value);
  if (!call.env.empty()) text += "env:\n";
  for (const auto& [name, value] : call.env) text += fmt::format("  {}: {}\n", name, value);
  if (!text.empty()) call.output.say(text);
  call.output.end_group();
}

std::string input_variable(std::string_view name) {
  return "INPUT_" + replace_all(to_upper(name), " ", "_");
}

std::string interpolate(std::string_view text, const Contexts& contexts) {
  static const Availability kAvailable{
      {"github", "strategy", "matrix", "job", "runner", "inputs", "env"}, {{"hashFiles", 1, 255}}};
  std::string out;
  while (!text.empty()) {
    auto begin = text.find("${{");
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) break;
    auto end = begin + 3;
    for (bool quoted = false; end < text.size() && (quoted || text.substr(end, 2) != "}}"); ++end) {
      if (text[end] == '\'') quoted = !quoted;
    }
    if (end >= text.size()) fail(Fault::bad_input, "'{}' has no end to its '${{{{'", text);
    auto parsed = parse_expression(text.substr(begin + 3, end - begin - 3), kAvailable);
    if (auto* error = std::get_if<ExpressionError>(&parsed))
      fail(Fault::bad_input, "{}", error->message);
    out += evaluate(std::get<Expression>(parsed), contexts).to_string();
    text.remove_prefix(end + 2);
  }
  return out;
}

}  // namespace slipway::workflow
