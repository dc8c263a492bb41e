// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cloud/ecs/rolling.hpp"
#include "cloud/state.hpp"
#include "formats/json.hpp"

namespace slipway::cloud::ecs {

using formats::Json;

/// One container of a task.
struct TaskContainer {
  std::string name;
  std::string id;  ///< the last part of its ARN
  std::string image;
  std::string image_digest;
  std::string
      runtime_id;  ///< the id under which container::Runtime knows it; empty before it is made
  std::string status = "PENDING";  ///< PENDING, RUNNING, STOPPED
  std::string health = "UNKNOWN";  ///< of its health check; UNKNOWN without one
  std::optional<int> exit_code;
  std::string reason;
  bool is_essential = true;
  bool has_health_check = false;
  std::string cpu = "0";           ///< units, as the task definition says
  std::string memory;              ///< MiB; empty: the task's
  std::string memory_reservation;  ///< MiB; empty: none
  std::uint64_t log_offset =
      0;  ///< how much of its output is in CloudWatch Logs, in bytes of the runtime's log
};

/// A task as the scheduler and DescribeTasks know it. Times are milliseconds since the epoch, 0 when not yet.
struct Task {
  Scope scope;
  std::string cluster;
  std::string id;  ///< 32 hexadecimal digits
  std::string task_definition_arn;
  std::string group;       ///< "service:S" or "family:F"
  std::string service;     ///< empty for RunTask
  std::string deployment;  ///< "ecs-svc/…", empty for RunTask
  std::string started_by;
  std::string last_status = "PROVISIONING";
  std::string desired_status = "RUNNING";
  std::string stop_code;
  std::string stopped_reason;
  std::string address;
  std::string mac;
  std::string cpu;                   ///< of the whole task, units
  std::string memory;                ///< of the whole task, MiB
  bool can_execute = false;          ///< enableExecuteCommand
  std::int64_t protected_until = 0;  ///< the scheduler leaves it running until then
  Json overrides = Json::object();
  Json network = Json::object();  ///< networkConfiguration
  Json tags = Json::array();
  Json aliases = Json::array();  ///< names that Service Connect gives it (service_names.hpp)
  Json volumes = Json::array();  ///< those of EBS: volumeConfigurations with a "volumeId" each
  Json names = Json::array();    ///< ids of the Cloud Map services that it is an instance of
  std::vector<TaskContainer> containers;
  std::int64_t created = 0, pull_started = 0, pull_stopped = 0, started = 0, stopping = 0,
               stopped = 0;
  std::int64_t version = 1;
  bool was_healthy = false;  ///< has been counted healthy once
  bool is_counted = false;   ///< its outcome has been counted for the circuit breaker
  bool is_target = false;    ///< registered with the service's target groups

  [[nodiscard]] std::string key() const { return cluster + "/" + id; }
  [[nodiscard]] bool has_stopped() const { return last_status == "STOPPED"; }
  [[nodiscard]] bool is_stopping() const { return desired_status == "STOPPED"; }
  /// HEALTHY, UNHEALTHY or UNKNOWN by its essential containers.
  [[nodiscard]] std::string health() const;
};

/// One deployment of a service.
struct Deployment {
  std::string id;                       ///< "ecs-svc/" and 19 digits
  std::string status;                   ///< PRIMARY, ACTIVE
  std::string rollout = "IN_PROGRESS";  ///< IN_PROGRESS, COMPLETED, FAILED
  std::string reason;
  std::string task_definition_arn;
  Progress progress;
  std::int64_t created = 0, updated = 0, finished = 0;
  bool is_rollback = false;
  int failures_in_a_row = 0;      ///< starts that failed, for the pause before the next
  std::int64_t not_before = 0;    ///< no task is started before
  std::string rolled_back_to;     ///< the deployment that came back after this one failed
  Json digests = Json::object();  ///< image → digest, resolved once
  Json network = Json::object();
  Json load_balancers = Json::array();
  Json volumes = Json::array();   ///< volumeConfigurations
  Json connect = Json::object();  ///< Service Connect, settled (service_names.hpp); empty: without
  std::string
      stage;  ///< of a deployment beside the old one: SCALE_UP, PRODUCTION_TRAFFIC_SHIFT, BAKE_TIME, CLEAN_UP; else empty
  std::int64_t stage_since = 0;
  int weight = 0;                       ///< percent of the production traffic, in those stages
  bool is_held = false;                 ///< traffic waits until CodeDeploy lets it go
  bool is_ready = false;                ///< its tasks have been healthy, in those stages
  bool has_looked = false;              ///< at the alarms, when it began
  Json ignored_alarms = Json::array();  ///< names of those that were in ALARM then
  Json pauses = Json::array();          ///< at lifecycle hooks (pauses.hpp)
  std::int64_t good_since = 0;          ///< all is as wanted since then: the alarms' bake time
};

/// A service and what it is doing.
struct ServiceRecord {
  Scope scope;
  std::string cluster;
  std::string name;
  std::string status = "ACTIVE";  ///< ACTIVE, DRAINING, INACTIVE
  int desired = 0;
  std::string task_definition_arn;  ///< of the PRIMARY deployment
  int min_percent = 100;
  int max_percent = 200;
  Breaker breaker;
  int grace_seconds = 0;
  Json settings = Json::object();  ///< the other members of CreateService, as given
  Json strategy = Json::
      object();  ///< deploymentConfiguration's strategy and what belongs to it; empty: ROLLING
  Json alarms = Json::object();  ///< deploymentConfiguration's alarms, as given; empty: none
  Json tags = Json::array();
  std::vector<Deployment> deployments;  ///< PRIMARY first, then ACTIVE ones, newest first
  std::vector<Deployment> history;      ///< ended ones, newest first, at most 50
  std::vector<Json> events;             ///< newest first, at most 100
  std::int64_t created = 0;
  std::string created_by;  ///< an ARN

  [[nodiscard]] std::string key() const { return cluster + "/" + name; }
  /// The deployment controller: ECS or CODE_DEPLOY.
  [[nodiscard]] std::string controller() const {
    return settings.get_string("deploymentController", "ECS");
  }
  [[nodiscard]] Deployment* primary() {
    return deployments.empty() ? nullptr : &deployments.front();
  }
  [[nodiscard]] const Deployment* primary() const {
    return deployments.empty() ? nullptr : &deployments.front();
  }
};

std::string cluster_arn(const Scope& scope, const std::string& cluster);
std::string service_arn(const ServiceRecord& service);
std::string task_arn(const Task& task);
/// "02:42:…", as the network gives it to an address.
std::string mac_of(const std::string& address);
/// A task of a task definition, with its containers, not yet begun.
Task new_task(const Scope& scope, const std::string& cluster, const Json& definition,
              std::int64_t now);
/// A new "ecs-svc/…" id.
std::string new_deployment_id();

// As they are kept in State.
/// As deploymentCircuitBreaker is given and shown.
Json to_json(const Breaker& breaker);
Json to_json(const Task& task);
Task task_from_json(const Scope& scope, const Json& json);
Json to_json(const ServiceRecord& service);
ServiceRecord service_from_json(const Scope& scope, const Json& json);

/// The load balancers that a deployment's tasks are registered with.
const Json::Array& balancers_of(const ServiceRecord& service, const std::string& deployment);

/// How many of a deployment's tasks are where.
struct Counts {
  int running = 0;
  int pending = 0;
};
Counts count(const std::vector<const Task*>& tasks, const std::string& deployment);

// As the API shows them.
Json describe(const Task& task);
/// `tasks`: those of the service that have not stopped.
Json describe(const ServiceRecord& service, const std::vector<const Task*>& tasks);
/// "arn:…:service-deployment/CLUSTER/SERVICE/ID" and the revision that it deploys.
std::string service_deployment_arn(const ServiceRecord& service, const Deployment& deployment);
std::string service_revision_arn(const ServiceRecord& service, const Deployment& deployment);
/// The deployments of a service with the controller CODE_DEPLOY, as DescribeServices shows them: task sets.
Json task_sets_of(const ServiceRecord& service, const std::vector<const Task*>& tasks);
/// As ListServiceDeployments and DescribeServiceDeployments show a deployment.
Json describe_service_deployment(const ServiceRecord& service, const Deployment& deployment);

}  // namespace slipway::cloud::ecs
