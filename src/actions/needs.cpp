// SPDX-License-Identifier: Apache-2.0
#include "actions/needs.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"
#include "os/file.hpp"
#include "workflow/expr.hpp"
#include "workflow/template.hpp"

namespace slipway::actions {
namespace {

using deploy::EnvironmentNeed;
using deploy::Needs;
using deploy::ServiceNeed;
using formats::Json;
using workflow::Contexts;
using workflow::Job;
using workflow::Step;
using workflow::Template;
using workflow::Value;

// A job whose earlier jobs have all succeeded.
class AllWell final : public workflow::ExpressionHost {
 public:
  [[nodiscard]] bool success(const std::vector<std::string>&) const override { return true; }
  [[nodiscard]] bool failure(const std::vector<std::string>&) const override { return false; }
  [[nodiscard]] bool cancelled() const override { return false; }
};

// "aws-actions/amazon-ecr-login@v2" → "aws-actions/amazon-ecr-login".
std::string action_name(const std::string& uses) {
  return to_lower(uses.substr(0, uses.find('@')));
}

std::string input(const Step& step, std::string_view name, const Contexts& contexts) {
  const Template& value = step.with[name];
  return value.is_absent() ? "" : workflow::evaluate_text(value, contexts);
}

std::vector<std::string> input_lines(const Step& step, std::string_view name,
                                     const Contexts& contexts) {
  std::vector<std::string> lines;
  std::string text = input(step, name, contexts);
  for (auto line : lines_of(text)) {
    if (!trim(line).empty()) lines.emplace_back(trim(line));
  }
  return lines;
}

// What a render step puts into a task definition, its image aside.
deploy::RenderRequest render_request(const Step& step, const Contexts& contexts) {
  return {.containers = split(input(step, "container-name", contexts), ','),
          .image = "",
          .environment = input_lines(step, "environment-variables", contexts),
          .secrets = input_lines(step, "secrets", contexts),
          .env_files = input_lines(step, "env-files", contexts),
          .docker_labels = input_lines(step, "docker-labels", contexts),
          .log_driver = input(step, "log-configuration-log-driver", contexts),
          .log_options = input_lines(step, "log-configuration-options", contexts),
          .command = input(step, "command", contexts),
          .task_role_arn = input(step, "task-role-arn", contexts),
          .execution_role_arn = input(step, "execution-role-arn", contexts)};
}

std::string place(const workflow::Workflow& flow, const workflow::Place& where,
                  const std::string& message) {
  return to_string(Diagnostic{flow.file, where.line, where.column, message});
}

// The first of a render step's inputs that only a run can know; empty: all are known.
std::string unknown_input(const workflow::Workflow& flow, const Step& step) {
  for (const auto& entry : step.with.entries) {
    if (equals_ignoring_case(entry.key.text, "image") ||
        equals_ignoring_case(entry.key.text, "task-definition"))
      continue;
    for (const char* name : {"vars", "secrets", "inputs", "needs", "matrix", "steps"}) {
      if (entry.value.uses_context(name)) {
        return place(
            flow, entry.value.place,
            fmt::format("'{}' takes from '{}' what only a run knows", entry.key.text, name));
      }
    }
  }
  return "";
}

// The path that a container's own health check asks of its port: what a load balancer can ask too.
std::string health_path(const Json& container, int port) {
  const Json* check = container.find("healthCheck");
  if (!check) return "/";
  std::string text;
  for (const auto& word : check->get_array("command"))
    text += word.is_string() ? word.as_string() + " " : "";
  for (const char* host : {"127.0.0.1", "localhost", "0.0.0.0"}) {
    std::string start = fmt::format("{}:{}/", host, port);
    auto at = text.find(start);
    if (at == std::string::npos) continue;
    auto from = at + start.size() - 1;
    return text.substr(from, text.find_first_of("'\" )|;&?", from) - from);
  }
  return "/";
}

// Finds "http://NAME:PORT" in the task definitions' variables where NAME begins with the service's name: its private name.
void find_private_names(EnvironmentNeed& environment) {
  for (auto& service : environment.services) {
    for (const auto& other : environment.services) {
      for (const auto& container : other.task_definition.get_array("containerDefinitions")) {
        for (const auto& variable : container.get_array("environment")) {
          std::string value = variable.get_string("value");
          auto at = value.find("://" + service.name + ".");
          if (at == std::string::npos) continue;
          std::string authority = value.substr(at + 3, value.find('/', at + 3) - at - 3);
          auto colon = authority.find(':');
          service.private_name = authority.substr(0, colon);
          service.private_port =
              colon == std::string::npos
                  ? 80
                  : static_cast<int>(to_integer(authority.substr(colon + 1)).value_or(80));
        }
      }
    }
  }
}

class Reader final {
 public:
  Reader(const workflow::Event& event, const std::filesystem::path& root)
      : event_(event), root_(root) {}

  void read(const workflow::Workflow& flow, const std::string& ref) {
    workflow::Event at = event_;
    at.ref = ref;
    if (at.sha.empty()) at.sha = std::string(40, '0');
    for (const auto& job : flow.jobs) {
      if (!job.is_call()) read_job(flow, job, at);
    }
  }

  Needs take() {
    for (auto& environment : needs_.environments) find_private_names(environment);
    return std::move(needs_);
  }

 private:
  void read_job(const workflow::Workflow& flow, const Job& job, const workflow::Event& event) {
    bool touches_aws = std::any_of(job.steps.begin(), job.steps.end(), [](const Step& step) {
      return step.uses.starts_with("aws-actions/");
    });
    if (!touches_aws) return;
    AllWell host;
    Contexts contexts;
    contexts.host = &host;
    contexts.values["github"] = workflow::github_context(event, {});
    for (const char* empty :
         {"vars", "secrets", "inputs", "needs", "matrix", "strategy", "runner", "steps", "job"}) {
      contexts.values[empty] = Value::object({});
    }
    contexts.values["env"] =
        flow.env.is_absent() ? Value::object({}) : workflow::evaluate(flow.env, contexts);
    if (job.condition.expression.root() &&
        !workflow::evaluate(job.condition.expression, contexts).is_truthy())
      return;
    if (!job.env.is_absent()) {
      Value env = contexts.values["env"];
      Value own = workflow::evaluate(job.env, contexts);
      for (const auto& [name, value] : own.members()) env = env.with(name, value);
      contexts.values["env"] = env;
    }
    std::string environment;
    if (job.environment.is_mapping()) {
      environment = workflow::evaluate_text(job.environment["name"], contexts);
    } else if (!job.environment.is_absent()) {
      environment = workflow::evaluate_text(job.environment, contexts);
    }
    std::string subject =
        environment.empty() ? fmt::format("repo:{}:ref:{}", event.repository, event.ref)
                            : fmt::format("repo:{}:environment:{}", event.repository, environment);
    if (std::find(needs_.subjects.begin(), needs_.subjects.end(), subject) == needs_.subjects.end())
      needs_.subjects.push_back(subject);
    rendered_.clear();
    for (const auto& step : job.steps) {
      if (!step.uses.empty()) {
        while_doing(place(flow, step.uses_place, fmt::format("step '{}'", step.uses)), [&] {
          read_step(flow, step, contexts, environment.empty() ? "default" : environment);
        });
      }
    }
  }

  void set_output(Contexts& contexts, const Step& step, const char* name,
                  const std::string& value) {
    Value outputs = Value::object({{name, value}});
    contexts.values["steps"] =
        contexts.values["steps"].with(step.id, Value::object({{"outputs", outputs}}));
  }

  void read_step(const workflow::Workflow& flow, const Step& step, Contexts& contexts,
                 const std::string& environment) {
    std::string action = action_name(step.uses);
    if (action == "aws-actions/configure-aws-credentials") {
      needs_.region = input(step, "aws-region", contexts);
      if (auto role = input(step, "role-to-assume", contexts); !role.empty()) {
        needs_.role_arn = role;
        auto parts = split(role, ':');
        if (parts.size() > 4) needs_.account = parts[4];
      }
    } else if (action == "aws-actions/amazon-ecr-login") {
      set_output(contexts, step, "registry",
                 fmt::format("{}.dkr.ecr.{}.amazonaws.com", needs_.account, needs_.region));
    } else if (action == "docker/build-push-action") {
      std::string tags = replace_all(input(step, "tags", contexts), ",", "\n");
      for (auto tag : lines_of(tags)) repository(std::string(trim(tag)));
    } else if (action == "aws-actions/amazon-ecs-render-task-definition") {
      std::string file = input(step, "task-definition", contexts);
      if (file.empty()) return;
      std::string handle = "rendered:" + step.id;
      auto before = rendered_.find(file);  // rendered twice: one container after the other
      Rendered rendered = before == rendered_.end() ? Rendered{file, {}, ""} : before->second;
      rendered.requests.push_back(render_request(step, contexts));
      if (rendered.unknown.empty()) rendered.unknown = unknown_input(flow, step);
      rendered_[handle] = std::move(rendered);
      set_output(contexts, step, "task-definition", handle);
    } else if (action == "aws-actions/amazon-ecs-deploy-task-definition") {
      service(flow, step, contexts, environment);
    }
  }

  void repository(const std::string& tag) {
    auto slash = tag.find('/');
    if (slash == std::string::npos || tag.substr(0, slash).find(".dkr.ecr.") == std::string::npos)
      return;
    std::string name = tag.substr(slash + 1);
    name = name.substr(0, name.find_first_of(":@"));
    if (std::find(needs_.repositories.begin(), needs_.repositories.end(), name) ==
        needs_.repositories.end())
      needs_.repositories.push_back(name);
  }

  void service(const workflow::Workflow& flow, const Step& step, const Contexts& contexts,
               const std::string& environment) {
    std::string given = input(step, "task-definition", contexts);
    auto rendered = rendered_.find(given);
    std::string file = rendered == rendered_.end() ? given : rendered->second.file;
    ServiceNeed need;
    if (rendered != rendered_.end()) {
      need.renders = rendered->second.requests;
      need.unknown = rendered->second.unknown;
    }
    need.name = input(step, "service", contexts);
    if (need.name.empty()) return;  // it only registers
    auto text = os::read_file_if_exists(root_ / file);
    if (!text)
      fail(Fault::bad_input, "{}",
           place(flow, step.uses_place,
                 fmt::format("the task definition '{}' does not exist", file)));
    need.task_definition = deploy::prepare(deploy::read_task_definition(*text, file)).input;
    for (const auto& container : need.task_definition.get_array("containerDefinitions")) {
      const auto& ports = container.get_array("portMappings");
      if (ports.empty() || need.port != 0) continue;
      need.container = container.get_string("name");
      need.port = static_cast<int>(ports.front().get_int("containerPort"));
      need.health_path = health_path(container, need.port);
    }
    std::string cluster = input(step, "cluster", contexts);
    if (cluster.empty()) cluster = "default";
    auto it = std::find_if(
        needs_.environments.begin(), needs_.environments.end(),
        [&](const EnvironmentNeed& e) { return e.name == environment && e.cluster == cluster; });
    if (it == needs_.environments.end())
      it = needs_.environments.insert(needs_.environments.end(), {environment, cluster, {}, false});
    it->runs_tasks =
        it->runs_tasks || equals_ignoring_case(input(step, "run-task", contexts), "true");
    bool known = std::any_of(it->services.begin(), it->services.end(),
                             [&](const ServiceNeed& s) { return s.name == need.name; });
    if (!known) it->services.push_back(std::move(need));
  }

  const workflow::Event& event_;
  const std::filesystem::path& root_;
  Needs needs_;
  struct Rendered {
    std::string file;
    std::vector<deploy::RenderRequest> requests;
    std::string unknown;
  };
  std::map<std::string, Rendered> rendered_;  // by a render step's output, within one job
};

}  // namespace

deploy::Needs needs_of(const std::vector<std::shared_ptr<const workflow::Workflow>>& workflows,
                       const workflow::Event& event, const std::filesystem::path& root) {
  Reader reader(event, root);
  for (const auto& flow : workflows) {
    for (const auto& ref : {"refs/heads/" + event.default_branch, std::string("refs/tags/v1.0.0")})
      reader.read(*flow, ref);
  }
  return reader.take();
}

}  // namespace slipway::actions
