// SPDX-License-Identifier: Apache-2.0
// Actions of steps: where their code comes from, and the four ways of running it.
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/action_inputs.hpp"
#include "workflow/builtin_context.hpp"
#include "workflow/own_repository.hpp"
#include "workflow/read_workflow.hpp"
#include "workflow/shell.hpp"
#include "workflow/step_files.hpp"
#include "workflow/step_runner.hpp"

namespace slipway::workflow {
namespace {

constexpr std::string_view kPre = "Pre ";

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

// What an action is told of itself; a local one nothing.
void name_action(StepCall& call, const std::string& repository, const std::string& ref) {
  auto& github = call.contexts.values["github"];
  github = github.with("action_repository", repository.empty() ? Value() : Value(repository))
               .with("action_ref", ref.empty() ? Value() : Value(ref));
}

// A reference in a step of `parent`'s: "$/path" is in the repository that says it, at the same commit.
ActionReference reference_in(const std::string& uses, const std::string& repository,
                             const std::string& ref) {
  if (!uses.starts_with("$/") || repository.empty()) return parse_action_reference(uses);
  return parse_action_reference(fmt::format("{}{}@{}", repository, uses.substr(1), ref));
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

void StepRunner::add_post(Scope& scope, PostStep post) {
  auto& posts = scope.posts ? *scope.posts : job_.posts;
  posts.push_back(std::move(post));
}

Action* StepRunner::find_builtin(const RemoteAction& action) const {
  return job_.services.builtins.find(to_lower(action.full_name()), action.ref);
}

StepRunner::Use StepRunner::use_of(const StepCall& call) {
  return {call.step, call.scope.is_composite ? &call.scope : nullptr};
}

std::shared_ptr<ActionState> StepRunner::state_of(const StepCall& call) {
  auto& state = states_[use_of(call)];
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
    auto reference = reference_in(step.uses, made->repository, made->ref);
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

std::shared_ptr<PreparedAction> StepRunner::action_with_pre(const Step& step,
                                                            const PreparedAction* parent) const {
  if (step.uses.empty()) return nullptr;
  auto reference = parent ? reference_in(step.uses, parent->repository, parent->ref)
                          : parse_action_reference(step.uses);
  auto* remote = std::get_if<RemoteAction>(&reference);
  auto found = remote ? prepared_.find(key_of(*remote)) : prepared_.end();
  if (found == prepared_.end()) return nullptr;
  const auto& file = found->second->file;
  bool has_pre = !file.pre.empty() || !file.pre_entrypoint.empty() ||
                 std::any_of(file.steps.begin(), file.steps.end(), [&](const Step& inner) {
                   return action_with_pre(inner, found->second.get()) != nullptr;
                 });
  return has_pre ? found->second : nullptr;
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
                  [this](const Step& step) { return action_with_pre(step, nullptr) != nullptr; }))
    return 0;
  auto first = std::find_if(steps.begin(), steps.end(),
                            [this](const Step& step) { return may_meet_services(step); });
  return static_cast<std::size_t>(first - steps.begin());
}

void StepRunner::run_pre(const std::vector<Step>& steps) {
  auto worst = Conclusion::success;
  for (const auto& step : steps) {
    if (auto action = action_with_pre(step, nullptr))
      run_pre_of(step, action, job_.main, nullptr, worst);
  }
}

void StepRunner::run_pre_of(const Step& step, const std::shared_ptr<PreparedAction>& action,
                            const std::shared_ptr<Scope>& scope, StepOutput* around,
                            Conclusion& worst) {
  PostStep pre{.title = std::string(kPre) + step_title(step, std::nullopt, ""),
               .id = step.id,
               .step = &step,
               .condition = action->file.pre_if,
               .scope = scope,
               .body = [this, action](StepCall& call) { return run_pre_stage(call, action); }};
  if (run_stage(pre, around) == Conclusion::failure) worst = Conclusion::failure;
}

Conclusion StepRunner::run_pre_stage(StepCall& call,
                                     const std::shared_ptr<PreparedAction>& action) {
  const auto& file = action->file;
  name_action(call, action->repository, action->ref);
  if (file.runs == ActionFile::Runs::composite) return run_composite_pre(call, action);
  remember_post(call, action);
  auto inputs = inputs_of(call, file);
  show_action_header(call, inputs);
  if (file.runs == ActionFile::Runs::docker)
    return run_image_stage(call, action, file.pre_entrypoint, inputs);
  return run_node(call, *action, file.pre, inputs, *state_of(call));
}

std::string StepRunner::post_title(const StepCall& call) {
  auto title = std::string_view(call.title);
  if (!call.is_main && title.starts_with(kPre)) title.remove_prefix(kPre.size());
  return fmt::format("Post {}", title);
}

// A post is for what has begun, be it the pre stage only, and comes once.
void StepRunner::remember_post(StepCall& call, const std::shared_ptr<PreparedAction>& action) {
  const auto& file = action->file;
  auto state = state_of(call);
  bool is_image = file.runs == ActionFile::Runs::docker;
  if (state->has_post || (is_image ? file.post_entrypoint : file.post).empty()) return;
  state->has_post = true;
  add_post(call.scope,
           {.title = post_title(call),
            .id = call.id,
            .step = call.step,
            .condition = file.post_if,
            .scope = call.owner,
            .body = [this, action, is_image](StepCall& post) {
              name_action(post, action->repository, action->ref);
              post.output.say("Post job cleanup.");
              auto inputs = inputs_of(post, action->file);
              if (is_image)
                return run_image_stage(post, action, action->file.post_entrypoint, inputs);
              return run_node(post, *action, action->file.post, inputs, *state_of(post));
            }});
}

Conclusion StepRunner::run_uses(StepCall& call) {
  auto reference =
      reference_in(call.step->uses, call.scope.action_repository, call.scope.action_ref);
  if (auto* image = std::get_if<ImageAction>(&reference)) {
    Variables inputs;
    if (!call.step->with.is_absent()) {
      for (const auto& [name, value] : to_variables(evaluate(call.step->with, call.contexts)))
        inputs[to_lower(name)] = value;
    }
    show_action_header(call, inputs);
    return run_image_step(call, image->image, inputs);
  }
  if (auto* local = std::get_if<LocalAction>(&reference)) {
    auto action = std::make_shared<PreparedAction>(read_local(*local));
    name_action(call, "", "");
    if (!action->file.pre.empty() || !action->file.pre_entrypoint.empty()) {
      call.output.annotate(
          Severity::warning,
          fmt::format("`pre` execution is not supported for local action from '{}'", local->path));
    }
    return run_action(call, action);
  }
  const auto& remote = std::get<RemoteAction>(reference);
  name_action(call, remote.name(), remote.ref);
  if (auto* builtin = find_builtin(remote)) return run_builtin(call, *builtin);
  return run_action(call, prepare_remote(remote, call.output, call.scope.depth));
}

Conclusion StepRunner::run_action(StepCall& call, const std::shared_ptr<PreparedAction>& action) {
  if (call.scope.depth >= kDeepestComposite)
    fail(Fault::bad_input, "actions are nested more than {} deep", kDeepestComposite);
  const auto& file = action->file;
  if (file.runs == ActionFile::Runs::composite) return run_composite(call, action);
  auto inputs = inputs_of(call, file);
  show_action_header(call, inputs);
  remember_post(call, action);
  if (file.runs == ActionFile::Runs::docker)
    return run_image_stage(call, action, file.entrypoint, inputs);
  return run_node(call, *action, file.main, inputs, *state_of(call));
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
  auto declared = action.inputs();
  auto inputs = inputs_of(call, declared);
  show_action_header(call, inputs);
  auto state = state_of(call);
  for (const auto& input : declared) {
    auto given = inputs.find(to_lower(input.name));
    if (input.required && (given == inputs.end() || given->second.empty())) {
      fail(Fault::bad_input, "Input required and not supplied: {}", input.name);
    }
  }
  if (action.has_post()) {
    auto body = [this, &action, declared, state](StepCall& post) {
      auto again = inputs_of(post, declared);
      BuiltinContext context(job_, post, again, *state);
      action.post(context);
      return Conclusion::success;
    };
    add_post(call.scope,
             {.title = post_title(call),
              .id = call.id,
              .step = call.step,
              .condition = action.posts_only_after_success() ? if_success() : Condition{},
              .scope = call.owner,
              .body = std::move(body)});
  }
  BuiltinContext context(job_, call, inputs, *state);
  action.run(context);
  return Conclusion::success;
}

}  // namespace slipway::workflow
