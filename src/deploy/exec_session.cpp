// SPDX-License-Identifier: Apache-2.0
#include "deploy/exec_session.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// Marks begin with this byte (record separator), which commands hardly print.
constexpr char kMarkByte = '\x1e';

[[noreturn]] void say_why(const aws::ServiceError& error, const std::string& service) {
  if (error.message.find("not enabled") != std::string::npos) {
    fail(Fault::bad_input,
         "{}: set enableExecuteCommand on the service '{}' and deploy it again (aws ecs "
         "update-service --enable-execute-command --force-new-deployment)",
         error.message, service);
  }
  if (error.code == "TargetNotConnectedException") {
    fail(Fault::unavailable,
         "the agent in the task is not connected: the task role needs "
         "ssmmessages:CreateControlChannel, CreateDataChannel, OpenControlChannel and "
         "OpenDataChannel, and the task has to be RUNNING ({})",
         error.message);
  }
  static_cast<void>(aws::Answer(error).value());  // throws by its code
  fail(Fault::failed, "{}", error.message);
}

std::string newest_task(Calls& calls, const std::string& cluster, const std::string& service,
                        const std::stop_token& stop) {
  auto listed =
      calls
          .call("ecs", "ListTasks",
                Json::object(
                    {{"cluster", cluster}, {"serviceName", service}, {"desiredStatus", "RUNNING"}}),
                stop)
          .value();
  const auto& arns = listed.get_array("taskArns");
  if (arns.empty()) fail(Fault::not_found, "no task of '{}' runs", service);
  auto described =
      calls
          .call("ecs", "DescribeTasks", Json::object({{"cluster", cluster}, {"tasks", arns}}), stop)
          .value();
  const Json* newest = nullptr;
  for (const auto& task : described.get_array("tasks")) {
    if (task.get_string("lastStatus") != "RUNNING") continue;
    auto started = [](const Json& one) {
      const Json* at = one.find("startedAt");
      return at != nullptr && at->is_number() ? at->as_number() : 0.0;
    };
    if (newest == nullptr || started(task) > started(*newest)) newest = &task;
  }
  return newest == nullptr ? arns.front().as_string() : newest->get_string("taskArn");
}

}  // namespace

std::string quote_words(const std::vector<std::string>& words) {
  auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:=@%+,").find(c) != std::string_view::npos;
  };
  std::vector<std::string> quoted;
  for (const auto& word : words) {
    bool needs_none = !word.empty() && std::all_of(word.begin(), word.end(), is_plain);
    quoted.push_back(needs_none ? word : "'" + replace_all(word, "'", "'\\''") + "'");
  }
  return join(quoted, " ");
}

MarkedCommand::MarkedCommand(std::vector<std::string> words, bool echoes)
    : words_(std::move(words)), echoes_(echoes), mark_(hex(random_bytes(8))) {}

std::string MarkedCommand::line() const {
  std::string script = R"(printf '\036%s(' "$0"; "$@"; printf '\036%s)%d;' "$0" "$?")";
  if (!echoes_) script = "stty -echo 2>/dev/null; " + script;
  std::vector<std::string> all = {"/bin/sh", "-c", script, mark_};
  all.insert(all.end(), words_.begin(), words_.end());
  return quote_words(all);
}

std::string MarkedCommand::take(std::string_view bytes) {
  held_ += bytes;
  if (exit_code_) return "";
  if (!has_begun_) {
    std::string begin = kMarkByte + mark_ + "(";
    auto at = held_.find(begin);
    if (at == std::string::npos) return "";
    has_begun_ = true;
    held_.erase(0, at + begin.size());
  }
  std::string end = kMarkByte + mark_ + ")";
  std::string out;
  for (;;) {
    auto at = held_.find(kMarkByte);
    out += held_.substr(0, at);
    held_.erase(0, at);
    if (held_.empty()) return out;
    if (held_.size() < end.size() && end.starts_with(held_)) return out;  // may become the mark
    if (held_.starts_with(end)) {
      auto stop = held_.find(';');
      if (stop == std::string::npos) return out;
      auto code = to_integer(held_.substr(end.size(), stop - end.size()));
      exit_code_ = static_cast<int>(code.value_or(1));
      held_.clear();
      return out;
    }
    out += kMarkByte;
    held_.erase(0, 1);
  }
}

OpenSession open_session(Calls& calls, const std::string& cluster, const std::string& service,
                         const std::string& task, const std::string& container,
                         const std::string& command, const std::stop_token& stop) {
  Json input =
      Json::object({{"cluster", cluster},
                    {"task", task.empty() ? newest_task(calls, cluster, service, stop) : task},
                    {"interactive", true},
                    {"command", command}});
  if (!container.empty()) input["container"] = container;
  auto answer = calls.call("ecs", "ExecuteCommand", input, stop);
  if (const auto* error = answer.error()) say_why(*error, service);
  return {.task = answer.value().get_string("taskArn"),
          .container = answer.value().get_string("containerName"),
          .session = answer.value().at("session")};
}

}  // namespace slipway::deploy
