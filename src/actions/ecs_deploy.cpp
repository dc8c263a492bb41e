// SPDX-License-Identifier: Apache-2.0
#include "actions/aws_access.hpp"
#include "actions/builtin.hpp"
#include "actions/docker_access.hpp"
#include "actions/image_blobs.hpp"
#include "actions/run_task.hpp"
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/candidate.hpp"
#include "deploy/codedeploy.hpp"
#include "deploy/environment_release.hpp"
#include "deploy/proof.hpp"
#include "deploy/release_service.hpp"
#include "deploy/rollout.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"
#include "formats/time.hpp"
#include "ledger/ledger.hpp"
#include "ledger/lock.hpp"
#include "os/file.hpp"

// aws-actions/amazon-ecs-deploy-task-definition: registers, runs a task if asked to, updates the service and watches the
// deployment that this made. Every deployment is written into the ledger, before the cloud is asked and when it has ended.
namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

bool is_true(ActionContext& context, std::string_view name) {
  return equals_ignoring_case(context.text(name), "true");
}

std::optional<long long> number(ActionContext& context, std::string_view name) {
  auto text = std::string(trim(context.text(name)));
  if (text.empty()) return std::nullopt;
  auto value = to_integer(text);
  if (!value || *value < 0) fail(Fault::bad_input, "{} is a whole number, not '{}'", name, text);
  return value;
}

std::vector<ledger::ReleasedImage> images_of(const Json& definition) {
  std::vector<ledger::ReleasedImage> images;
  for (const auto& container : definition.get_array("containerDefinitions")) {
    images.push_back({container.get_string("name"), container.get_string("image"), ""});
  }
  return images;
}

class EcsDeploy final : public workflow::Action {
 public:
  explicit EcsDeploy(const Dependencies& dependencies) : dependencies_(dependencies) {}

  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"task-definition", std::nullopt, true},
                                              {"run-task-assign-public-IP", "DISABLED"},
                                              {"run-task-launch-type", "FARGATE"},
                                              {"run-task-started-by", "GitHub-Actions"},
                                              {"run-task-container-overrides", "[]"},
                                              {"run-task-tags", "[]"},
                                              {"max-retries", "3"}};
    for (const char* name : {"desired-count",
                             "service",
                             "cluster",
                             "wait-for-service-stability",
                             "wait-for-minutes",
                             "wait-max-delay-seconds",
                             "codedeploy-appspec",
                             "codedeploy-application",
                             "codedeploy-deployment-group",
                             "codedeploy-deployment-description",
                             "codedeploy-deployment-config",
                             "force-new-deployment",
                             "service-managed-ebs-volume-name",
                             "service-managed-ebs-volume",
                             "run-task",
                             "run-task-security-groups",
                             "run-task-subnets",
                             "run-task-capacity-provider-strategy",
                             "run-task-managed-ebs-volume-name",
                             "run-task-managed-ebs-volume",
                             "wait-for-task-stopped",
                             "enable-ecs-managed-tags",
                             "propagate-tags",
                             "keep-null-value-keys"}) {
      all.push_back({name, std::nullopt});
    }
    return all;
  }

  void run(ActionContext& context) override {
    auto prepared = read(context);
    aws::Client client(aws_config(context));
    deploy::ClientCalls calls(client);
    // What is refused leaves nothing behind: no revision, no task.
    std::optional<Admitted> admitted;
    if (!context.text("service").empty()) admitted = admit(context, calls, prepared.input);
    Json definition = while_doing("Failed to register task definition in ECS", [&] {
      return deploy::register_once(calls, prepared.input, context.stop());
    });
    std::string arn = definition.at("taskDefinitionArn").as_string();
    context.set_output("task-definition-arn", arn);
    context.log("Registered " + deploy::brief_task_definition(arn));
    if (is_true(context, "run-task")) run_task(context, calls, arn);
    if (!admitted) return;
    admitted->intent.task_definition = arn;
    Json service = deploy::describe_service(calls, cluster_of(context), context.text("service"),
                                            context.stop());
    const Json* controller = service.find("deploymentController");
    std::string type = controller ? controller->get_string("type", "ECS") : "ECS";
    if (service.get_string("status") != "ACTIVE")
      fail(Fault::failed, "Service is {}", service.get_string("status"));
    if (type == "CODE_DEPLOY") return replace(context, calls, *admitted);
    if (type != "ECS") fail(Fault::failed, "Unsupported deployment controller: {}", type);
    update(context, calls, *admitted);
  }

 private:
  // A release that may go on, and the environment that is ours until it has ended.
  struct Admitted {
    ledger::Release intent;
    std::unique_ptr<ledger::EnvironmentLock> lock;
  };

  static deploy::Prepared read(ActionContext& context) {
    auto file = context.text("task-definition");
    auto text = os::read_file_if_exists(job_file(context, file));
    if (!text) fail(Fault::not_found, "Task definition file does not exist: {}", file);
    std::set<std::string> keep;
    for (const auto& key : split(context.text("keep-null-value-keys"), ',')) {
      if (!trim(key).empty()) keep.emplace(trim(key));
    }
    auto prepared = deploy::prepare(deploy::read_task_definition(*text, file), keep);
    for (const auto& attribute : prepared.ignored) {
      context.warning(
          fmt::format("Ignoring property '{}' in the task definition file. This property is "
                      "returned by the Amazon ECS DescribeTaskDefinition API and may be "
                      "shown in the ECS console, but it is not a valid field when registering a "
                      "new task definition. This field can be safely removed from "
                      "your task definition file.",
                      attribute));
    }
    return prepared;
  }

  static deploy::RolloutRequest request_of(ActionContext& context, const std::string& arn) {
    deploy::RolloutRequest request{
        .cluster = cluster_of(context),
        .service = context.text("service"),
        .task_definition = arn,
        .force_new_deployment = is_true(context, "force-new-deployment")};
    if (auto count = number(context, "desired-count"))
      request.desired_count = static_cast<int>(*count);
    request.more = Json::object(
        {{"volumeConfigurations", managed_ebs_volumes(context, "service-managed-ebs-volume")}});
    if (auto tags = context.text("enable-ecs-managed-tags"); !tags.empty())
      request.more["enableECSManagedTags"] = equals_ignoring_case(tags, "true");
    if (auto tags = context.text("propagate-tags"); !tags.empty() && tags != "NONE")
      request.more["propagateTags"] = tags;
    return request;
  }

  static std::string cluster_of(ActionContext& context) {
    return context.text("cluster").empty() ? "default" : context.text("cluster");
  }

  ledger::Release release_of(ActionContext& context, const deploy::Calls& calls,
                             const Json& definition) const {
    const Json& github = context.github();
    ledger::Release release{.environment = context.environment(),
                            .cluster = deploy::last_part(cluster_of(context)),
                            .service = deploy::last_part(context.text("service")),
                            .region = calls.region(),
                            .sha = github.get_string("sha"),
                            .run_id = github.get_string("run_id"),
                            .images = images_of(definition),
                            .who = github.get_string("actor"),
                            .trace_parent = context.trace_parent()};
    if (release.environment.empty()) release.environment = release.cluster;
    if (dependencies_.test_verdict)
      release.test_verdict = dependencies_.test_verdict(release.run_id);
    return release;
  }

  // After a rollback nothing is deployed automatically until somebody says so.
  void check_pause(const std::string& environment) const {
    auto pause = dependencies_.ledger ? dependencies_.ledger->paused(environment) : std::nullopt;
    if (!pause) return;
    fail(Fault::denied,
         "automatic deployments to '{}' are paused since {} by {} ({}): slipway resume {}",
         environment, pause->at, pause->who, pause->reason, environment);
  }

  // What slipway.yml asks of the environment holds for workflows, too: a refusal is written down.
  void check_protection(deploy::Calls& calls, const deploy::Candidate& candidate,
                        const ledger::Release& intent, const std::stop_token& stop) const {
    if (!dependencies_.protection) return;
    deploy::Protection protection = dependencies_.protection(intent.environment);
    if (protection.promote_from.empty() && intent.test_verdict == "success")
      protection.require_tests = false;  // this very run's
    auto proof = deploy::prove(calls, *dependencies_.ledger, intent.environment, {candidate},
                               protection, intent.sha, intent.who, stop);
    if (proof.troubles.empty()) return;
    deploy::record_refusal(*dependencies_.ledger, intent.environment, intent.who, intent.sha,
                           proof.troubles);
    fail(Fault::denied, "'{}' does not take this release: {}", intent.environment,
         join(proof.troubles, "; "));
  }

  // Asks what stands against a release of this definition, which is not registered yet.
  Admitted admit(ActionContext& context, deploy::Calls& calls, const Json& definition) const {
    Admitted admitted{release_of(context, calls, definition), nullptr};
    ledger::Release& intent = admitted.intent;
    check_pause(intent.environment);
    if (auto* ledger = dependencies_.ledger) {
      ledger::EnvironmentLock::Options options{.owner = "run " + intent.run_id};
      options.waiting = [&](const std::string& holder) {
        context.log(fmt::format("{} is being changed by {}: waiting", intent.environment, holder));
      };
      admitted.lock = std::make_unique<ledger::EnvironmentLock>(*ledger, intent.environment,
                                                                options, context.stop());
      check_pause(intent.environment);  // a rollback may be what was waited for
      intent.epoch = admitted.lock->epoch();
      auto candidate = deploy::candidate_of(calls, intent, definition, context.stop());
      check_protection(calls, candidate, intent, context.stop());
      intent.changes = deploy::changes_of(calls, candidate,
                                          image_blobs(registry_client(context, dependencies_, {}),
                                                      dependencies_.log, context.stop()),
                                          context.stop());
      deploy::settle_lost(
          calls, *ledger, intent.environment, {},
          [&](const std::string& line) { context.log(line); }, context.stop());
    }
    intent.secrets = deploy::secret_versions(calls, definition, context.stop());
    return admitted;
  }

  void update(ActionContext& context, deploy::Calls& calls, const Admitted& admitted) const {
    deploy::ServiceRelease what;
    what.update = request_of(context, admitted.intent.task_definition);
    what.watch = watch_options(context);
    what.accepted = [&](const deploy::Rollout& rollout) {
      context.log(fmt::format(
          "Deployment {} of {} started. Watch this deployment's progress in the Amazon ECS "
          "console: "
          "https://{}.console.aws.amazon.com/ecs/v2/clusters/{}/services/{}/deployments?region={}",
          rollout.deployment, what.update.service, calls.region(),
          deploy::last_part(what.update.cluster), deploy::last_part(what.update.service),
          calls.region()));
    };
    if (auto verdict = release(context, calls, admitted, what))
      context.log(fmt::format("Deployment verified: rolloutState=COMPLETED after {}",
                              formats::print_duration(verdict->took)));
  }

  // CodeDeploy puts the new tasks beside the old ones; what it does with them stands in the AppSpec and the deployment group.
  void replace(ActionContext& context, deploy::Calls& calls, const Admitted& admitted) const {
    auto file = context.text("codedeploy-appspec").empty() ? std::string("appspec.yaml")
                                                           : context.text("codedeploy-appspec");
    auto text = os::read_file_if_exists(job_file(context, file));
    if (!text) fail(Fault::not_found, "AppSpec file does not exist: {}", file);
    deploy::CodeDeployRelease code_deploy{
        .cluster = deploy::last_part(cluster_of(context)),
        .service = deploy::last_part(context.text("service")),
        .task_definition = admitted.intent.task_definition,
        .app_spec = *text,
        .app_spec_file = file,
        .application = context.text("codedeploy-application"),
        .group = context.text("codedeploy-deployment-group"),
        .description = context.text("codedeploy-deployment-description"),
        .config = context.text("codedeploy-deployment-config")};
    auto minutes = number(context, "wait-for-minutes").value_or(30);
    deploy::ServiceRelease what;
    what.update.cluster = code_deploy.cluster;
    what.update.service = code_deploy.service;
    what.start = [&](const std::string& arn) {
      code_deploy.task_definition = arn;
      return deploy::Rollout{
          .cluster = code_deploy.cluster,
          .service = code_deploy.service,
          .deployment = deploy::start_codedeploy(calls, code_deploy, context.stop()),
          .task_definition = arn};
    };
    what.accepted = [&](const deploy::Rollout& rollout) {
      context.set_output("codedeploy-deployment-id", rollout.deployment);
      context.log(fmt::format(
          "Deployment started. Watch this deployment's progress in the AWS CodeDeploy console: "
          "https://{0}.console.aws.amazon.com/codesuite/codedeploy/deployments/{1}?region={0}",
          calls.region(), rollout.deployment));
    };
    what.observe = [&](const deploy::Rollout& rollout) {
      auto limit = std::min<std::chrono::minutes>(
          std::chrono::minutes(minutes) +
              deploy::waits_of_group(calls, code_deploy, context.stop()),
          std::chrono::minutes(360));
      return deploy::watch_codedeploy(
          calls, code_deploy, rollout.deployment, Deadline::in(limit),
          [&](const std::string& line) { context.log(line); }, context.stop());
    };
    release(context, calls, admitted, what);
  }

  // Releases, and fails when that failed. Returns the verdict when somebody waited for it.
  std::optional<deploy::Verdict> release(ActionContext& context, deploy::Calls& calls,
                                         const Admitted& admitted,
                                         deploy::ServiceRelease& what) const {
    what.intent = admitted.intent;
    what.waits = is_true(context, "wait-for-service-stability");
    auto released = deploy::release_service(calls, dependencies_.ledger, what, context.stop());
    bool is_refused = !what.waits && !released.verdict.causes.empty();
    if (!what.waits && !is_refused) return std::nullopt;
    if (!released.verdict.ok())
      fail(Fault::failed, "service '{}': {}", what.update.service,
           deploy::to_line(released.verdict));
    return released.verdict;
  }

  static deploy::WatchOptions watch_options(ActionContext& context) {
    auto minutes = std::min<long long>(number(context, "wait-for-minutes").value_or(30), 360);
    deploy::WatchOptions options{.deadline = Deadline::in(std::chrono::minutes(minutes))};
    options.sink = [&context](const deploy::RolloutEvent& event) {
      bool is_failure = event.kind == deploy::RolloutEvent::Kind::task_stopped;
      context.log(is_failure ? "a task stopped: " + event.text : event.text);
    };
    return options;
  }

  const Dependencies& dependencies_;
};

}  // namespace

std::unique_ptr<workflow::Action> make_ecs_deploy(const Dependencies& dependencies) {
  return std::make_unique<EcsDeploy>(dependencies);
}

}  // namespace slipway::actions
