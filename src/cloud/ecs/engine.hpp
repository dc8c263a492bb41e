// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/guarded.hpp"
#include "cloud/cloud.hpp"
#include "cloud/ecs/images.hpp"
#include "cloud/ecs/model.hpp"
#include "cloud/ecs/traffic.hpp"
#include "cloud/elb/targets.hpp"

namespace slipway::cloud::ecs {

/// "ACCOUNT/REGION/KEY": what services and tasks are found by.
std::string full_key(const Scope& scope, const std::string& key);

/// Everything that ECS knows about running things. Whoever changes a record names it in `dirty_…`.
struct World {
  std::map<std::string, ServiceRecord> services;  ///< by full_key(CLUSTER/NAME)
  std::map<std::string, Task> tasks;              ///< by full_key(CLUSTER/ID)
  std::set<std::string> clusters;                 ///< full_key(NAME) of those that exist
  std::set<std::string> dirty_services;
  std::set<std::string> dirty_tasks;
  std::set<std::string> gone_tasks;  ///< to be forgotten for good
  std::uint64_t version = 0;         ///< grows with every change
  std::vector<TrafficShift> shifts;  ///< what load balancers have yet to be told

  /// The service's tasks that have not stopped.
  [[nodiscard]] std::vector<const Task*> live_tasks(const ServiceRecord& service) const;
  /// Adds an event, newest first. The same text is not repeated while nothing else happened.
  void add_event(ServiceRecord& service, const std::string& text, std::int64_t now_ms);
};

/// Milliseconds since the epoch.
std::int64_t now_ms();

/// The scheduler and the tasks' lives. Its records survive kill -9; so do the containers, which it takes over again.
///   threads  change() and read() from any thread
class Engine final {
 public:
  Engine(const Surroundings& around, Images& images, elb::Targets& targets);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  /// Changes the world: what `use` marks dirty is on disk before it returns, and the scheduler looks at it.
  template <typename Use>
  auto change(Use&& use) {
    return world_.with([&](World& world) {
      if constexpr (std::is_void_v<std::invoke_result_t<Use, World&>>) {
        std::forward<Use>(use)(world);
        save(world);
      } else {
        auto result = std::forward<Use>(use)(world);
        save(world);
        return result;
      }
    });
  }
  template <typename Use>
  auto read(Use&& use) const {
    return world_.read(std::forward<Use>(use));
  }
  /// Waits until `ready(world)`, `stop` or the deadline; true when it is ready.
  template <typename Ready>
  bool wait(const std::stop_token& stop, Deadline deadline, Ready&& ready) {
    return world_.wait(stop, deadline, std::forward<Ready>(ready), [](World&) {});
  }

  /// Asks a task to stop. The caller holds the world (is inside change()).
  void request_stop(World& world, Task& task, const std::string& code, const std::string& reason);
  /// Schedules until `stop`; then ends every task's containers and returns.
  void run(std::stop_token stop);

  [[nodiscard]] const Surroundings& around() const { return around_; }
  [[nodiscard]] Images& images() { return images_; }
  [[nodiscard]] elb::Targets& targets() { return targets_; }
  /// Why ECS cannot launch tasks of a task definition: a role that is missing or does not trust ECS. Empty: it can.
  [[nodiscard]] std::string launch_error(const Json& definition) const;
  /// The registered task definition, or nothing.
  [[nodiscard]] std::optional<Json> task_definition(const Scope& scope, const std::string& arn);

 private:
  void save(World& world);
  void load();
  void prune(World& world);

  Surroundings around_;
  Images& images_;
  elb::Targets& targets_;
  Guarded<World> world_;
  Guarded<std::map<std::string, std::stop_source>>
      stops_;  ///< a task's stop, by full key, while it has a runner
};

/// One look at a service: starts and stops tasks by changing records, moves its deployments on. Pure but for the ids it draws.
///   health   of a running task for its load balancers: true when every target is healthy (or there is none)
///   stop     asks a task to stop: (task, code, reason)
///   returns  when to look again at the latest, in ms since the epoch; 0: only when something changes
struct FailedTarget {
  std::string group;  ///< the target group's ARN
  std::uint16_t port = 0;
  std::string reason;  ///< "Health checks failed with these codes: [404]"
};
/// An alarm as a deployment watches it.
struct WatchedAlarm {
  bool is_alarm = false;
  std::int64_t span_ms = 0;  ///< that it looks back over: the deployment bakes as long
};
struct TickHooks {
  std::function<WatchedAlarm(const std::string& name)> alarm = [](const std::string&) {
    return WatchedAlarm{};
  };
  std::function<bool(const Task&)> is_in_service;
  std::function<std::optional<FailedTarget>(const Task&)>
      failed_target;                                       ///< of a group that finds it unhealthy
  std::function<Json(const std::string& arn)> definition;  ///< a registered task definition
  std::function<std::string(const Json& definition)>
      launch_error;  ///< why no task of it can be launched; empty: it can
  std::function<void(Task&, const std::string& code, const std::string& reason)> stop;
};
std::int64_t tick(World& world, ServiceRecord& service, const TickHooks& hooks, std::int64_t now);

/// Makes the last deployment that COMPLETED the PRIMARY again, in place of the one that is. False when there is none, or the PRIMARY is
/// itself a way back.
///   why  begins the new PRIMARY's rolloutStateReason: "ECS deployment circuit breaker"
bool roll_back(World& world, ServiceRecord& service, const std::string& why, std::int64_t now);

}  // namespace slipway::cloud::ecs
