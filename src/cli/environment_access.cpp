// SPDX-License-Identifier: Apache-2.0
#include "cli/environment_access.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <iostream>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "os/stop_event.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

deploy::EnvironmentNeed need_of(const std::vector<deploy::ServiceSettings>& services,
                                const std::string& environment, const std::filesystem::path& top) {
  deploy::EnvironmentNeed need{
      .name = environment, .cluster = services.front().cluster, .services = {}};
  for (const auto& service : services) {
    auto text = os::read_file_if_exists(top / service.task_definition);
    if (!text)
      fail(Fault::bad_input, "slipway.yml: the task definition '{}' of service '{}' does not exist",
           service.task_definition, service.name);
    deploy::ServiceNeed one;
    one.name = service.name;
    one.task_definition =
        deploy::prepare(deploy::read_task_definition(*text, service.task_definition)).input;
    need.services.push_back(std::move(one));
  }
  return need;
}

std::string full_sha(const std::filesystem::path& top, const std::string& given,
                     const std::stop_token& stop) {
  auto answer = os::capture({.argv = {"git", "rev-parse", "--verify", "--quiet", "--end-of-options",
                                      (given.empty() ? "HEAD" : given) + "^{commit}"},
                             .cwd = top.string()},
                            stop, Deadline::in(std::chrono::seconds(10)));
  if (answer.exit.ok()) return std::string(trim(answer.out));
  if (given.size() == 40) return given;  // of another clone
  fail(Fault::bad_input, "there is no commit '{}' here", given.empty() ? "HEAD" : given);
}

}  // namespace

std::string user_name() {
  for (const char* name : {"SUDO_USER", "GITHUB_ACTOR", "USER", "LOGNAME"}) {
    const char* value =
        std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
    if (value && *value) return value;
  }
  return "unknown";
}

bool is_automatic() {
  const char* value =
      std::getenv("GITHUB_ACTIONS");  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  return value && std::string_view(value) == "true";
}

deploy::Settings read_settings(const std::filesystem::path& top, const std::stop_token& stop) {
  auto settings = deploy::read_settings(os::read_file_if_exists(top / "slipway.yml").value_or(""),
                                        "slipway.yml");
  settings.place = top.string();
  auto committed = os::capture({.argv = {"git", "show", "HEAD:slipway.yml"}, .cwd = top.string()},
                               stop, Deadline::in(std::chrono::seconds(10)));
  if (!committed.exit.ok()) return settings;
  for (const auto& [name, environment] :
       deploy::read_settings(committed.out, "HEAD:slipway.yml").environments) {
    auto& mine = settings.environments[name].protection;
    mine = deploy::stricter(mine, environment.protection);
  }
  return settings;
}

EnvironmentView read_environment(const Surroundings& around, const std::string& environment,
                                 const std::string& sha) {
  EnvironmentView view;
  view.project.top = repository_top(around.cwd, around.stop);
  view.sha = full_sha(view.project.top, sha, around.stop);
  if (std::filesystem::is_directory(view.project.top / ".github/workflows"))
    view.project = read_project(around, {}, "", view.sha);
  view.settings = read_settings(view.project.top, around.stop);
  if (auto it = view.settings.services.find(environment);
      it != view.settings.services.end() && !it->second.empty()) {
    view.need = need_of(it->second, environment, view.project.top);
    return view;
  }
  std::vector<std::string> names;
  for (const auto& need : view.project.needs.environments) {
    names.push_back(need.name);
    if (need.name != environment) continue;
    view.need = need;
    return view;
  }
  for (const auto& [name, services] : view.settings.services) names.push_back(name);
  fail(Fault::bad_input, "neither a workflow nor slipway.yml deploys to '{}'{}", environment,
       names.empty() ? "" : ": they deploy to " + join(names, ", "));
}

std::vector<deploy::Candidate> read_candidates(const Surroundings& around, deploy::Calls& calls,
                                               EnvironmentView& view, const Invocation& given) {
  deploy::CandidateRequest request{.sha = view.keeps_images ? "" : view.sha,
                                   .images = {},
                                   .services = given.values("--service")};
  for (const auto& pair : given.values("--image")) {
    auto at = pair.find('=');
    if (at == std::string::npos || at == 0 || at + 1 == pair.size())
      fail(Fault::bad_input, "--image takes NAME=REF, not '{}'", pair);
    request.images[pair.substr(0, at)] = pair.substr(at + 1);
  }
  if (auto file = given.value("--task-definition")) {
    if (request.services.size() != 1)
      fail(Fault::bad_input, "--task-definition needs --service: whose it is");
    Json definition =
        deploy::prepare(deploy::read_task_definition(os::read_file(around.cwd / *file), *file))
            .input;
    for (auto& service : view.need.services) {
      if (service.name == request.services.front()) service.task_definition = definition;
    }
  }
  std::string tfstate;
  if (!view.settings.tfstate.empty())
    tfstate = os::read_file(view.project.top / view.settings.tfstate);
  auto environment = os::environment();
  environment.try_emplace("SLIPWAY_SHA", view.sha);
  environment.try_emplace("SLIPWAY_ENVIRONMENT", view.need.name);
  auto functions = deploy::template_functions(environment, tfstate, &calls, around.stop);
  return deploy::candidates_of(calls, view.need, view.project.needs.repositories,
                               view.settings.of(view.need.name), request, functions, around.stop);
}

std::string print_differences(const std::vector<deploy::Difference>& differences) {
  std::string text;
  for (const auto& difference : differences) {
    std::string running = difference.running.empty()
                              ? "nothing runs yet"
                              : deploy::brief_task_definition(difference.running);
    text +=
        fmt::format("{} ({}){}\n{}", difference.service, running,
                    difference.changes.empty() ? ": no change" : "", to_text(difference.changes));
  }
  return text;
}

Json to_json(const std::vector<deploy::Difference>& differences) {
  Json list = Json::array();
  for (const auto& difference : differences) {
    list.push_back(Json::object({{"service", difference.service},
                                 {"running", difference.running},
                                 {"steady", difference.is_steady},
                                 {"changes", to_json(difference.changes)}}));
  }
  return list;
}

std::function<void(const std::string&, const deploy::RolloutEvent&)> event_printer(
    const Surroundings& around) {
  return [&around](const std::string& service, const deploy::RolloutEvent& event) {
    if (around.quiet) return;
    bool is_failure = event.kind == deploy::RolloutEvent::Kind::task_stopped;
    print_error(
        fmt::format("{}: {}{}\n", service, is_failure ? "a task stopped: " : "", event.text));
  };
}

int print_outcomes(const Surroundings& around, const std::string& environment,
                   const std::vector<deploy::ServiceOutcome>& outcomes, bool has_waited) {
  bool ok = true;
  Json all = Json::array();
  std::string text;
  for (const auto& outcome : outcomes) {
    if (outcome.is_skipped) {
      ok = ok && outcome.why.starts_with("runs it");
      text += fmt::format("{}: {}\n", outcome.service, outcome.why);
      all.push_back(Json::object({{"service", outcome.service}, {"skipped", outcome.why}}));
      continue;
    }
    const auto& released = outcome.released;
    bool is_refused = !released.verdict.causes.empty() && !released.verdict.ok();
    ok = ok && (released.verdict.ok() || (!has_waited && !is_refused));
    std::string end = has_waited || is_refused
                          ? (released.verdict.ok() ? "runs" : to_line(released.verdict))
                          : "is under way: slipway status " + environment;
    if (released.rollout.deployment.empty()) {  // the cloud never took it
      text += fmt::format("{}: {}\n", outcome.service, end);
    } else {
      text += fmt::format("{}: {} {} in {:.1f} s\n", outcome.service,
                          deploy::brief_task_definition(released.rollout.task_definition), end,
                          static_cast<double>(released.verdict.took.count()) / 1000.0);
    }
    all.push_back(Json::object({{"service", outcome.service},
                                {"taskDefinition", released.rollout.task_definition},
                                {"deployment", released.rollout.deployment},
                                {"release", released.id},
                                {"acceptedAfterMs", released.accepted_after.count()},
                                {"verdict", to_json(released.verdict)}}));
  }
  print(around.json ? all.dump() + "\n" : text);
  return ok ? 0 : 1;
}

bool is_confirmed(const Invocation& given, const std::string& question) {
  if (given.has("--yes") || ::isatty(STDIN_FILENO) == 0) return true;
  print_error(question + " [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

deploy::Interrupted ask_interrupted(const std::stop_token& hurry) {
  if (::isatty(STDIN_FILENO) == 0) return deploy::Interrupted::leave;
  print_error(
      "\nthe deployment is under way. leave it going on in the cloud, or roll it back? "
      "[leave/roll] ");
  os::StopEvent again(hurry);
  std::array<pollfd, 2> ends{{{STDIN_FILENO, POLLIN, 0}, {again.get(), POLLIN, 0}}};
  while (::poll(ends.data(), ends.size(), -1) < 0 && errno == EINTR) {
  }
  if (ends[0].revents == 0) return deploy::Interrupted::leave;
  std::string answer;
  std::getline(std::cin, answer);
  return answer.starts_with("r") ? deploy::Interrupted::roll_back : deploy::Interrupted::leave;
}

std::vector<std::string> pending_migrations(const Surroundings& around,
                                            const ledger::Ledger& ledger,
                                            const EnvironmentView& view) {
  std::set<std::string> files;
  for (const auto& service : ledger.services(view.need.name)) {
    auto release = ledger.current(view.need.name, service);
    if (!release || release->sha.empty() || release->sha == view.sha) continue;
    auto answer =
        os::capture({.argv = {"git", "diff", "--name-only", "--no-renames", "--diff-filter=A",
                              "--end-of-options", release->sha, view.sha},
                     .cwd = view.project.top.string()},
                    around.stop, Deadline::in(std::chrono::seconds(10)));
    if (!answer.exit.ok()) continue;
    for (auto line : lines_of(answer.out)) {
      std::string path = "/" + std::string(line);
      bool is_one = path.find("/migrations/") != std::string::npos ||
                    path.find("/alembic/versions/") != std::string::npos ||
                    path.find("/migrate/") != std::string::npos;
      if (is_one && !path.ends_with("/__init__.py")) files.emplace(line);
    }
  }
  return {files.begin(), files.end()};
}

std::string print_migrations(const std::vector<std::string>& files) {
  std::string text;
  for (const auto& file : files) text += fmt::format("migration pending: {}\n", file);
  return text;
}

deploy::Settings settings_here(const Surroundings& around) {
  auto answer =
      os::capture({.argv = {"git", "rev-parse", "--show-toplevel"}, .cwd = around.cwd.string()},
                  around.stop, Deadline::in(std::chrono::seconds(10)));
  if (!answer.exit.ok()) return {};
  try {
    return read_settings(std::filesystem::path(trim(answer.out)), around.stop);
  } catch (const Error& error) {
    print_error(fmt::format("slipway: nobody is told: {}\n", error.what()));
    return {};
  }
}

}  // namespace slipway::cli
