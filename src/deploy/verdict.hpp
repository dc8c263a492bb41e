// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "deploy/calls.hpp"
#include "formats/json.hpp"
#include "ledger/ledger.hpp"

namespace slipway::deploy {

/// Why a task did not live.
struct Cause {
  enum class Kind {
    unknown,
    exited,            ///< a container ended by itself: exit_code or signal
    out_of_memory,     ///< killed for its memory limit
    unhealthy,         ///< the container's health check failed
    target_unhealthy,  ///< the load balancer's health check failed
    cannot_pull,       ///< the image
    cannot_start,      ///< the runtime refused: no such program, no permission
    resource,          ///< a secret, a role, a log group, the registry's authorisation
    dependency,        ///< a container it waits for failed
    placement,         ///< no place for the task
    refused,           ///< the cloud refused a call: the task definition, a role, a quota
    replaced,          ///< another deployment took its place
    stuck,             ///< nothing failed, but it did not become stable in time
  };
  Kind kind = Kind::unknown;
  std::string task;       ///< id
  std::string container;  ///< name; empty when it is the task as a whole
  std::optional<int> exit_code;
  int signal = 0;         ///< the exit code's signal (exit code - 128), 0 when none
  std::string stop_code;  ///< ECS's, "EssentialContainerExited"
  std::string detail;     ///< ECS's own words: container reason or stoppedReason
  std::string last_line;  ///< the last line the container logged; empty when there is none
  int tasks = 1;          ///< tasks that died of the same
};
/// "exited", "out_of_memory", …
std::string_view name_of(Cause::Kind kind);

/// How a deployment ended, and why.
struct Verdict {
  ledger::Verdict outcome = ledger::Verdict::unknown;
  std::vector<Cause> causes;   ///< the one that explains it first; empty for a success
  std::string note;            ///< what else is to be said: the cloud's reason, the timeout
  std::string rolled_back_to;  ///< task definition ARN that runs again
  std::chrono::milliseconds took{0};
  int desired = 0;  ///< tasks that the service should have
  int fewest = -1;  ///< running at once at the worst moment that was seen; -1: not watched
  [[nodiscard]] bool ok() const { return outcome == ledger::Verdict::succeeded; }
};

/// One line, without a line break: "container 'backend' exited with code 1: ModuleNotFoundError: …; rolled back to web:6".
std::string to_line(const Verdict& verdict);
formats::Json to_json(const Verdict& verdict);

/// Finds out why the tasks of a deployment stopped: ListTasks (STOPPED), DescribeTasks, and the last log line of the
/// container that explains it from CloudWatch Logs. Tasks stopped by scaling are left out.
///   deployment  "ecs-svc/…" (tasks' startedBy); empty: all tasks of the service
///   task_definition  its ARN; only its tasks count; empty: any
///   returns     the most telling first, equal ones counted together
std::vector<Cause> find_causes(Calls& calls, const std::string& cluster, const std::string& service,
                               const std::string& deployment, const std::string& task_definition,
                               const std::stop_token& stop);
/// What keeps tasks of a deployment that still run from becoming well: containers that fail their health checks, with their last
/// log line. The arguments as of find_causes().
std::vector<Cause> find_sick(Calls& calls, const std::string& cluster, const std::string& service,
                             const std::string& deployment, const std::string& task_definition,
                             const std::stop_token& stop);
/// The cause that one described task tells; nothing when it did not fail.
std::optional<Cause> cause_of(const formats::Json& task);
/// The cause that an event of the service tells (no place, no role, no target group); nothing for any other.
std::optional<Cause> cause_of_event(const std::string& message);

}  // namespace slipway::deploy
