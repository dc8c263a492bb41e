// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/task_run.hpp"

#include <signal.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cloud/ec2/security_groups.hpp"
#include "cloud/ecs/container_plan.hpp"
#include "cloud/ecs/service_names.hpp"
#include "cloud/ecs/task_endpoint.hpp"
#include "cloud/ecs/task_setup.hpp"
#include "cloud/ecs/volumes.hpp"
#include "cloud/input.hpp"
#include "cloud/logs/log_store.hpp"
#include "container/log_file.hpp"
#include "container/network.hpp"
#include "container/runtime.hpp"
#include "os/file.hpp"
#include "os/file_watch.hpp"

namespace slipway::cloud::ecs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstProbes{500};    // between probes until the first success
constexpr seconds kQuickGrace{2};            // for containers when the cloud itself ends
constexpr seconds kStartLimitLook{1};        // how often a start timeout is looked at
constexpr std::size_t kReasonLength = 1024;  // ECS cuts reasons there

// How far a container has come, shared by the threads of one task.
struct Progress {
  struct One {
    enum class Phase { waiting, running, ended } phase = Phase::waiting;
    bool is_healthy = false;
    std::optional<container::ContainerExit> exit;
    Deadline start_limit = Deadline::never();  // until then others wait for it, from its start
  };
  std::map<std::string, One> containers;
  std::string
      broken;  // why the task must end before or beside an essential container's exit; else empty
  bool is_ending = false;  // nothing starts any more; what has just started ends itself
};

// A task's network interface, as its networkConfiguration makes it.
ec2::Interface interface_of(const Task& task) {
  ec2::Interface out{.scope = task.scope, .groups = {}, .subnet = ""};
  const Json* vpc = task.network.find("awsvpcConfiguration");
  if (vpc == nullptr) return out;
  for (const auto& group : vpc->get_array("securityGroups"))
    out.groups.push_back(group.as_string());
  if (const auto& subnets = vpc->get_array("subnets"); !subnets.empty())
    out.subnet = subnets.front().as_string();
  return out;
}

class TaskRun final {
 public:
  TaskRun(Engine& engine, const std::string& key, const std::stop_token& task_stop,
          const std::stop_token& cloud_stop)
      : engine_(engine),
        key_(key),
        task_stop_(task_stop),
        cloud_stop_(cloud_stop),
        on_task_stop_(task_stop, [this] { any_stop_.request_stop(); }),
        on_cloud_stop_(cloud_stop, [this] { any_stop_.request_stop(); }),
        task_(engine.read([&](const World& world) { return world.tasks.at(key); })),
        directory_(engine.around().options.state / "cloud/tasks" / task_.id) {}

  void run() {
    std::string reason;
    try {
      prepare();
      live();
    } catch (const CannotStart& why) {
      reason = why.reason;
    } catch (
        const Cancelled&) {  // NOLINT(bugprone-empty-catch): stopped while starting; the record says why
    }
    if (!reason.empty()) {
      engine_.change([&](World& world) {
        engine_.request_stop(world, world.tasks.at(key_), "TaskFailedToStart",
                             reason.substr(0, kReasonLength));
      });
    }
    finish();
  }

 private:
  void update(const std::function<void(Task&)>& use) {
    engine_.change([&](World& world) {
      Task& task = world.tasks.at(key_);
      use(task);
      ++task.version;
      world.dirty_tasks.insert(key_);
      task_ = task;
    });
  }

  void prepare() {
    auto* runtime = engine_.around().options.runtime;
    auto* network = engine_.around().options.network;
    if (!runtime || !network)
      throw CannotStart{
          "CannotStartContainerError: this local AWS was started without a container runtime"};
    auto definition = engine_.task_definition(task_.scope, task_.task_definition_arn);
    if (!definition) throw CannotStart{"CannotStartContainerError: the task definition is gone"};
    definition_ = *definition;
    endpoint_ = network->attach("task-" + task_.id.substr(0, 12));
    Json aliases = task_.aliases.empty()
                       ? engine_.read([&](const World& world) { return aliases_for(world, task_); })
                       : task_.aliases;
    update([&](Task& task) {
      task.address = endpoint_.address;
      task.mac = mac_of(endpoint_.address);
      task.aliases = aliases;
      if (task.last_status == "PROVISIONING") task.last_status = "PENDING";
      if (task.pull_started == 0) task.pull_started = now_ms();
    });
    engine_.around().security.join(endpoint_.address, interface_of(task_));
    if (any_stop_.stop_requested()) throw Cancelled();
    auto images = pull_images();
    auto secrets = resolve_secrets(engine_, task_, definition_);
    auto files = read_environment_files(engine_, task_, definition_);
    write_network_files(engine_, directory_, endpoint_.address, alias_lines(task_.aliases));
    if (!task_.aliases.empty()) lead_aliases(engine_, task_, endpoint_.netns);
    const auto& state = engine_.around().options.state;
    auto volumes =
        make_volumes(task_, definition_, directory_, state / "cloud/efs", any_stop_.get_token());
    for (const auto& item : definition_.get_array("containerDefinitions")) {
      std::string name = item.get_string("name");
      auto directory = directory_ / name;
      os::make_dirs(directory / "upper");
      os::make_dirs(directory / "work");
      try {
        plans_.push_back(plan_container(
            {task_, item, definition_, images.at(name), secrets[name], files[name],
             agent_environment(engine_, task_, definition_, name), directory, endpoint_.netns}));
        mount_volumes(plans_.back(), definition_, volumes, images.at(name));
      } catch (const Error& error) {
        throw CannotStart{fmt::format("CannotCreateContainerError: {}", error.what())};
      }
    }
    check_logs(engine_, task_, definition_, plans_);
  }

  std::map<std::string, TaskImage> pull_images() {
    std::map<std::string, TaskImage> images;
    std::string role = definition_.get_string("executionRoleArn");
    for (const auto& container : task_.containers) {
      std::string digest = engine_.read([&](const World& world) {
        for (const auto& [key, service] : world.services) {
          for (const auto& d : service.deployments) {
            if (d.id == task_.deployment) return d.digests.get_string(container.image);
          }
        }
        return std::string();
      });
      try {
        images[container.name] = engine_.images().pull(container.image, digest, role, task_.scope,
                                                       any_stop_.get_token());
      } catch (const Error& error) {
        std::string why = error.what();
        if (why.starts_with("ResourceInitializationError: ")) throw CannotStart{why};
        why = "CannotPullContainerError: " + why;
        set_reason(container.name, why);
        throw CannotStart{why};
      }
    }
    engine_.change([&](World& world) {
      Task& task = world.tasks.at(key_);
      task.pull_stopped = now_ms();
      task.last_status = task.last_status == "RUNNING" ? task.last_status : "ACTIVATING";
      for (auto& container : task.containers)
        container.image_digest = images.at(container.name).digest;
      world.dirty_tasks.insert(key_);
      for (auto& [key, service] : world.services) {
        for (auto& d : service.deployments) {
          if (d.id != task_.deployment) continue;
          for (const auto& container : task.containers)
            d.digests[container.image] = container.image_digest;
          world.dirty_services.insert(key);
        }
      }
      task_ = task;
    });
    return images;
  }

  void set_reason(const std::string& name, const std::string& reason) {
    update([&](Task& task) {
      for (auto& container : task.containers) {
        if (container.name == name) container.reason = reason.substr(0, kReasonLength);
      }
    });
  }

  void update_container(const std::string& name, const std::function<void(TaskContainer&)>& use) {
    engine_.change([&](World& world) {
      Task& task = world.tasks.at(key_);
      for (auto& container : task.containers) {
        if (container.name == name) use(container);
      }
      ++task.version;
      world.dirty_tasks.insert(key_);
    });
  }

  // Starts the containers, waits until the task has to end, and ends them.
  void live() {
    TaskEndpoint task_endpoint(engine_, key_, definition_, endpoint_.netns);
    TaskGroup agent{std::stop_token{}};  // ends before the endpoint that it serves
    agent.start([&](const std::stop_token& stop) { task_endpoint.run(stop); });
    if (!task_.aliases.empty()) {
      agent.start([this](const std::stop_token& stop) {
        follow_aliases(engine_, task_, endpoint_.netns, stop);
      });
    }
    TaskGroup minders{std::stop_token{}};
    for (const auto& plan : plans_) progress_.with([&](Progress& p) { p.containers[plan.name]; });
    for (const auto& plan : plans_) {
      minders.start([this, &plan](const std::stop_token& stop) { mind(plan, stop); });
    }
    bool started = progress_.wait(
        any_stop_.get_token(), Deadline::never(),
        [this](const Progress& p) { return has_to_end(p) || all_started(p); }, [](Progress&) {});
    if (started && !progress_.read([this](const Progress& p) { return has_to_end(p); }))
      become_running();
    progress_.wait(
        any_stop_.get_token(), Deadline::never(),
        [this](const Progress& p) { return has_to_end(p); }, [](Progress&) {});
    note_end();
    if (!cloud_stop_.stop_requested()) deregister();
    update([](Task& task) { task.last_status = "STOPPING"; });
    end_containers();
    minders.join();
    agent.stop();
    agent.join();
  }

  [[nodiscard]] bool all_started(const Progress& p) const {
    return std::all_of(p.containers.begin(), p.containers.end(), [](const auto& entry) {
      return entry.second.phase != Progress::One::Phase::waiting;
    });
  }

  [[nodiscard]] bool has_to_end(const Progress& p) const {
    if (!p.broken.empty()) return true;
    bool all_ended = !p.containers.empty();
    for (const auto& plan : plans_) {
      bool ended = p.containers.at(plan.name).phase == Progress::One::Phase::ended;
      if (ended && plan.is_essential) return true;
      all_ended = all_ended && ended;
    }
    return all_ended;
  }

  void become_running() {
    std::vector<std::pair<std::string, std::uint16_t>> targets = service_targets();
    update([&](Task& task) {
      if (task.last_status != "RUNNING") task.started = now_ms();
      task.last_status = "RUNNING";
      task.is_target = !targets.empty();
    });
    register_names(engine_, key_);
    for (const auto& [group, port] : targets) {
      engine_.targets().add(group, task_.address, port);
      note_event(fmt::format("registered 1 targets in (target-group {})", group));
    }
  }

  std::vector<std::pair<std::string, std::uint16_t>> service_targets() {
    return engine_.read([&](const World& world) {
      std::vector<std::pair<std::string, std::uint16_t>> out;
      auto it = world.services.find(full_key(task_.scope, task_.cluster + "/" + task_.service));
      if (it == world.services.end()) return out;
      for (const auto& balancer : balancers_of(it->second, task_.deployment)) {
        std::string group = balancer.get_string("targetGroupArn");
        if (!group.empty())
          out.emplace_back(group, static_cast<std::uint16_t>(balancer.get_int("containerPort")));
      }
      return out;
    });
  }

  void note_event(const std::string& text, const std::string& more = "") {
    engine_.change([&](World& world) {
      auto it = world.services.find(full_key(task_.scope, task_.cluster + "/" + task_.service));
      if (it != world.services.end())
        world.add_event(it->second, fmt::format("(service {}{}) {}", it->second.name, more, text),
                        now_ms());
    });
  }

  // Why the task ends, unless somebody asked for it and has said so.
  void note_end() {
    if (any_stop_.stop_requested()) return;
    std::string broken = progress_.read([](const Progress& p) { return p.broken; });
    engine_.change([&](World& world) {
      Task& task = world.tasks.at(key_);
      if (!broken.empty()) {
        engine_.request_stop(world, task, "TaskFailedToStart", broken.substr(0, kReasonLength));
      } else {
        engine_.request_stop(world, task, "EssentialContainerExited",
                             "Essential container in task exited");
      }
    });
  }

  void deregister() {
    deregister_names(engine_, key_);
    bool is_target =
        engine_.read([&](const World& world) { return world.tasks.at(key_).is_target; });
    if (!is_target) return;
    update([](Task& task) { task.last_status = "DEACTIVATING"; });
    note_event("has begun draining connections on 1 tasks.",
               fmt::format(", taskSet {}", task_.deployment));
    for (const auto& [group, port] : service_targets()) {
      note_event(fmt::format("deregistered 1 targets in (target-group {})", group));
      engine_.targets().drain(group, task_.address, port, cloud_stop_);
    }
  }

  void mind(const ContainerPlan& plan, const std::stop_token& stop) {
    try {
      if (!wait_for_dependencies(plan)) return mark_ended(plan, std::nullopt);
      auto& runtime = *engine_.around().options.runtime;
      auto state = runtime.state(plan.spec.id);
      if (!state) state = runtime.start(plan.spec);
      update_container(plan.name, [&](TaskContainer& c) {
        c.runtime_id = plan.spec.id;
        c.status = "RUNNING";
      });
      bool is_late = progress_.with([&](Progress& p) {
        p.containers[plan.name].phase = Progress::One::Phase::running;
        p.containers[plan.name].start_limit = Deadline::in(plan.start_timeout);
        return p.is_ending;
      });
      if (is_late) container::stop_container(runtime, plan.spec.id, SIGKILL, seconds(1), stop);
      TaskGroup helpers(stop);
      if (plan.health) helpers.start([&](const std::stop_token& s) { probe(plan, s); });
      if (plan.logs)
        helpers.start([&](const std::stop_token& s) { forward_log(plan, state->log, s); });
      auto exit = runtime.wait(plan.spec.id, stop, Deadline::never());
      helpers.stop();
      helpers.join();
      if (plan.logs) forward_rest(plan, state->log);
      mark_ended(plan, exit);
    } catch (const Cancelled&) {
      mark_ended(plan, std::nullopt);
    } catch (const Error& error) {
      std::string reason = fmt::format("CannotStartContainerError: {}", error.what());
      update_container(plan.name,
                       [&](TaskContainer& c) { c.reason = reason.substr(0, kReasonLength); });
      progress_.with([&](Progress& p) {
        if (p.broken.empty()) p.broken = reason;
      });
      mark_ended(plan, std::nullopt);
    }
  }

  // False when the container must not start any more.
  bool wait_for_dependencies(const ContainerPlan& plan) {
    std::string broken;
    bool met = false;
    while (!met && !any_stop_.stop_requested()) {
      met = progress_.wait(
          any_stop_.get_token(), Deadline::in(kStartLimitLook),
          [&](const Progress& p) {
            return !p.broken.empty() || p.is_ending || dependencies_met(plan, p, broken);
          },
          [&](Progress& p) {
            if (p.broken.empty()) p.broken = broken;
          });
    }
    return met &&
           progress_.read([](const Progress& p) { return p.broken.empty() && !p.is_ending; });
  }

  static bool dependencies_met(const ContainerPlan& plan, const Progress& p, std::string& broken) {
    using Phase = Progress::One::Phase;
    for (const auto& dependency : plan.depends_on) {
      const auto& one = p.containers.at(dependency.container);
      bool has_ended = one.phase == Phase::ended;
      bool is_met = has_ended || (dependency.condition == "HEALTHY" && one.is_healthy) ||
                    dependency.condition == "START";
      if (!is_met && one.start_limit.passed()) {
        broken = fmt::format("dependency timed out: container '{}' of '{}' is not {} in time",
                             dependency.container, plan.name, dependency.condition);
        return true;
      }
      if (dependency.condition == "START" && one.phase == Phase::waiting) return false;
      if (dependency.condition == "COMPLETE" && !has_ended) return false;
      if (dependency.condition == "HEALTHY" && !one.is_healthy && !has_ended) return false;
      if (dependency.condition == "SUCCESS" && !has_ended) return false;
      bool failed = dependency.condition == "SUCCESS" && (!one.exit || !one.exit->exit.ok());
      if (failed || (dependency.condition == "HEALTHY" && !one.is_healthy)) {
        broken = fmt::format("dependency did not exit successfully: container '{}' of '{}'",
                             dependency.container, plan.name);
        return true;
      }
    }
    return true;
  }

  void mark_ended(const ContainerPlan& plan, const std::optional<container::ContainerExit>& exit) {
    update_container(plan.name, [&](TaskContainer& c) {
      c.status = "STOPPED";
      if (!exit) return;
      if (exit->reason.empty()) c.exit_code = exit->exit.status();
      if (exit->out_of_memory) c.reason = "OutOfMemoryError: Container killed due to memory usage";
      if (!exit->reason.empty()) c.reason = exit->reason;
    });
    progress_.with([&](Progress& p) {
      p.containers[plan.name].phase = Progress::One::Phase::ended;
      p.containers[plan.name].exit = exit;
    });
  }

  // Until the first success it probes often; no success by the time Fargate would have given up is UNHEALTHY, later `retries` failures
  // in a row, `interval` apart.
  void probe(const ContainerPlan& plan, const std::stop_token& stop) {
    auto& runtime = *engine_.around().options.runtime;
    const auto& check = *plan.health;
    auto give_up = Deadline::in(check.start_period + check.interval * check.retries);
    bool was_healthy = false;
    int failures = 0;
    Guarded<int> nothing;
    while (!stop.stop_requested()) {
      container::ExecSpec exec{
          .argv = check.argv, .env = plan.spec.env, .cwd = plan.spec.cwd, .user = plan.spec.user};
      bool ok = false;
      try {
        ok = runtime.exec(plan.spec.id, exec, {}, stop, Deadline::in(check.timeout)).ok();
      } catch (const Error&) {  // timed out, or no such program: a failed check
      }
      if (stop.stop_requested()) return;
      failures = ok ? 0 : failures + 1;
      if (ok && !was_healthy) set_health(plan, "HEALTHY");
      was_healthy = was_healthy || ok;
      bool is_over = was_healthy ? failures >= check.retries : give_up.passed();
      if (is_over) {
        set_health(plan, "UNHEALTHY");
        return;
      }
      auto pause =
          was_healthy ? std::chrono::duration_cast<milliseconds>(check.interval) : kFirstProbes;
      nothing.wait(
          stop, Deadline::in(pause), [](int) { return false; }, [](int) {});
    }
  }

  void set_health(const ContainerPlan& plan, const std::string& health) {
    update_container(plan.name, [&](TaskContainer& c) { c.health = health; });
    progress_.with([&](Progress& p) { p.containers[plan.name].is_healthy = health == "HEALTHY"; });
    tell_names_health(engine_, key_);
  }

  void forward_log(const ContainerPlan& plan, const std::filesystem::path& log,
                   const std::stop_token& stop) {
    os::FileWatch watch(log);
    while (!stop.stop_requested()) {
      forward_rest(plan, log);
      watch.wait(stop, Deadline::in(seconds(5)));
    }
  }

  // Everything written since the offset that is on record.
  void forward_rest(const ContainerPlan& plan, const std::filesystem::path& path) {
    std::uint64_t offset = engine_.read([&](const World& world) {
      for (const auto& c : world.tasks.at(key_).containers) {
        if (c.name == plan.name) return c.log_offset;
      }
      return std::uint64_t{0};
    });
    container::LogReader reader(path, offset);
    for (auto lines = reader.next(); !lines.empty(); lines = reader.next()) {
      std::vector<logs::LogEvent> events;
      for (const auto& line : lines)
        events.push_back({.timestamp = line.time_ms, .message = line.text});
      try {
        engine_.around().logs.append(task_.scope, plan.logs->group, plan.logs->stream, events,
                                     now_ms());
      } catch (const Refusal& refusal) {
        engine_.around().log.warn("ecs: output of {} is lost: {}", plan.spec.id, refusal.message());
      }
      update_container(plan.name, [&](TaskContainer& c) { c.log_offset = reader.offset(); });
    }
  }

  [[nodiscard]] bool dependents_ended(const ContainerPlan& plan, const Progress& p) const {
    return std::all_of(plans_.begin(), plans_.end(), [&](const ContainerPlan& other) {
      bool depends = std::any_of(other.depends_on.begin(), other.depends_on.end(),
                                 [&](const Dependency& d) { return d.container == plan.name; });
      return !depends || p.containers.at(other.name).phase == Progress::One::Phase::ended;
    });
  }

  void end_containers() {
    progress_.with([](Progress& p) { p.is_ending = true; });
    auto& runtime = *engine_.around().options.runtime;
    TaskGroup enders{std::stop_token{}};
    for (const auto& plan : plans_) {
      enders.start([&](const std::stop_token& stop) {
        // A container waits until those that depend on it have stopped.
        progress_.wait(
            stop, Deadline::never(), [&](const Progress& p) { return dependents_ended(plan, p); },
            [](Progress&) {});
        auto grace = cloud_stop_.stop_requested() ? kQuickGrace : plan.stop_timeout;
        if (runtime.state(plan.spec.id))
          container::stop_container(runtime, plan.spec.id, plan.stop_signal, grace, stop);
      });
    }
    enders.join();
  }

  void finish() {
    deregister_names(engine_, key_);
    update([](Task& task) {
      task.desired_status = "STOPPED";
      task.last_status = "DEPROVISIONING";
      if (task.stop_code.empty()) {
        task.stop_code = "TerminationNotice";
        task.stopped_reason = "The local AWS was stopped";
      }
    });
    auto* runtime = engine_.around().options.runtime;
    if (runtime) {
      for (const auto& container : task_.containers)
        runtime->remove(runtime_id_of(task_, container.name));
    }
    engine_.around().security.leave(task_.address);
    if (auto* network = engine_.around().options.network)
      network->release("task-" + task_.id.substr(0, 12));
    remove_volumes(directory_);
    os::remove_tree(directory_);
    update([](Task& task) {
      task.last_status = "STOPPED";
      task.stopped = now_ms();
      for (auto& container : task.containers) container.status = "STOPPED";
    });
  }

  Engine& engine_;
  std::string key_;
  std::stop_token task_stop_;
  std::stop_token cloud_stop_;
  std::stop_source any_stop_;
  std::stop_callback<std::function<void()>> on_task_stop_;
  std::stop_callback<std::function<void()>> on_cloud_stop_;
  Task task_;  // as last seen
  std::filesystem::path directory_;
  Json definition_;
  container::Endpoint endpoint_;
  std::vector<ContainerPlan> plans_;
  Guarded<Progress> progress_;
};

}  // namespace

void run_task(Engine& engine, const std::string& key, const std::stop_token& task_stop,
              const std::stop_token& cloud_stop) {
  TaskRun(engine, key, task_stop, cloud_stop).run();
}

void fail_task(Engine& engine, const std::string& key, const std::string& reason) {
  Task task = engine.read([&](const World& world) { return world.tasks.at(key); });
  deregister_names(engine, key);
  if (auto* runtime = engine.around().options.runtime) {
    for (const auto& container : task.containers)
      runtime->remove(runtime_id_of(task, container.name));
  }
  engine.around().security.leave(task.address);
  if (auto* network = engine.around().options.network)
    network->release("task-" + task.id.substr(0, 12));
  engine.change([&](World& world) {
    Task& record = world.tasks.at(key);
    record.desired_status = record.last_status = "STOPPED";
    if (record.stop_code.empty()) record.stop_code = "TaskFailedToStart";
    if (record.stopped_reason.empty()) record.stopped_reason = reason.substr(0, kReasonLength);
    record.stopped = now_ms();
    world.dirty_tasks.insert(key);
  });
}

}  // namespace slipway::cloud::ecs
