// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/container_plan.hpp"

#include <signal.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/ecs/task_definition.hpp"
#include "container/user.hpp"

namespace slipway::cloud::ecs {
namespace {

std::vector<std::string> texts(const Json& parent, const char* key) {
  std::vector<std::string> out;
  for (const auto& item : parent.get_array(key)) out.push_back(item.as_string());
  return out;
}

const Json* override_of(const Task& task, const std::string& container) {
  for (const auto& item : task.overrides.get_array("containerOverrides")) {
    if (item.get_string("name") == container) return &item;
  }
  return nullptr;
}

std::vector<std::string> command_line(const PlanInputs& in, const Json* over) {
  std::vector<std::string> entry = texts(in.definition, "entryPoint");
  std::vector<std::string> command = texts(in.definition, "command");
  const auto& image = in.image.config.config;
  bool own_entry = !entry.empty();
  if (!own_entry) entry = image.entrypoint.value_or(std::vector<std::string>{});
  if (over && !over->get_array("command").empty()) command = texts(*over, "command");
  if (command.empty() && !own_entry) command = image.cmd.value_or(std::vector<std::string>{});
  entry.insert(entry.end(), command.begin(), command.end());
  if (entry.empty()) fail(Fault::bad_input, "no command specified, and the image has none");
  return entry;
}

std::map<std::string, std::string> environment_of(const PlanInputs& in, const Json* over) {
  std::map<std::string, std::string> env;
  for (const auto& entry : in.image.config.config.env) {
    auto at = entry.find('=');
    env[entry.substr(0, at)] = at == std::string::npos ? "" : entry.substr(at + 1);
  }
  env.try_emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  for (const auto& [name, value] : in.more_env) env[name] = value;
  for (const auto& [name, value] : in.file_env) env[name] = value;
  auto add = [&](const Json& from) {
    for (const auto& item : from.get_array("environment"))
      env[item.get_string("name")] = item.get_string("value");
  };
  add(in.definition);
  for (const auto& [name, value] : in.secrets) env[name] = value;
  if (over) add(*over);
  return env;
}

std::optional<HealthCheck> health_of(const Json& definition) {
  const Json* given = definition.find("healthCheck");
  if (!given) return std::nullopt;
  auto command = texts(*given, "command");
  HealthCheck check;
  if (command.front() == "CMD-SHELL") {
    check.argv = {"/bin/sh", "-c", command.size() > 1 ? command[1] : ""};
  } else if (command.front() == "CMD") {
    check.argv.assign(command.begin() + 1, command.end());
  } else if (command.front() == "NONE") {
    return std::nullopt;
  } else {
    check.argv = command;
  }
  check.interval = std::chrono::seconds(given->get_int("interval", 30));
  check.timeout = std::chrono::seconds(given->get_int("timeout", 5));
  check.retries = static_cast<int>(given->get_int("retries", 3));
  check.start_period = std::chrono::seconds(given->get_int("startPeriod", 0));
  return check;
}

std::optional<AwsLogs> logs_of(const PlanInputs& in, const std::string& name) {
  const Json* log = in.definition.find("logConfiguration");
  if (!log || log->get_string("logDriver") != "awslogs") return std::nullopt;
  const Json& options = log->at("options");
  std::string prefix = options.get_string("awslogs-stream-prefix");
  return AwsLogs{options.get_string("awslogs-group"),
                 prefix.empty() ? in.task.id : fmt::format("{}/{}/{}", prefix, name, in.task.id),
                 options.get_string("awslogs-create-group") == "true"};
}

container::Limits limits_of(const PlanInputs& in) {
  container::Limits limits;
  constexpr std::uint64_t kMib = 1024 * 1024;
  if (in.definition.contains("memory")) {
    limits.memory_bytes = static_cast<std::uint64_t>(in.definition.get_int("memory")) * kMib;
  } else if (int mib = memory_mib(in.task_definition.get_string("memory")); mib > 0) {
    limits.memory_bytes = static_cast<std::uint64_t>(mib) * kMib;
  }
  if (in.definition.contains("memoryReservation")) {
    limits.memory_reservation_bytes =
        static_cast<std::uint64_t>(in.definition.get_int("memoryReservation")) * kMib;
  }
  auto cpu = in.definition.get_int("cpu");
  if (cpu == 0) cpu = cpu_units(in.task_definition.get_string("cpu"));
  // A share, not a quota: on a laptop a quarter of a processor would only make every start slow.
  if (cpu > 1) limits.cpu_shares = static_cast<std::uint64_t>(cpu);
  limits.pids = 4096;
  return limits;
}

int signal_number(const std::string& name) {
  if (auto number = to_integer(name)) return static_cast<int>(*number);
  std::string plain = name.starts_with("SIG") ? name.substr(3) : name;
  for (int number = 1; number < NSIG; ++number) {
    const char* abbreviation = ::sigabbrev_np(number);
    if (abbreviation && plain == abbreviation) return number;
  }
  return SIGTERM;
}

}  // namespace

std::string runtime_id_of(const Task& task, const std::string& container) {
  return fmt::format("ecs-{}-{}", task.id, container);
}

ContainerPlan plan_container(const PlanInputs& in) {
  ContainerPlan plan;
  plan.name = in.definition.get_string("name");
  const Json* over = override_of(in.task, plan.name);
  const auto& image = in.image.config.config;
  auto& spec = plan.spec;
  spec.id = runtime_id_of(in.task, plan.name);
  spec.rootfs.lower = in.image.layers;
  spec.rootfs.upper = in.directory / "upper";
  spec.rootfs.work = in.directory / "work";
  spec.rootfs.read_only = in.definition.get_bool("readonlyRootFilesystem");
  spec.rootfs.discard = true;
  spec.argv = command_line(in, over);
  spec.env = environment_of(in, over);
  spec.cwd = in.definition.get_string("workingDirectory",
                                      image.working_dir.empty() ? "/" : image.working_dir);
  auto user = container::resolve_user(in.definition.get_string("user", image.user), spec.rootfs);
  spec.user = user.user;
  spec.env.try_emplace("HOME", user.home);
  spec.network = {container::NetworkChoice::Kind::joined, in.netns};
  spec.hostname = "ip-" + replace_all(in.task.address, ".", "-");
  spec.env.try_emplace("HOSTNAME", spec.hostname);
  for (const char* file : {"resolv.conf", "hosts"}) {
    spec.mounts.push_back(
        {.source = in.directory.parent_path() / file, .target = std::string("/etc/") + file});
  }
  spec.limits = limits_of(in);
  for (const auto& limit : in.definition.get_array("ulimits")) {
    spec.ulimits.push_back({limit.get_string("name"),
                            static_cast<std::uint64_t>(limit.get_int("softLimit")),
                            static_cast<std::uint64_t>(limit.get_int("hardLimit"))});
  }
  spec.security.drop_capabilities = {};
  if (const Json* linux_parameters = in.definition.find("linuxParameters")) {
    if (const Json* capabilities = linux_parameters->find("capabilities")) {
      for (const auto& name : texts(*capabilities, "add"))
        spec.security.add_capabilities.push_back("CAP_" + name);
      for (const auto& name : texts(*capabilities, "drop"))
        spec.security.drop_capabilities.push_back(name == "ALL" ? name : "CAP_" + name);
    }
  }
  for (const auto& dependency : in.definition.get_array("dependsOn")) {
    plan.depends_on.push_back(
        {dependency.get_string("containerName"), dependency.get_string("condition")});
  }
  plan.health = health_of(in.definition);
  plan.logs = logs_of(in, plan.name);
  plan.is_essential = in.definition.get_bool("essential", true);
  if (!image.stop_signal.empty()) plan.stop_signal = signal_number(image.stop_signal);
  plan.start_timeout = std::chrono::seconds(in.definition.get_int("startTimeout", 180));
  plan.stop_timeout = std::chrono::seconds(in.definition.get_int("stopTimeout", 30));
  return plan;
}

}  // namespace slipway::cloud::ecs
