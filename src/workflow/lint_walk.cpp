// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"
#include "workflow/lint_rules.hpp"

namespace slipway::workflow {
namespace {

void visit_step(const Step& step, const Job& job, const TemplateVisitor& visit) {
  for (const auto* part : {&step.name, &step.env, &step.continue_on_error, &step.timeout_minutes,
                           &step.run, &step.shell, &step.working_directory, &step.with}) {
    visit(*part, &job, &step);
  }
}

bool mentions(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (auto part : parts) {
    if (text.find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

void for_each_template(const Workflow& workflow, const TemplateVisitor& visit) {
  visit(workflow.env, nullptr, nullptr);
  visit(workflow.concurrency, nullptr, nullptr);
  for (const auto& job : workflow.jobs) {
    for (const auto* part :
         {&job.name, &job.concurrency, &job.environment, &job.strategy, &job.runs_on, &job.env,
          &job.container, &job.services, &job.outputs, &job.timeout_minutes, &job.continue_on_error,
          &job.inputs, &job.secrets.map, &job.defaults.shell, &job.defaults.working_directory}) {
      visit(*part, &job, nullptr);
    }
    for (const auto& step : job.steps) visit_step(step, job, visit);
  }
}

void for_each_expression_node(const Template& value,
                              const std::function<void(const ExpressionNode&)>& visit) {
  if (value.is_expression() && value.expression.root() != nullptr)
    for_each_node(*value.expression.root(), visit);
  for (const auto& item : value.items) for_each_expression_node(item, visit);
  for (const auto& entry : value.entries) {
    for_each_expression_node(entry.key, visit);
    for_each_expression_node(entry.value, visit);
  }
}

std::string action_name(const std::string& uses) {
  if (uses.starts_with("./") || uses.starts_with("docker://") || uses.starts_with("$/")) return "";
  auto parts = split(to_lower(uses.substr(0, uses.find('@'))), '/');
  return parts.size() < 2 ? "" : parts[0] + "/" + parts[1];
}

const Step* deploying_step(const Job& job) {
  for (const auto& step : job.steps) {
    auto action = action_name(step.uses);
    if (action == "aws-actions/amazon-ecs-deploy-task-definition" ||
        action == "aws-actions/amazon-eks-fargate" || action == "azure/webapps-deploy" ||
        action == "azure/k8s-deploy" || action == "google-github-actions/deploy-cloudrun") {
      return &step;
    }
    auto run = step.run.literal();
    if (mentions(run, {"aws ecs update-service", "aws ecs create-service",
                       "aws deploy create-deployment", "kubectl apply", "kubectl set image",
                       "kubectl rollout", "helm upgrade", "terraform apply", "cdk deploy",
                       "slipway deploy", "slipway promote", "serverless deploy"})) {
      return &step;
    }
  }
  return nullptr;
}

bool deploys(const Job& job) {
  return deploying_step(job) != nullptr || (!job.environment.is_absent() && !job.steps.empty());
}

}  // namespace slipway::workflow
