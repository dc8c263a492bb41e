// SPDX-License-Identifier: Apache-2.0
#include "cloud/cloud.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <iostream>
#include <optional>
#include <string>

#include "base/deadline.hpp"
#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/notify.hpp"
#include "cli/verbs.hpp"
#include "cloud/codedeploy/codedeploy.hpp"
#include "cloud/ecs/ecs.hpp"
#include "cloud/elb/elb.hpp"
#include "cloud/faults.hpp"
#include "cloud/snapshot.hpp"
#include "cloud/status.hpp"
#include "container/crun_runtime.hpp"
#include "container/leftovers.hpp"
#include "container/network.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

constexpr auto kStartTime = std::chrono::seconds(20);
constexpr auto kStopTime = std::chrono::seconds(60);

std::filesystem::path directory_of(const Surroundings& around) { return around.state / "cloud"; }

// Looks at `done` ten times a second until it is true; false when the time is up.
bool wait_until(const Surroundings& around, std::chrono::seconds span,
                const std::function<bool()>& done) {
  Guarded<int> nothing;
  auto deadline = Deadline::in(span);
  while (!done()) {
    if (around.stop.stop_requested()) throw Cancelled();
    if (deadline.passed()) return false;
    nothing.wait(
        around.stop, Deadline::in(std::chrono::milliseconds(20)), [](int) { return false; },
        [](int) {});
  }
  return true;
}

// Containers and a network need root; without them the other services still work.
struct Machine {
  std::unique_ptr<container::Runtime> runtime;
  std::unique_ptr<container::Network> network;
};
Machine machine_of(const Surroundings& around) {
  Machine machine;
  try {
    machine.runtime = container::make_crun_runtime({.state = around.state});
    machine.network = std::make_unique<container::Network>(
        container::NetworkOptions{.state = around.state, .name = "cloud", .bits = 21});
  } catch (const Error& error) {
    around.log.warn("the local AWS runs without containers: {}", error.what());
    machine.network.reset();
  }
  return machine;
}

int serve(const Invocation& invocation, Surroundings& around) {
  auto directory = directory_of(around);
  os::make_dirs(directory);
  auto lock = os::FileLock::try_take(directory / "lock");
  if (!lock)
    fail(Fault::conflict, "another process serves the local AWS of {}", around.state.string());
  auto machine = machine_of(around);
  cloud::CloudOptions options{.state = around.state,
                              .listen = invocation.value_or("--listen", "127.0.0.1:4566"),
                              .may_move = !invocation.value("--listen"),
                              .account = invocation.value_or("--account", "123456789012"),
                              .region = invocation.value_or("--region", "us-east-1"),
                              .runtime = machine.runtime.get(),
                              .network = machine.network.get(),
                              .gateway = machine.network ? machine.network->gateway() : ""};
  {
    cloud::Cloud local(options, around.log);
    cloud::elb::Targets* targets = nullptr;
    cloud::ecs::Deployer* deployer = nullptr;
    local.add([&](const cloud::Surroundings& parts) {
      auto balancing = cloud::elb::make(parts);
      targets = &balancing->targets();
      return balancing;
    });
    local.add([&](const cloud::Surroundings& parts) {
      return cloud::ecs::make(parts, cloud::ecs::make_images(parts), *targets, &deployer);
    });
    local.add([&](const cloud::Surroundings& parts) {
      return cloud::codedeploy::make(parts, *deployer, *targets);
    });
    TaskGroup beside(around.stop);
    beside.start([&](const std::stop_token& stop) { keep_delivering(around, stop); });
    local.run(around.stop, [&](const cloud::Endpoint& endpoint) {
      os::replace_file(directory / "cloud.pid",
                       fmt::format("{} {}\n", ::getpid(), os::start_ticks(::getpid()).value_or(0)));
      if (!around.quiet) print_error(fmt::format("the local AWS answers at {}\n", endpoint.url));
    });
    beside.stop();
    beside.join();
  }
  if (machine.network) machine.network->remove();
  machine.runtime.reset();
  container::remove_empty({.state = around.state});
  std::filesystem::remove(directory / "cloud.pid");
  return 0;
}

int start(const Invocation& invocation, Surroundings& around) {
  if (cloud_process(around.state) && local_cloud(around.state)) {
    if (!around.quiet) print_error("the local AWS runs already\n");
    return 0;
  }
  auto directory = directory_of(around);
  os::make_dirs(directory);
  std::error_code none;
  std::filesystem::remove(directory / "env.json", none);  // of one that was killed
  auto log = os::open_file((directory / "cloud.log").string(), O_WRONLY | O_CREAT | O_APPEND, 0640);
  std::vector<std::string> argv = {
      "/proc/self/exe", "--state", around.state.string(), "--log-level", "info", "cloud", "serve"};
  for (const auto* name : {"--listen", "--account", "--region"}) {
    if (auto value = invocation.value(name)) argv.insert(argv.end(), {name, *value});
  }
  auto process = os::Process::spawn({.argv = argv,
                                     .env = {},
                                     .cwd = "/",
                                     .stdin_fd = -1,
                                     .stdout_fd = log.get(),
                                     .stderr_fd = log.get(),
                                     .inherit = {},
                                     .own_session = true});
  std::optional<os::Exit> ended;
  bool answers = wait_until(around, kStartTime, [&] {
    ended = process.wait(around.stop, Deadline::in(std::chrono::milliseconds(0)));
    return ended.has_value() || (cloud_process(around.state) && local_cloud(around.state));
  });
  if (ended || !answers) {
    auto text = os::read_file_if_exists(directory / "cloud.log").value_or("");
    auto lines = lines_of(text);
    fail(Fault::unavailable, "the local AWS did not start: {} (log: {})",
         lines.empty() ? "it said nothing" : std::string(lines.back()),
         (directory / "cloud.log").string());
  }
  process.detach();
  if (!around.quiet)
    print_error(
        fmt::format("the local AWS answers at {}\n", local_cloud(around.state)->get_string("url")));
  return 0;
}

int stop(Surroundings& around) {
  auto process = cloud_process(around.state);
  if (!process) {
    if (!around.quiet) print_error("the local AWS does not run\n");
    return 0;
  }
  ::kill(process->pid, SIGTERM);
  auto gone = [&] { return !os::is_alive(process->pid, process->ticks); };
  if (!wait_until(around, kStopTime, gone))
    fail(Fault::failed, "the local AWS (process {}) did not end within {} s", process->pid,
         kStopTime.count());
  if (!around.quiet) print_error("the local AWS has stopped\n");
  return 0;
}

int status(Surroundings& around) {
  auto process = cloud_process(around.state);
  auto environment = local_cloud(around.state);
  if (!process || !environment) {
    print(around.json ? "{\"running\":false}\n" : "the local AWS does not run\n");
    return 1;
  }
  Json report = cloud::status_of(directory_of(around) / "state.db");
  if (around.json) {
    Json answer = Json::object({{"running", true},
                                {"pid", process->pid},
                                {"url", environment->at("url")},
                                {"account", environment->at("account")},
                                {"region", environment->at("region")},
                                {"resources", report}});
    print(answer.dump() + "\n");
    return 0;
  }
  std::string text = fmt::format(
      "the local AWS answers at {} (process {}, account {}, {})\n", environment->get_string("url"),
      process->pid, environment->get_string("account"), environment->get_string("region"));
  for (const auto& line : report.as_array()) {
    text += fmt::format("  {:<24} {:<44} {}\n", line.get_string("kind"), line.get_string("id"),
                        line.get_string("state"));
  }
  print(text);
  return 0;
}

int environment(Surroundings& around) {
  auto env = local_cloud(around.state);
  if (!cloud_process(around.state) || !env)
    fail(Fault::failed, "the local AWS does not run: slipway cloud start");
  std::vector<std::pair<std::string, std::string>> variables = {
      {"AWS_ENDPOINT_URL", env->get_string("url")},
      {"AWS_REGION", env->get_string("region")},
      {"AWS_DEFAULT_REGION", env->get_string("region")},
      {"AWS_ACCESS_KEY_ID", env->get_string("access_key_id")},
      {"AWS_SECRET_ACCESS_KEY", env->get_string("secret_access_key")},
      {"AWS_CA_BUNDLE", env->get_string("ca_file")},
      // One address serves all: no "stream-" before it (botocore, for StartLiveTail).
      {"AWS_DISABLE_HOST_PREFIX_INJECTION", "true"}};
  if (around.json) {
    Json answer = Json::object({});
    for (const auto& [name, value] : variables) answer[name] = value;
    print(answer.dump() + "\n");
  } else {
    for (const auto& [name, value] : variables) print(fmt::format("export {}={}\n", name, value));
  }
  return 0;
}

// What starts the cloud that runs once more as it was: where it answers, its account and region, unless the user names others.
Invocation as_it_was(const Invocation& invocation, const Surroundings& around) {
  Invocation again = invocation;
  auto env = local_cloud(around.state);
  if (!env) return again;
  auto keep = [&](const char* option, const std::string& value) {
    if (!invocation.has(option) && !value.empty()) again.given[option] = {value};
  };
  std::string url = env->get_string("url");
  keep("--listen", url.substr(std::min(url.size(), std::string_view("http://").size())));
  keep("--account", env->get_string("account"));
  keep("--region", env->get_string("region"));
  return again;
}

int reset(const Invocation& invocation, Surroundings& around) {
  if (!invocation.has("--yes"))
    fail(Fault::bad_input,
         "this forgets every resource, image and database of the local AWS: give --yes to mean it");
  bool was_running = cloud_process(around.state).has_value();
  Invocation again = as_it_was(invocation, around);
  stop(around);
  auto directory = directory_of(around);
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    // The authority stays: clients and images trust it by now.
    if (entry.path().filename() != "ca" && entry.path().filename() != "lock")
      os::remove_tree(entry.path());
  }
  if (!around.quiet) print_error("the local AWS is empty\n");
  return was_running ? start(again, around) : 0;
}

int authority(Surroundings& around) {
  auto file = directory_of(around) / "ca" / "ca.crt";
  auto pem = os::read_file_if_exists(file);
  if (!pem)
    fail(Fault::failed, "there is no certificate authority yet: slipway cloud start makes it");
  print(around.json ? Json::object({{"file", file.string()}, {"certificate", *pem}}).dump() + "\n"
                    : *pem);
  return 0;
}

// SERVICE:OPERATION meets CODE; without a target the faults are listed.
int fault(const Invocation& invocation, Surroundings& around) {
  auto file = directory_of(around) / "faults.json";
  auto rules = cloud::read_faults(file);
  if (invocation.has("--clear")) {
    std::filesystem::remove(file);
    if (!around.quiet) print_error("no faults are met any more\n");
    return 0;
  }
  if (invocation.arguments.size() > 1) {
    cloud::FaultRule rule{.target = invocation.arguments[1],
                          .code = invocation.arguments.size() > 2 ? invocation.arguments[2] : ""};
    auto number = [&](const char* name) {
      auto given = to_integer(invocation.value_or(name, "0"));
      if (!given || *given < 0) fail(Fault::bad_input, "{} must be a number from 0 on", name);
      return *given;
    };
    rule.times = static_cast<int>(number("--times"));
    rule.delay = std::chrono::milliseconds(number("--delay"));
    if (rule.target != "*" && rule.target.find(':') == std::string::npos)
      fail(Fault::bad_input, "'{}' is no SERVICE:OPERATION such as ecs:UpdateService", rule.target);
    if (rule.code.empty() && rule.delay.count() == 0)
      fail(Fault::bad_input,
           "give the error that calls are to meet, such as ThrottlingException, or --delay MS");
    rules.push_back(rule);
    os::make_dirs(directory_of(around));
    cloud::write_faults(file, rules);
    return 0;
  }
  Json list = Json::array();
  std::string text = rules.empty() ? "no faults\n" : "";
  for (const auto& rule : rules) {
    list.push_back(Json::object({{"target", rule.target},
                                 {"code", rule.code},
                                 {"times", rule.times},
                                 {"delay_ms", static_cast<std::int64_t>(rule.delay.count())}}));
    text +=
        fmt::format("{:<36} {:<28} {}{}\n", rule.target, rule.code,
                    rule.times > 0 ? fmt::format("{} times", rule.times) : "always",
                    rule.delay.count() > 0 ? fmt::format(", after {} ms", rule.delay.count()) : "");
  }
  print(around.json ? list.dump() + "\n" : text);
  return 0;
}

std::filesystem::path snapshot_file(const Invocation& invocation) {
  if (invocation.arguments.size() != 2)
    fail(Fault::bad_input, "cloud {} needs a FILE", invocation.arguments[0]);
  return invocation.arguments[1];
}

int save(const Invocation& invocation, Surroundings& around) {
  auto file = snapshot_file(invocation);
  cloud::save_snapshot(directory_of(around), file, cloud_process(around.state).has_value(),
                       around.stop);
  if (!around.quiet) print_error(fmt::format("saved to {}\n", file.string()));
  return 0;
}

int load(const Invocation& invocation, Surroundings& around) {
  auto file = snapshot_file(invocation);
  if (!invocation.has("--yes") && std::filesystem::exists(directory_of(around) / "state.db")) {
    fail(Fault::bad_input,
         "this puts what the file holds in place of every resource, image and database of the "
         "local AWS: give --yes to mean it");
  }
  bool was_running = cloud_process(around.state).has_value();
  Invocation again = as_it_was(invocation, around);
  stop(around);
  cloud::load_snapshot(file, directory_of(around), around.stop);
  if (!around.quiet) print_error(fmt::format("loaded from {}\n", file.string()));
  return was_running ? start(again, around) : 0;
}

}  // namespace

Verb cloud_verb() {
  return {
      .name = "cloud",
      .usage = "start|stop|status|reset|env|ca|serve|save|load|fault [options]",
      .summary = "the local AWS, in the background or the foreground",
      .options = {{"--listen", Option::Kind::value, "ADDR",
                   "where it answers (default 127.0.0.1:4566); start, serve"},
                  {"--account", Option::Kind::value, "ID",
                   "the account of the root test keys (default 123456789012)"},
                  {"--region", Option::Kind::value, "NAME",
                   "the region of calls that name none (default us-east-1)"},
                  {"--yes", Option::Kind::flag, "", "reset, load: do it"},
                  {"--times", Option::Kind::value, "N",
                   "fault: how many calls meet it (default: all)"},
                  {"--delay", Option::Kind::value, "MS", "fault: milliseconds before the answer"},
                  {"--clear", Option::Kind::flag, "", "fault: no call meets one any more"}},
      .min_arguments = 1,
      .max_arguments = 3,
      .run = [](const Invocation& invocation, Surroundings& around) {
        const auto& what = invocation.arguments[0];
        if (invocation.arguments.size() > 1 && what != "save" && what != "load" && what != "fault")
          fail(Fault::bad_input, "cloud {} takes no arguments", what);
        if (what == "serve") return serve(invocation, around);
        if (what == "start") return start(invocation, around);
        if (what == "stop") return stop(around);
        if (what == "status") return status(around);
        if (what == "env") return environment(around);
        if (what == "reset") return reset(invocation, around);
        if (what == "ca") return authority(around);
        if (what == "save") return save(invocation, around);
        if (what == "load") return load(invocation, around);
        if (what == "fault") return fault(invocation, around);
        fail(Fault::bad_input,
             "cloud knows start, stop, status, reset, env, ca, serve, save, load and fault, not "
             "'{}'",
             what);
      }};
}

}  // namespace slipway::cli
