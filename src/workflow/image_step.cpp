// SPDX-License-Identifier: Apache-2.0
// Steps that are containers: `uses: docker://…` and docker actions.
//   source  actions/runner ContainerActionHandler.cs
#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/action_inputs.hpp"
#include "workflow/shell.hpp"
#include "workflow/step_files.hpp"
#include "workflow/step_runner.hpp"

namespace slipway::workflow {
namespace {

std::string input_or(const Variables& inputs, const std::string& name) {
  auto found = inputs.find(name);
  return found == inputs.end() ? "" : found->second;
}

// An action's own image: a reference, or the Dockerfile beside which it is built.
void set_image(ContainerOrder& order, const PreparedAction& action, const JobMachine& machine) {
  constexpr std::string_view kImage = "docker://";
  if (action.file.image.starts_with(kImage)) {
    order.image = action.file.image.substr(kImage.size());
    return;
  }
  auto file = machine.outside(
      (std::filesystem::path(action.directory) / action.file.image).lexically_normal().string());
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(file))) {
    fail(Fault::not_found, "the action's image '{}' is no file of it", action.file.image);
  }
  order.image = action.file.image;
  order.dockerfile = file;
}

}  // namespace

Conclusion StepRunner::run_image(StepCall& call, const ImageStage& stage) {
  StepFiles files(*job_.machine, call);
  ContainerOrder order{.image = stage.image, .env = process_env(job_, call)};
  if (stage.action) set_image(order, *stage.action, *job_.machine);
  auto contexts = call.contexts;
  contexts.values["inputs"] = to_value(stage.inputs);
  std::vector<std::string> args;
  if (stage.action && !stage.action->file.args.is_absent()) {
    for (Value arguments = evaluate(stage.action->file.args, contexts);
         const auto& item : arguments.items())
      args.push_back(item.to_string());
  } else {
    args = split_command_line(input_or(stage.inputs, "args"));
  }
  if (stage.action && !stage.action->file.env.is_absent()) {
    for (const auto& [name, value] :
         to_variables(evaluate(stage.action->file.env, contexts, KeyCase::exact)))
      order.env.try_emplace(name, value);
  }
  add_runtime(job_, order.env, true);
  for (const auto& [name, value] : stage.inputs) order.env[input_variable(name)] = value;
  for (const auto& [name, value] : stage.state->saved) order.env["STATE_" + name] = value;
  auto entrypoint = split_command_line(stage.entrypoint);
  auto exit = job_.machine->run_container(
      order, entrypoint, args, [&](std::string_view bytes) { call.output.feed(bytes); }, call.stop);
  call.output.flush();
  files.read(call.output);
  for (const auto& [name, value] : call.output.effects().state) stage.state->saved[name] = value;
  call.output.effects().state.clear();
  if (exit.ok()) return Conclusion::success;
  if (call.stop.stop_requested()) return Conclusion::cancelled;
  auto message = fmt::format("Docker run failed with exit code {}", exit.status());
  call.output.annotate(Severity::error, message);
  note_error(message);
  return Conclusion::failure;
}

Conclusion StepRunner::run_image_stage(StepCall& call,
                                       const std::shared_ptr<PreparedAction>& action,
                                       const std::string& entrypoint, const Variables& inputs) {
  return run_image(call,
                   {.image = {},
                    .action = action,
                    .inputs = inputs,
                    .entrypoint = entrypoint.empty() ? input_or(inputs, "entrypoint") : entrypoint,
                    .state = state_of(call)});
}

Conclusion StepRunner::run_image_step(StepCall& call, const std::string& image,
                                      const Variables& inputs) {
  return run_image(call, {.image = image,
                          .action = nullptr,
                          .inputs = inputs,
                          .entrypoint = input_or(inputs, "entrypoint"),
                          .state = state_of(call)});
}

}  // namespace slipway::workflow
