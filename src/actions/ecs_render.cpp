// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/render.hpp"
#include "deploy/task_definition.hpp"
#include "os/file.hpp"

// aws-actions/amazon-ecs-render-task-definition.
namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

class EcsRender final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"container-name", std::nullopt, true},
                                              {"image", std::nullopt, true}};
    for (const char* name :
         {"task-definition", "task-definition-arn", "task-definition-family",
          "task-definition-revision", "environment-variables", "env-files",
          "log-configuration-log-driver", "log-configuration-options", "docker-labels", "command",
          "secrets", "task-role-arn", "execution-role-arn"}) {
      all.push_back({name, std::nullopt});
    }
    return all;
  }

  void run(ActionContext& context) override {
    deploy::RenderRequest request{.containers = split(context.text("container-name"), ','),
                                  .image = context.text("image"),
                                  .environment = context.list("environment-variables"),
                                  .secrets = context.list("secrets"),
                                  .env_files = context.list("env-files"),
                                  .docker_labels = context.list("docker-labels"),
                                  .log_driver = context.text("log-configuration-log-driver"),
                                  .log_options = context.list("log-configuration-options"),
                                  .command = context.text("command"),
                                  .task_role_arn = context.text("task-role-arn"),
                                  .execution_role_arn = context.text("execution-role-arn")};
    Json rendered = deploy::render(find(context), request);
    auto path = fmt::format("{}/task-definition--{}-.json", context.machine().paths().temp, uuid());
    os::write_file(context.machine().outside(path), rendered.pretty() + "\n", 0600);
    context.set_output("task-definition", path);
    context.log(fmt::format("{} gets {}", fmt::join(request.containers, ", "), request.image));
  }

 private:
  static Json find(ActionContext& context) {
    auto file = context.text("task-definition");
    if (!file.empty()) {
      auto text = os::read_file_if_exists(job_file(context, file));
      if (!text) fail(Fault::not_found, "Task definition file does not exist: {}", file);
      return deploy::read_task_definition(*text, file);
    }
    std::string name = context.text("task-definition-arn");
    if (name.empty()) {
      name = context.text("task-definition-family");
      if (auto revision = context.text("task-definition-revision"); !revision.empty())
        name += ":" + revision;
    }
    if (name.empty())
      fail(
          Fault::bad_input,
          "Either task definition, task definition arn or task definition family must be provided");
    aws::Client client(aws_config(context));
    deploy::ClientCalls calls(client);
    auto found = deploy::describe_task_definition(calls, name, context.stop());
    if (!found) fail(Fault::not_found, "there is no task definition '{}'", name);
    return *found;
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_ecs_render() { return std::make_unique<EcsRender>(); }

}  // namespace slipway::actions
