// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <algorithm>

#include "actions/needs.hpp"
#include "aws/client.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/doctor_checks.hpp"
#include "cli/foreground.hpp"
#include "cli/repository.hpp"
#include "cli/verbs.hpp"
#include "deploy/bootstrap.hpp"
#include "ledger/ledger.hpp"
#include "os/process.hpp"
#include "workflow/plan.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

// Runs another verb of this program, its output going where ours goes.
int run_self(const Surroundings& around, std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"/proc/self/exe", "--state", around.state.string()};
  if (around.quiet) argv.emplace_back("--quiet");
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto process = os::Process::spawn({.argv = argv,
                                     .cwd = around.cwd.string(),
                                     .stdin_fd = STDIN_FILENO,
                                     .stdout_fd = STDERR_FILENO,
                                     .stderr_fd = STDERR_FILENO});
  ForegroundTurn turn(process.pid());
  return process.run(around.stop, Deadline::never(), std::chrono::seconds(30)).status();
}

Json start_cloud(const Surroundings& around) {
  if (cloud_process(around.state)) {
    if (auto env = local_cloud(around.state)) return *env;
  }
  if (int code = run_self(around, {"cloud", "start"}); code != 0)
    fail(Fault::unavailable, "the local AWS did not start (exit code {})", code);
  auto env = local_cloud(around.state);
  if (!env)
    fail(Fault::unavailable, "the local AWS ended as soon as it had started: look at {}",
         (around.state / "cloud/cloud.log").string());
  return *env;
}

void note(const Surroundings& around, const std::string& text) {
  if (!around.quiet) print_error(text + "\n");
}

void make_needs(Surroundings& around, aws::Client& client, const deploy::Needs& needs) {
  deploy::ClientCalls calls(client);
  int made = 0;
  deploy::bootstrap(
      calls, needs, false,
      [&](const deploy::BootstrapStep& step) {
        if (!step.differs.empty())
          note(around,
               fmt::format("  ~ {} {}: {}", step.kind, step.name, join(step.differs, "; ")));
        if (!step.is_new) return;
        ++made;
        note(around, fmt::format("  + {} {}", step.kind, step.name));
      },
      around.stop);
  if (made > 0) note(around, fmt::format("made {} things that the workflow needs", made));
}

// The service of DescribeServices, or null.
Json described_service(aws::Client& client, const std::string& cluster, const std::string& service,
                       const std::stop_token& stop) {
  auto answer =
      client.call("ecs", "DescribeServices",
                  Json::object({{"cluster", cluster}, {"services", Json::array({service})}}), stop);
  if (!answer.ok()) return {};
  const auto& list = answer.value().get_array("services");
  return list.empty() ? Json() : list.front();
}

// True when every service of the environment runs, undisturbed, what this commit's release brought.
bool is_up_to_date(const Surroundings& around, aws::Client& client,
                   const deploy::EnvironmentNeed& environment, const std::string& sha) {
  ledger::Ledger ledger(around.state / "ledger.db");
  return std::all_of(
      environment.services.begin(), environment.services.end(),
      [&](const deploy::ServiceNeed& need) {
        auto release = ledger.latest(environment.name, need.name);
        if (!release || release->sha != sha || release->verdict != ledger::Verdict::succeeded)
          return false;
        Json service = described_service(client, environment.cluster, need.name, around.stop);
        if (service.is_null() || service.get_string("taskDefinition") != release->task_definition)
          return false;
        const auto& deployments = service.get_array("deployments");
        return deployments.size() == 1 &&
               deployments.front().get_string("rolloutState") == "COMPLETED" &&
               service.get_int("runningCount") == service.get_int("desiredCount");
      });
}

// The environments that a push of this ref deploys to: those that its plan's jobs name.
std::vector<const deploy::EnvironmentNeed*> environments_of(const Project& project,
                                                            const workflow::RunPlan& plan) {
  std::vector<const deploy::EnvironmentNeed*> out;
  for (const auto& flow : plan.workflows) {
    for (const auto& job : flow.jobs) {
      if (job.verdict == workflow::PlannedJob::Verdict::skipped) continue;
      for (const auto& environment : project.needs.environments) {
        bool is_known = std::find(out.begin(), out.end(), &environment) != out.end();
        if (environment.name == job.environment && !is_known) out.push_back(&environment);
      }
    }
  }
  return out;
}

// Where a person reaches the services of an environment from outside: {service, URL}.
std::vector<std::pair<std::string, std::string>> urls_of(aws::Client& client,
                                                         const deploy::EnvironmentNeed& environment,
                                                         const std::stop_token& stop) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& need : environment.services) {
    if (!need.private_name.empty()) continue;
    Json service = described_service(client, environment.cluster, need.name, stop);
    for (const auto& balancer : service.get_array("loadBalancers")) {
      Json input =
          Json::object({{"TargetGroupArns", Json::array({balancer.get_string("targetGroupArn")})}});
      auto groups = client.call("elasticloadbalancing", "DescribeTargetGroups", input, stop);
      if (!groups.ok()) continue;
      for (const auto& group : aws::items_of(groups.value(), "TargetGroups")) {
        for (const auto& arn : aws::items_of(group, "LoadBalancerArns")) {
          Json wanted = Json::array({arn.as_string()});
          auto tags = client.call("elasticloadbalancing", "DescribeTags",
                                  Json::object({{"ResourceArns", wanted}}), stop);
          std::string url;
          for (const auto& resource :
               tags.ok() ? aws::items_of(tags.value(), "TagDescriptions") : std::vector<Json>{}) {
            for (const auto& tag : aws::items_of(resource, "Tags")) {
              if (tag.get_string("Key") == "slipway:local-url") url = tag.get_string("Value");
            }
          }
          if (!url.empty()) out.emplace_back(need.name, url);
        }
      }
    }
  }
  return out;
}

int finish(const Surroundings& around, aws::Client& client,
           const std::vector<const deploy::EnvironmentNeed*>& environments, const std::string& sha,
           bool ran) {
  Json services = Json::array();
  std::string text;
  for (const auto* environment : environments) {
    for (const auto& [name, url] : urls_of(client, *environment, around.stop)) {
      services.push_back(
          Json::object({{"environment", environment->name}, {"service", name}, {"url", url}}));
      text += fmt::format("{:<12} {:<12} {}\n", environment->name, name, url);
    }
  }
  print(around.json
            ? Json::object({{"sha", sha}, {"ran", ran}, {"services", services}}).dump() + "\n"
            : text);
  return 0;
}

// What up passes on to the run, with the same meaning there.
constexpr const char* kPassedFlags[] = {"--upstream-actions", "--keep", "--update-lock"};
constexpr const char* kPassedValues[] = {"--ref", "--secret", "--secret-file", "--var",
                                         "--env", "--image",  "--actions",     "--scratch"};

std::vector<std::string> run_arguments(const Invocation& given) {
  std::vector<std::string> arguments = {"run"};
  for (const auto& file : given.values("--workflow")) arguments.push_back(file);
  arguments.insert(arguments.end(), {"--cloud", "local"});
  for (const char* option : kPassedValues) {
    for (const auto& value : given.values(option))
      arguments.insert(arguments.end(), {option, value});
  }
  for (const char* option : kPassedFlags) {
    if (given.has(option)) arguments.emplace_back(option);
  }
  return arguments;
}

int up(const Invocation& given, Surroundings& around) {
  Project project = read_project(around, given.values("--workflow"), given.value_or("--ref", ""));
  require_machine();
  auto plan = workflow::plan(project.workflows, project.event,
                             {.ignore_triggers = given.has("--workflow")});
  Json env = start_cloud(around);
  aws::Client client(local_access(env));
  auto environments = environments_of(project, plan);
  const std::string& sha = project.event.sha;
  bool is_current =
      !environments.empty() &&
      std::all_of(environments.begin(), environments.end(), [&](const auto* environment) {
        return is_up_to_date(around, client, *environment, sha);
      });
  if (is_current) {
    note(around, fmt::format("{} is deployed already, nothing to do", sha.substr(0, 12)));
    return finish(around, client, environments, sha, false);
  }
  make_needs(around, client, project.needs);
  auto arguments = run_arguments(given);
  if (given.has("--detach")) {
    std::vector<std::string> argv = {"/proc/self/exe", "--state", around.state.string(), "--quiet"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    os::Process::spawn({.argv = argv, .cwd = around.cwd.string(), .own_session = true}).detach();
    note(around, "the run goes on in the background: slipway runs, slipway status");
    return finish(around, client, environments, sha, true);
  }
  if (int code = run_self(around, arguments); code != 0) return code;
  return finish(around, client, environments, sha, true);
}

}  // namespace

Verb up_verb() {
  return {.name = "up",
          .usage = "[--workflow FILE] [--ref REF] [--detach]",
          .summary = "starts the local AWS, makes what the workflow names, runs it for this commit",
          .options =
              {{"--workflow", Option::Kind::list, "FILE",
                "the workflow to run; default: those that a push starts"},
               {"--ref", Option::Kind::value, "REF", "branch or tag; default: HEAD's"},
               {"--detach", Option::Kind::flag, "", "leave the run in the background"},
               {"--secret", Option::Kind::list, "K=V",
                "a secret of the repository; K alone takes it from the environment"},
               {"--secret-file", Option::Kind::list, "FILE", "secrets, K=V lines"},
               {"--var", Option::Kind::list, "K=V", "a variable of the repository"},
               {"--env", Option::Kind::list, "K=V", "an environment variable of every step"},
               {"--image", Option::Kind::list, "LABEL=REF", "the image for a runs-on label"},
               {"--keep", Option::Kind::flag, "", "keep what failed jobs leave, for slipway shell"},
               {"--update-lock", Option::Kind::flag, "",
                "take tags of actions that moved, and record where they are"},
               {"--scratch", Option::Kind::value, "auto|memory|disk",
                "where jobs' files are while they run"},
               {"--upstream-actions", Option::Kind::flag, "", "run the official actions' own code"},
               {"--actions", Option::Kind::list, "DIR", "where owner/repo@ref is looked up first"}},
          .max_arguments = 0,
          .run = up};
}

}  // namespace slipway::cli
