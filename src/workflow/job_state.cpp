// SPDX-License-Identifier: Apache-2.0
#include "workflow/job_state.hpp"

#include "base/text.hpp"
#include "workflow/run_spans.hpp"

namespace slipway::workflow {
namespace {

// The members of `github` that processes see as GITHUB_*.
//   source  actions/runner GitHubContext.cs
constexpr std::string_view kInEnvironment[] = {"action",
                                               "action_path",
                                               "action_ref",
                                               "action_repository",
                                               "actor",
                                               "actor_id",
                                               "api_url",
                                               "base_ref",
                                               "env",
                                               "event_name",
                                               "event_path",
                                               "graphql_url",
                                               "head_ref",
                                               "job",
                                               "output",
                                               "path",
                                               "ref",
                                               "ref_name",
                                               "ref_protected",
                                               "ref_type",
                                               "repository",
                                               "repository_id",
                                               "repository_owner",
                                               "repository_owner_id",
                                               "retention_days",
                                               "run_attempt",
                                               "run_id",
                                               "run_number",
                                               "server_url",
                                               "sha",
                                               "state",
                                               "step_summary",
                                               "triggering_actor",
                                               "workflow",
                                               "workflow_ref",
                                               "workflow_sha",
                                               "workspace"};

Value steps_context(const Scope& scope) {
  std::vector<Value::Member> steps;
  for (const auto& record : scope.records) {
    std::vector<Value::Member> outputs;
    for (const auto& [name, value] : record.outputs) outputs.emplace_back(name, value);
    steps.emplace_back(record.id, Value::object({{"outputs", Value::object(std::move(outputs))},
                                                 {"outcome", name_of(record.outcome)},
                                                 {"conclusion", name_of(record.conclusion)}}));
  }
  return Value::object(std::move(steps));
}

std::string status_text(const JobState& job, Conclusion status) {
  return std::string(job.is_cancelled() ? "cancelled" : name_of(status));
}

formats::Json without_secrets(const Variables& variables, const Masker& masker) {
  auto env = formats::Json::object();
  for (const auto& [name, value] : variables) {
    if (!masker.hides_something_in(value)) env[name] = value;
  }
  return env;
}

}  // namespace

formats::Json kept_machine_json(const JobState& job, const std::string& id,
                                const MachinePaths& paths,
                                const std::optional<ContainerOrder>& container) {
  auto env = without_secrets(job.failed_env, job.masker);
  if (env.empty())
    env = formats::Json::object(
        {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
         {"HOME", paths.home}});
  auto about = formats::Json::object(
      {{"job", id},
       {"repository", job.order.event.repository},
       {"directory", job.failed_directory.empty() ? paths.workspace : job.failed_directory},
       {"env", env}});
  if (!container) return about;
  auto volumes = formats::Json::array();
  for (const auto& volume : container->volumes) volumes.push_back(volume);
  about["container"] = formats::Json::object({{"image", container->image},
                                              {"env", without_secrets(container->env, job.masker)},
                                              {"volumes", volumes},
                                              {"options", container->options}});
  return about;
}

Value to_value(const Variables& variables, KeyCase keys) {
  std::vector<Value::Member> members;
  for (const auto& [name, value] : variables) members.emplace_back(name, value);
  return Value::object(std::move(members), keys);
}

Variables to_variables(const Value& value) {
  Variables variables;
  if (value.is_object()) {
    for (const auto& [name, member] : value.members()) variables[name] = member.to_string();
  }
  return variables;
}

std::string to_text(const Value& value) { return value.to_string(); }

Contexts contexts_of(const JobState& job, const Scope& scope, const Variables& step_env,
                     const std::string& step_id) {
  Contexts contexts;
  contexts.values = job.base.values;
  auto env = job.env;
  for (const auto& [name, value] : scope.env) env[name] = value;
  for (const auto& [name, value] : step_env) env[name] = value;
  contexts.values["env"] = to_value(env, KeyCase::exact);
  contexts.values["steps"] = steps_context(scope);
  contexts.values["job"] = job.job_context.with("status", status_text(job, job.main->status));
  auto& github = contexts.values["github"];
  github = github.with("action", step_id);
  if (scope.is_composite) {
    github = github.with("action_path", scope.action_path)
                 .with("action_ref", scope.action_ref)
                 .with("action_repository", scope.action_repository)
                 .with("action_status", status_text(job, scope.status));
    contexts.values["inputs"] = scope.inputs;
    contexts.values.erase("secrets");
    contexts.values.erase("needs");
    contexts.values.erase("vars");
  }
  return contexts;
}

Variables process_env(const JobState& job, const StepCall& call) {
  Variables env = job.machine->base_env();
  for (const auto& [name, value] : job.services.job_env) env[name] = value;
  env["CI"] = "true";
  env.try_emplace("RUNNER_TRACKING_ID",
                  "slipway_" + job.order.facts.run_id + "_" + job.reporter.job());
  for (const Variables* layer :
       std::initializer_list<const Variables*>{&job.env, &call.scope.env, &call.env}) {
    for (const auto& [name, value] : *layer) env[name] = value;
  }
  auto path = env["PATH"];
  for (const auto& directory : job.path) path = path.empty() ? directory : directory + ":" + path;
  env["PATH"] = path;

  const auto& github = call.contexts.values.at("github");
  for (auto name : kInEnvironment) {
    const auto* value = github.find(name);
    if (value && !value->is_null()) env["GITHUB_" + to_upper(name)] = value->to_string();
  }
  env["GITHUB_ACTIONS"] = "true";
  if (const auto& runner = call.contexts.values.at("runner"); runner.is_object()) {
    for (const auto& [name, value] : runner.members())
      env["RUNNER_" + to_upper(name)] = value.to_string();
  }
  if (job.grant && !job.grant->token.empty()) {
    env["ACTIONS_ID_TOKEN_REQUEST_URL"] = job.grant->url;
    env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = job.grant->token;
  }
  if (const auto& trace = job.order.facts.trace; !trace.trace.empty()) {
    env["TRACEPARENT"] = formats::print_traceparent(
        step_span(trace, job.reporter.job(), call.output.label().number));
  }
  return env;
}

void add_runtime(const JobState& job, Variables& env, bool is_container) {
  if (!job.grant) return;
  for (const char* name : {"ACTIONS_RUNTIME_URL", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL"})
    env[name] = job.grant->service_url;
  env["ACTIONS_RUNTIME_TOKEN"] = job.grant->runtime_token;
  if (!is_container) env["ACTIONS_CACHE_SERVICE_V2"] = "True";
}

}  // namespace slipway::workflow
