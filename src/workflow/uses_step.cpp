// SPDX-License-Identifier: Apache-2.0
// Actions of steps: where their code comes from, and the four ways of running it.
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/builtin_context.hpp"
#include "workflow/own_repository.hpp"
#include "workflow/read_workflow.hpp"
#include "workflow/shell.hpp"
#include "workflow/step_files.hpp"
#include "workflow/step_runner.hpp"

namespace slipway::workflow {
namespace {

constexpr int kDeepestComposite = 9;

std::string key_of(const RemoteAction& action) {
  return to_lower(action.full_name()) + "@" + action.ref;
}

ActionFile read_action_file(const std::filesystem::path& directory, const std::string& shown) {
  for (const char* name : {"action.yml", "action.yaml"}) {
    auto text = os::read_file_if_exists(directory / name);
    if (!text) continue;
    auto read = read_action(*text, shown + "/" + name);
    if (!read.ok()) throw_diagnostics(read.diagnostics);
    return std::move(read.action);
  }
  if (std::filesystem::exists(directory / "Dockerfile")) {
    ActionFile file;
    file.file = shown + "/Dockerfile";
    file.runs = ActionFile::Runs::docker;
    file.image = "Dockerfile";
    return file;
  }
  fail(Fault::not_found,
       "Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '{}'. Did you forget to run "
       "actions/checkout before running your local action?",
       shown);
}

struct Declared {
  std::string name;
  std::function<std::optional<std::string>(const Contexts&)> standard;
};

// What stands in `with`, and the defaults of what does not. Names in lower case.
Variables inputs_of(StepCall& call, const std::vector<Declared>& declared, bool is_docker) {
  Variables inputs;
  std::vector<std::string> unknown;
  if (!call.step->with.is_absent()) {
    auto with = evaluate(call.step->with, call.contexts);
    if (with.is_object()) {
      for (const auto& [name, value] : with.members()) inputs[to_lower(name)] = value.to_string();
    }
  }
  for (const auto& [name, value] : inputs) {
    bool is_known = std::any_of(declared.begin(), declared.end(),
                                [name = name](const auto& d) { return to_lower(d.name) == name; });
    if (is_docker && (name == "entrypoint" || name == "args")) is_known = true;
    if (!is_known) unknown.push_back("'" + name + "'");
  }
  if (!unknown.empty()) {
    std::vector<std::string> valid;
    for (const auto& d : declared) valid.push_back("'" + d.name + "'");
    call.output.annotate(Severity::warning,
                         fmt::format("Unexpected input(s) {}, valid inputs are [{}]",
                                     join(unknown, ", "), join(valid, ", ")));
  }
  for (const auto& d : declared) {
    if (inputs.contains(to_lower(d.name))) continue;
    if (auto value = d.standard(call.contexts)) inputs[to_lower(d.name)] = *value;
  }
  return inputs;
}

Variables inputs_of(StepCall& call, const ActionFile& file) {
  std::vector<Declared> declared;
  for (const auto& input : file.inputs) {
    declared.push_back(
        {input.name, [&input](const Contexts& contexts) -> std::optional<std::string> {
           if (input.standard.is_absent()) return std::nullopt;
           return evaluate_text(input.standard, contexts);
         }});
  }
  return inputs_of(call, declared, file.runs == ActionFile::Runs::docker);
}

void show_action_header(StepCall& call, const std::string& uses, const Variables& inputs) {
  call.output.group("Run " + uses);
  std::string text;
  if (!inputs.empty()) text += "with:\n";
  for (const auto& [name, value] : inputs) text += fmt::format("  {}: {}\n", name, value);
  if (!call.env.empty()) text += "env:\n";
  for (const auto& [name, value] : call.env) text += fmt::format("  {}: {}\n", name, value);
  if (!text.empty()) call.output.say(text);
  call.output.end_group();
}

Condition if_success() {
  static const Availability kAvailable{{}, {{"success", 0, 0}}};
  return {.expression = std::get<Expression>(parse_expression("success()", kAvailable)),
          .text = "success()",
          .place = {}};
}

void copy_tree(const std::filesystem::path& from, const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  os::make_dirs(to);
  std::error_code error;
  fs::copy(from, to,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks |
               fs::copy_options::overwrite_existing,
           error);
  if (error)
    fail(Fault::unavailable, "copying the action from '{}': {}", from.string(), error.message());
}

// Whether checkout's own code is going to fetch the repository that the run is of.
bool takes_own_repository(const JobState& job, const Variables& inputs) {
  auto wanted = inputs.find("repository");
  auto own = job.base.values.at("github").get("repository").to_string();
  if (wanted != inputs.end() && !wanted->second.empty() &&
      to_lower(wanted->second) != to_lower(own))
    return false;
  if (job.order.dirty)
    fail(Fault::unsupported,
         "--dirty is not supported yet with the checkout action's own code, which takes commits");
  return true;
}

// The node that actions run on, which is not the one that a step put into PATH: of the version asked for in the tool cache, else
// the machine's own. `wanted` is "node24".
std::optional<std::string> runner_node(const JobMachine& machine, std::string_view wanted) {
  auto places = machine.paths().tool_cache + "/node";
  auto prefix = std::string(wanted.substr(std::string_view("node").size())) + ".";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(machine.outside(places), error)) {
    auto version = entry.path().filename().string();
    if (!version.starts_with(prefix)) continue;
    for (const char* architecture : {"x64", "arm64"}) {
      if (auto node = machine.find_program(
              fmt::format("{}/{}/{}/bin/node", places, version, architecture), ""))
        return node;
    }
  }
  auto path = machine.base_env().find("PATH");
  return machine.find_program(
      "node", path == machine.base_env().end() ? "/usr/local/bin:/usr/bin:/bin" : path->second);
}

}  // namespace

std::string input_variable(std::string_view name) {
  return "INPUT_" + replace_all(to_upper(name), " ", "_");
}

void StepRunner::add_post(PostStep post) { job_.posts.push_back(std::move(post)); }

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

Action* StepRunner::find_builtin(const RemoteAction& action) const {
  return job_.services.builtins.find(to_lower(action.full_name()), action.ref);
}

std::shared_ptr<ActionState> StepRunner::state_of(const Step* step, const Scope* scope) {
  auto& state = states_[{step, scope}];
  if (!state) state = std::make_shared<ActionState>();
  return state;
}

std::shared_ptr<PreparedAction> StepRunner::prepare_remote(const RemoteAction& action,
                                                           StepOutput& output, int depth) {
  if (depth > kDeepestComposite)
    fail(Fault::bad_input, "actions are nested more than {} deep", kDeepestComposite);
  auto& prepared = prepared_[key_of(action)];
  if (prepared) return prepared;
  auto found = job_.services.actions.find(action, job_.stop);
  output.say(fmt::format("Download action repository '{}@{}'{}", action.name(), action.ref,
                         found.sha.empty() ? "" : " (SHA:" + found.sha + ")"));
  auto inside = fmt::format("{}/{}/{}/{}", job_.machine->paths().actions, action.owner,
                            action.repository, replace_all(action.ref, "/", "_"));
  auto outside = job_.machine->outside(inside);
  if (!std::filesystem::exists(outside)) copy_tree(found.directory, outside);
  auto made = std::make_shared<PreparedAction>();
  made->directory = action.path.empty() ? inside : inside + "/" + action.path;
  made->repository = action.name();
  made->ref = action.ref;
  made->file =
      read_action_file(action.path.empty() ? outside : outside / action.path, action.full_name());
  prepared = made;
  for (const auto& step : made->file.steps) {
    if (step.uses.empty()) continue;
    auto reference = parse_action_reference(step.uses);
    if (auto* nested = std::get_if<RemoteAction>(&reference); nested && !find_builtin(*nested)) {
      prepare_remote(*nested, output, depth + 1);
    }
  }
  return made;
}

PreparedAction StepRunner::read_local(const LocalAction& action) const {
  PreparedAction prepared;
  prepared.directory = (std::filesystem::path(job_.machine->paths().workspace) / action.path)
                           .lexically_normal()
                           .string();
  while (prepared.directory.size() > 1 && prepared.directory.back() == '/')
    prepared.directory.pop_back();
  prepared.file = read_action_file(job_.machine->outside(prepared.directory), prepared.directory);
  return prepared;
}

void StepRunner::prepare(const std::vector<Step>& steps, StepOutput& output) {
  for (const auto& step : steps) {
    if (step.uses.empty()) continue;
    auto reference = parse_action_reference(step.uses);
    auto* remote = std::get_if<RemoteAction>(&reference);
    if (remote && !find_builtin(*remote)) prepare_remote(*remote, output, 0);
  }
}

std::shared_ptr<PreparedAction> StepRunner::action_with_pre(const Step& step) const {
  if (step.uses.empty()) return nullptr;
  auto reference = parse_action_reference(step.uses);
  auto* remote = std::get_if<RemoteAction>(&reference);
  auto found = remote ? prepared_.find(key_of(*remote)) : prepared_.end();
  if (found == prepared_.end()) return nullptr;
  const auto& file = found->second->file;
  return file.pre.empty() && file.pre_entrypoint.empty() ? nullptr : found->second;
}

bool StepRunner::may_meet_services(const Step& step) const {
  if (step.uses.empty() || step.background) return true;
  auto reference = parse_action_reference(step.uses);
  auto* remote = std::get_if<RemoteAction>(&reference);
  auto* builtin = remote ? find_builtin(*remote) : nullptr;
  if (!builtin || !builtin->is_apart_from_services()) return true;
  auto parts = {&step.name, &step.env, &step.continue_on_error, &step.timeout_minutes, &step.with};
  return step.condition.expression.uses_context("job") ||
         std::any_of(parts.begin(), parts.end(),
                     [](const Template* part) { return part->uses_context("job"); });
}

std::size_t StepRunner::count_before_services(std::span<const Step> steps) const {
  if (std::any_of(steps.begin(), steps.end(),
                  [this](const Step& step) { return action_with_pre(step) != nullptr; }))
    return 0;
  auto first = std::find_if(steps.begin(), steps.end(),
                            [this](const Step& step) { return may_meet_services(step); });
  return static_cast<std::size_t>(first - steps.begin());
}

void StepRunner::run_pre(const std::vector<Step>& steps) {
  for (const auto& step : steps) {
    auto action = action_with_pre(step);
    if (!action) continue;
    PostStep pre{.title = "Pre " + step_title(step, std::nullopt, ""),
                 .id = step.id,
                 .condition = action->file.pre_if,
                 .scope = job_.main,
                 .env = {},
                 .body = [this, action, &step](StepCall& call) {
                   call.step = &step;
                   auto inputs = inputs_of(call, action->file);
                   auto state = state_of(&step, job_.main.get());
                   if (action->file.runs == ActionFile::Runs::docker) {
                     return run_image(call, {.image = {},
                                             .action = action,
                                             .inputs = inputs,
                                             .entrypoint = action->file.pre_entrypoint,
                                             .state = state});
                   }
                   return run_node(call, *action, action->file.pre, inputs, *state);
                 }};
    run_post(pre);
  }
}

Conclusion StepRunner::run_uses(StepCall& call) {
  auto uses = call.step->uses;
  // "$/path" is in the repository that says it: inside another repository's action that one, at the same commit.
  if (uses.starts_with("$/") && !call.scope.action_repository.empty())
    uses =
        fmt::format("{}{}@{}", call.scope.action_repository, uses.substr(1), call.scope.action_ref);
  auto reference = parse_action_reference(uses);
  if (auto* image = std::get_if<ImageAction>(&reference)) {
    Variables inputs;
    if (!call.step->with.is_absent()) {
      for (const auto& [name, value] : to_variables(evaluate(call.step->with, call.contexts)))
        inputs[to_lower(name)] = value;
    }
    show_action_header(call, call.step->uses, inputs);
    return run_image_step(call, image->image, inputs);
  }
  if (auto* local = std::get_if<LocalAction>(&reference)) {
    return run_action(call, std::make_shared<PreparedAction>(read_local(*local)));
  }
  const auto& remote = std::get<RemoteAction>(reference);
  auto& github = call.contexts.values["github"];
  github = github.with("action_repository", remote.name()).with("action_ref", remote.ref);
  if (auto* builtin = find_builtin(remote)) return run_builtin(call, *builtin);
  return run_action(call, prepare_remote(remote, call.output, call.scope.depth));
}

Conclusion StepRunner::run_action(StepCall& call, const std::shared_ptr<PreparedAction>& action) {
  if (call.scope.depth >= kDeepestComposite)
    fail(Fault::bad_input, "actions are nested more than {} deep", kDeepestComposite);
  const auto& file = action->file;
  if (file.runs == ActionFile::Runs::composite) return run_composite(call, action);
  if (file.runs == ActionFile::Runs::docker) {
    auto given = inputs_of(call, file);
    show_action_header(call, call.step->uses, given);
    return run_image_action(call, action, given);
  }
  auto inputs = inputs_of(call, file);
  show_action_header(call, call.step->uses, inputs);
  auto state = state_of(call.step, &call.scope);
  if (!file.post.empty()) {
    add_post({.title = "Post " + call.title,
              .id = call.id,
              .condition = file.post_if,
              .scope = call.owner,
              .env = call.env,
              .body = [this, action, inputs, state](StepCall& post) {
                return run_node(post, *action, action->file.post, inputs, *state);
              }});
  }
  return run_node(call, *action, file.main, inputs, *state);
}

Conclusion StepRunner::run_composite(StepCall& call,
                                     const std::shared_ptr<PreparedAction>& action) {
  auto inputs = inputs_of(call, action->file);
  show_action_header(call, call.step->uses, inputs);
  auto inner = std::make_shared<Scope>();
  inner->is_composite = true;
  inner->depth = call.scope.depth + 1;
  inner->inputs = to_value(inputs);
  inner->env = call.scope.env;
  for (const auto& [name, value] : call.env) inner->env[name] = value;
  inner->action_path = action->directory;
  inner->action_repository = action->repository;
  inner->action_ref = action->ref;
  for (const auto& step : action->file.steps) run_step(step, inner, &call.output);
  auto contexts = contexts_of(job_, *inner, {}, call.id);
  contexts.host = call.contexts.host;
  for (const auto& output : action->file.outputs) {
    call.output.effects().outputs.emplace_back(output.name, evaluate_text(output.value, contexts));
  }
  // The action's own steps outlive this call in the posts of its inner actions.
  for (auto& post : job_.posts) {
    if (post.scope == inner)
      post.body = [action, body = std::move(post.body)](StepCall& later) { return body(later); };
  }
  return inner->status;
}

Conclusion StepRunner::run_node(StepCall& call, const PreparedAction& action,
                                const std::string& script, const Variables& inputs,
                                ActionState& state) {
  auto& machine = *job_.machine;
  StepFiles files(machine, call);
  auto env = process_env(job_, call);
  add_runtime(job_, env, false);
  for (const auto& [name, value] : inputs) env[input_variable(name)] = value;
  for (const auto& [name, value] : state.saved) env["STATE_" + name] = value;
  if (to_lower(action.repository) == "actions/checkout" && takes_own_repository(job_, inputs))
    offer_own_repository(job_, env);
  auto node = runner_node(machine, action.file.node);
  if (!node)
    fail(Fault::not_found, "'{}' runs on {}, and there is no 'node' here: install nodejs",
         call.title, action.file.node);
  auto exit = execute(call, {*node, action.directory + "/" + script}, std::move(env),
                      machine.paths().workspace);
  files.read(call.output);
  for (const auto& [name, value] : call.output.effects().state) state.saved[name] = value;
  call.output.effects().state.clear();
  if (exit.ok()) return Conclusion::success;
  if (call.stop.stop_requested()) return Conclusion::cancelled;
  if (exit.signal != 0)
    call.output.annotate(Severity::error, "The action ended by " + os::to_string(exit));
  note_error(fmt::format("{} failed", call.title));
  return Conclusion::failure;
}

Conclusion StepRunner::run_builtin(StepCall& call, Action& action) {
  auto standards = action.inputs();
  std::vector<Declared> declared;
  for (const auto& input : standards) {
    declared.push_back(
        {input.name, [&input](const Contexts& contexts) -> std::optional<std::string> {
           if (!input.standard) return std::nullopt;
           return interpolate(*input.standard, contexts);
         }});
  }
  auto inputs = inputs_of(call, declared, false);
  show_action_header(call, call.step->uses, inputs);
  auto state = state_of(call.step, &call.scope);
  for (const auto& input : standards) {
    auto given = inputs.find(to_lower(input.name));
    if (input.required && (given == inputs.end() || given->second.empty())) {
      fail(Fault::bad_input, "Input required and not supplied: {}", input.name);
    }
  }
  if (action.has_post()) {
    add_post({.title = "Post " + call.title,
              .id = call.id,
              .condition = action.posts_only_after_success() ? if_success() : Condition{},
              .scope = call.owner,
              .env = call.env,
              .body = [this, &action, inputs, state](StepCall& post) {
                BuiltinContext context(job_, post, inputs, *state);
                action.post(context);
                return Conclusion::success;
              }});
  }
  BuiltinContext context(job_, call, inputs, *state);
  action.run(context);
  return Conclusion::success;
}

}  // namespace slipway::workflow
