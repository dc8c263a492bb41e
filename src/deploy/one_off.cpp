// SPDX-License-Identifier: Apache-2.0
#include "deploy/one_off.hpp"

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

void rest(std::chrono::milliseconds span, const std::stop_token& stop) {
  Guarded<int> nothing;
  nothing.wait(
      stop, Deadline::in(span), [](int) { return false; }, [](int) {});
  if (stop.stop_requested()) throw Cancelled();
}

const Json& container_of(const Json& definition, const std::string& wanted) {
  const auto& containers = definition.get_array("containerDefinitions");
  for (const auto& container : containers) {
    if (wanted.empty() ? container.get_bool("essential", true)
                       : container.get_string("name") == wanted)
      return container;
  }
  fail(Fault::bad_input, "the task definition {}:{} has no container '{}'",
       definition.get_string("family"), definition.get_int("revision"), wanted);
}

class Run final {
 public:
  Run(Calls& calls, const OneOff& what, const std::function<void(const std::string&)>& log,
      const std::stop_token& stop)
      : calls_(calls), what_(what), log_(log), stop_(stop) {}

  OneOffResult run(Deadline deadline) {
    start();
    std::chrono::milliseconds pause{100};
    for (;;) {
      Json task = described();
      forward_log();
      if (task.get_string("lastStatus") == "STOPPED") return judge(task);
      if (deadline.passed()) {
        calls_.call("ecs", "StopTask",
                    Json::object({{"cluster", what_.cluster},
                                  {"task", out_.task},
                                  {"reason", "slipway: not done in time"}}),
                    stop_);
        fail(Fault::failed, "task {} was not done in time and is stopped", last_part(out_.task));
      }
      rest(pause, stop_);
      pause = std::min<std::chrono::milliseconds>(pause * 5 / 4, std::chrono::seconds(1));
    }
  }

 private:
  void start() {
    Json service = describe_service(calls_, what_.cluster, what_.service, stop_);
    std::string arn = what_.task_definition.empty() ? service.get_string("taskDefinition")
                                                    : what_.task_definition;
    auto definition = describe_task_definition(calls_, arn, stop_);
    if (!definition) fail(Fault::not_found, "there is no task definition '{}'", arn);
    const Json& container = container_of(*definition, what_.container);
    out_.container = container.get_string("name");
    set_log(container);
    Json words = Json::array();
    for (const auto& word : what_.command) words.push_back(word);
    Json override_one = Json::object({{"name", out_.container}});
    if (!words.empty()) override_one["command"] = words;
    Json input = Json::object(
        {{"cluster", what_.cluster},
         {"taskDefinition", arn},
         {"startedBy", what_.started_by},
         {"clientToken", uuid()},
         {"count", 1},
         {"overrides", Json::object({{"containerOverrides", Json::array({override_one})}})}});
    if (const Json* network = service.find("networkConfiguration"))
      input["networkConfiguration"] = *network;
    if (const Json* strategy = service.find("capacityProviderStrategy");
        strategy && !strategy->empty()) {
      input["capacityProviderStrategy"] = *strategy;
    } else {
      input["launchType"] = service.get_string("launchType", "FARGATE");
    }
    Json answer = calls_.call("ecs", "RunTask", input, stop_).value();
    if (answer.get_array("tasks").empty()) {
      const auto& failures = answer.get_array("failures");
      fail(Fault::failed, "no task could be run: {}",
           failures.empty() ? "no reason is told" : failures.front().get_string("reason"));
    }
    out_.task = answer.get_array("tasks").front().get_string("taskArn");
  }

  void set_log(const Json& container) {
    const Json* logging = container.find("logConfiguration");
    const Json* options = logging ? logging->find("options") : nullptr;
    if (!options || logging->get_string("logDriver") != "awslogs") return;
    group_ = options->get_string("awslogs-group");
    prefix_ = options->get_string("awslogs-stream-prefix");
  }

  Json described() {
    Json answer =
        calls_
            .call("ecs", "DescribeTasks",
                  Json::object({{"cluster", what_.cluster}, {"tasks", Json::array({out_.task})}}),
                  stop_)
            .value();
    const auto& tasks = answer.get_array("tasks");
    if (tasks.empty()) fail(Fault::failed, "task {} is gone", last_part(out_.task));
    return tasks.front();
  }

  void forward_log() {
    if (!log_ || group_.empty()) return;
    Json input = Json::object(
        {{"logGroupName", group_},
         {"logStreamName", fmt::format("{}/{}/{}", prefix_, out_.container, last_part(out_.task))},
         {"startFromHead", true}});
    if (!token_.empty()) input["nextToken"] = token_;
    auto answer = calls_.call("logs", "GetLogEvents", input, stop_);
    if (!answer.ok()) return;  // no stream yet
    for (const auto& event : answer.value().get_array("events")) log_(event.get_string("message"));
    token_ = answer.value().get_string("nextForwardToken", token_);
  }

  OneOffResult judge(const Json& task) {
    forward_log();
    const Json* mine = nullptr;
    for (const auto& container : task.get_array("containers")) {
      if (container.get_string("name") == out_.container) mine = &container;
    }
    if (mine && mine->contains("exitCode"))
      out_.exit_code = static_cast<int>(mine->get_int("exitCode"));
    if (out_.ok()) return out_;
    auto cause = cause_of(task);
    out_.reason = cause ? to_line({.outcome = ledger::Verdict::failed, .causes = {*cause}})
                        : task.get_string("stoppedReason", "no reason is known");
    return out_;
  }

  Calls& calls_;
  const OneOff& what_;
  const std::function<void(const std::string&)>& log_;
  const std::stop_token& stop_;
  OneOffResult out_;
  std::string group_;
  std::string prefix_;
  std::string token_;
};

}  // namespace

OneOffResult run_one_off(Calls& calls, const OneOff& what, Deadline deadline,
                         const std::function<void(const std::string&)>& log,
                         const std::stop_token& stop) {
  return Run(calls, what, log, stop).run(deadline);
}

}  // namespace slipway::deploy
