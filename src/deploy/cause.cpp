// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"
#include "deploy/verdict.hpp"

// Why tasks stopped, from what ECS says about them and from their last log lines.
namespace slipway::deploy {
namespace {

using formats::Json;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// SIGTERM and SIGKILL are what ECS itself ends the other containers of a dying task with.
bool was_stopped(int code) { return code == 143 || code == 137; }

bool is_out_of_memory(const Json& container) {
  return has(container.get_string("reason"), "OutOfMemory");
}

// The container whose end took the task down: the one out of memory, else the one that failed by itself, else the one
// ECS has words about, else one that ended well before the others were stopped, else the first.
const Json* culprit(const Json::Array& containers) {
  auto pick = [&](auto&& matches) -> const Json* {
    auto found = std::find_if(containers.begin(), containers.end(), matches);
    return found == containers.end() ? nullptr : &*found;
  };
  auto code = [](const Json& container) { return container.get_int("exitCode", 0); };
  auto ended = [](const Json& container) { return container.contains("exitCode"); };
  if (const auto* found = pick(is_out_of_memory)) return found;
  if (const auto* found = pick(
          [&](const Json& c) { return code(c) != 0 && !was_stopped(static_cast<int>(code(c))); }))
    return found;
  if (const auto* found = pick([&](const Json& c) { return !c.get_string("reason").empty(); }))
    return found;
  if (const auto* found = pick([&](const Json& c) { return ended(c) && code(c) == 0; }))
    return found;
  if (const auto* found = pick(ended)) return found;
  return containers.empty() ? nullptr : &containers.front();
}

void tell_exit(Cause& cause, const Json& container) {
  cause.container = container.get_string("name");
  cause.detail = container.get_string("reason", cause.detail);
  if (!container.contains("exitCode")) return;
  int code = static_cast<int>(container.get_int("exitCode"));
  cause.exit_code = code;
  if (code > 128 && code <= 128 + 64) cause.signal = code - 128;
}

Cause::Kind kind_of_start_failure(std::string_view reason) {
  if (has(reason, "assume the execution role") || has(reason, "unable to assume"))
    return Cause::Kind::resource;
  if (has(reason, "CannotPull") || has(reason, "pull image")) return Cause::Kind::cannot_pull;
  if (has(reason, "ResourceInitializationError")) return Cause::Kind::resource;
  if (has(reason, "dependency")) return Cause::Kind::dependency;
  if (has(reason, "Cannot") || has(reason, "ContainerRuntime") || has(reason, "OCI runtime"))
    return Cause::Kind::cannot_start;
  return Cause::Kind::unknown;
}

// What is waited for is the container whose health check fails, else the first that ECS's words name.
void blame_dependency(Cause& cause, const Json::Array& containers) {
  auto first = std::string::npos;
  for (const auto& container : containers) {
    std::string name = container.get_string("name");
    if (container.get_string("healthStatus") == "UNHEALTHY") {
      cause.container = name;
      cause.kind = Cause::Kind::unhealthy;
      return;
    }
    auto at = cause.detail.find("'" + name + "'");
    if (at >= first) continue;
    first = at;
    cause.container = name;
  }
}

Cause failed_to_start(Cause cause, const Json::Array& containers) {
  cause.kind = kind_of_start_failure(cause.detail);
  for (const auto& container : containers) {
    std::string reason = container.get_string("reason");
    bool tells = kind_of_start_failure(reason) == cause.kind && !reason.empty();
    if (tells) cause.container = container.get_string("name");
    if (cause.kind == Cause::Kind::unknown && !reason.empty()) {
      cause.kind = kind_of_start_failure(reason);
      cause.detail = reason;
      cause.container = container.get_string("name");
    }
  }
  const Json* first = culprit(containers);
  // What failed may be what another container waited for.
  if ((cause.kind == Cause::Kind::dependency || cause.kind == Cause::Kind::unknown) && first &&
      first->get_int("exitCode", 0) != 0) {
    tell_exit(cause, *first);
    cause.kind = is_out_of_memory(*first) ? Cause::Kind::out_of_memory : Cause::Kind::exited;
  }
  if (cause.kind == Cause::Kind::dependency) blame_dependency(cause, containers);
  bool is_of_one =
      cause.kind == Cause::Kind::cannot_pull || cause.kind == Cause::Kind::cannot_start;
  if (is_of_one && cause.container.empty() && containers.size() == 1)
    cause.container = containers.front().get_string("name");
  return cause;
}

Cause unhealthy(Cause cause, const Json::Array& containers) {
  cause.kind = has(cause.detail, "ELB") || has(cause.detail, "target-group")
                   ? Cause::Kind::target_unhealthy
                   : Cause::Kind::unhealthy;
  for (const auto& container : containers) {
    if (container.get_string("healthStatus") == "UNHEALTHY")
      cause.container = container.get_string("name");
  }
  if (cause.container.empty() && containers.size() == 1)
    cause.container = containers.front().get_string("name");
  return cause;
}

struct LogStream {
  std::string group;
  std::string stream;
};

std::optional<LogStream> log_stream(const Json& definition, const std::string& container,
                                    const std::string& task) {
  for (const auto& item : definition.get_array("containerDefinitions")) {
    if (item.get_string("name") != container) continue;
    const Json* logging = item.find("logConfiguration");
    if (!logging || logging->get_string("logDriver") != "awslogs") return std::nullopt;
    const Json* options = logging->find("options");
    if (!options) return std::nullopt;
    return LogStream{
        options->get_string("awslogs-group"),
        fmt::format("{}/{}/{}", options->get_string("awslogs-stream-prefix"), container, task)};
  }
  return std::nullopt;
}

// Lines that a runtime prints below the one that tells: stack frames, Node's version, carets.
bool is_trailer(std::string_view line) {
  return line.empty() || line.front() == ' ' || line.front() == '\t' ||
         line.starts_with("Node.js v") || line == "}" || line == "^";
}

bool tells_error(std::string_view line) {
  static constexpr std::array<std::string_view, 7> kWords = {
      "error", "exception", "fatal", "panic", "cannot", "failed", "denied"};
  std::string lower = to_lower(line);
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return has(lower, word); });
}

// The last line; when that is only a runtime's trailer, the last above it that tells an error.
std::string telling_line(const std::vector<std::string>& lines) {
  std::string last;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (trim(*line).empty()) continue;
    if (last.empty()) {
      last = std::string(trim(*line));
      if (!is_trailer(*line)) return last;
    } else if (!is_trailer(*line) && tells_error(*line)) {
      return std::string(trim(*line));
    }
  }
  return last;
}

std::string last_log_line(Calls& calls, const LogStream& where, const std::stop_token& stop) {
  auto answer = calls.call(
      "logs", "GetLogEvents",
      Json::object({{"logGroupName", where.group}, {"logStreamName", where.stream}, {"limit", 50}}),
      stop);
  if (!answer.ok()) return "";  // no log group, no permission: the cause stands without it
  std::vector<std::string> lines;
  for (const auto& event : answer.value().get_array("events")) {
    std::string message = event.get_string("message");
    for (auto line : lines_of(message)) lines.emplace_back(line);
  }
  return telling_line(lines);
}

std::vector<Json> tasks_of(Calls& calls, const std::string& cluster, const std::string& service,
                           const char* desired, const std::stop_token& stop) {
  auto listed = calls.call(
      "ecs", "ListTasks",
      Json::object({{"cluster", cluster}, {"serviceName", service}, {"desiredStatus", desired}}),
      stop);
  if (!listed.ok()) return {};
  Json arns = Json::array();
  for (const auto& arn : listed.value().get_array("taskArns")) {
    if (arns.size() < 100) arns.push_back(arn);
  }
  if (arns.empty()) return {};
  auto described =
      calls.call("ecs", "DescribeTasks",
                 Json::object({{"cluster", cluster}, {"tasks", std::move(arns)}}), stop);
  return described.ok() ? described.value().get_array("tasks") : Json::Array{};
}

// The runtime found only after the start that the program is none: it writes that into the container's log and exits.
void correct_by_log(Cause& cause) {
  bool is_runtime =
      has(cause.last_line, "exec container process") ||
      (cause.last_line.starts_with("exec ") && has(cause.last_line, "exec format error"));
  if (cause.kind != Cause::Kind::exited || !is_runtime) return;
  cause.kind = Cause::Kind::cannot_start;
  auto begin = cause.last_line.find("exec ");
  auto end = cause.last_line.find('"', begin);
  cause.detail = cause.last_line.substr(begin, end == std::string::npos ? end : end - begin);
  if (has(to_lower(cause.detail), "exec format error"))
    cause.detail += ", the image may be for another kind of processor";
  cause.last_line.clear();
}

void add_last_lines(Calls& calls, const std::string& task_definition, std::vector<Cause>& causes,
                    const std::stop_token& stop) {
  if (causes.empty() || task_definition.empty()) return;
  auto described = calls.call("ecs", "DescribeTaskDefinition",
                              Json::object({{"taskDefinition", task_definition}}), stop);
  const Json* definition = described.ok() ? described.value().find("taskDefinition") : nullptr;
  for (auto& cause : causes) {
    if (cause.container.empty() || !definition) continue;
    if (auto where = log_stream(*definition, cause.container, cause.task))
      cause.last_line = last_log_line(calls, *where, stop);
    correct_by_log(cause);
  }
}

bool is_same(const Cause& a, const Cause& b) {
  return a.kind == b.kind && a.container == b.container && a.exit_code == b.exit_code;
}

}  // namespace

std::optional<Cause> cause_of(const Json& task) {
  Cause cause;
  cause.task = last_part(task.get_string("taskArn"));
  cause.stop_code = task.get_string("stopCode");
  cause.detail = task.get_string("stoppedReason");
  const auto& containers = task.get_array("containers");
  if (cause.stop_code == "UserInitiated") return std::nullopt;
  if (cause.stop_code == "ServiceSchedulerInitiated") {
    if (!has(cause.detail, "failed")) return std::nullopt;  // scaling
    return unhealthy(cause, containers);
  }
  if (cause.stop_code == "TaskFailedToStart") return failed_to_start(cause, containers);
  if (cause.stop_code != "EssentialContainerExited")
    return cause.stop_code.empty() ? std::nullopt : std::optional(cause);
  const Json* container = culprit(containers);
  if (!container) return cause;
  cause.detail.clear();
  tell_exit(cause, *container);
  cause.kind = is_out_of_memory(*container) ? Cause::Kind::out_of_memory : Cause::Kind::exited;
  return cause;
}

std::optional<Cause> cause_of_event(const std::string& message) {
  Cause cause{.detail = message, .tasks = 0};
  if (has(message, "unable to place a task") || has(message, "RESOURCE:") ||
      has(message, "Capacity is unavailable") || has(message, "capacity")) {
    cause.kind = Cause::Kind::placement;
  } else if (has(message, "unable to assume") || has(message, "failed to register targets") ||
             has(message, "failed to launch a task")) {
    cause.kind = Cause::Kind::resource;
  } else if (has(message, "is unhealthy in (target-group")) {
    cause.kind = Cause::Kind::target_unhealthy;
  } else {
    return std::nullopt;
  }
  return cause;
}

std::vector<Cause> find_causes(Calls& calls, const std::string& cluster, const std::string& service,
                               const std::string& deployment, const std::string& task_definition,
                               const std::stop_token& stop) {
  std::vector<Json> tasks = tasks_of(calls, cluster, service, "STOPPED", stop);
  std::stable_sort(tasks.begin(), tasks.end(), [](const Json& a, const Json& b) {
    return a.get_number("stoppedAt") > b.get_number("stoppedAt");
  });
  std::vector<Cause> causes;
  std::string definition_arn;
  for (const auto& task : tasks) {
    if (!deployment.empty() && task.get_string("startedBy") != deployment) continue;
    if (!task_definition.empty() && task.get_string("taskDefinitionArn") != task_definition)
      continue;
    auto cause = cause_of(task);
    if (!cause) continue;
    auto same = std::find_if(causes.begin(), causes.end(),
                             [&](const Cause& known) { return is_same(known, *cause); });
    if (same != causes.end()) {
      ++same->tasks;
      continue;
    }
    definition_arn = task.get_string("taskDefinitionArn");
    causes.push_back(std::move(*cause));
  }
  std::stable_sort(causes.begin(), causes.end(), [](const Cause& a, const Cause& b) {
    bool a_known = a.kind != Cause::Kind::unknown;
    bool b_known = b.kind != Cause::Kind::unknown;
    return a_known != b_known ? a_known : a.tasks > b.tasks;
  });
  add_last_lines(calls, definition_arn, causes, stop);
  return causes;
}

std::vector<Cause> find_sick(Calls& calls, const std::string& cluster, const std::string& service,
                             const std::string& deployment, const std::string& task_definition,
                             const std::stop_token& stop) {
  std::vector<Cause> causes;
  for (const auto& task : tasks_of(calls, cluster, service, "RUNNING", stop)) {
    if (task.get_string("startedBy") != deployment ||
        task.get_string("taskDefinitionArn") != task_definition)
      continue;
    for (const auto& container : task.get_array("containers")) {
      if (container.get_string("healthStatus") != "UNHEALTHY") continue;
      Cause cause{.kind = Cause::Kind::unhealthy,
                  .task = last_part(task.get_string("taskArn")),
                  .container = container.get_string("name")};
      auto same = std::find_if(causes.begin(), causes.end(),
                               [&](const Cause& known) { return is_same(known, cause); });
      if (same != causes.end()) {
        ++same->tasks;
      } else {
        causes.push_back(std::move(cause));
      }
    }
  }
  add_last_lines(calls, task_definition, causes, stop);
  return causes;
}

}  // namespace slipway::deploy
