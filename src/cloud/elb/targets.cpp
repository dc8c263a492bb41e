// SPDX-License-Identifier: Apache-2.0
// Target health: each target is asked by its group's rules; HAProxy gets requests to it only while it is healthy.
#include "cloud/elb/targets.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "cloud/elb/api.hpp"
#include "cloud/names.hpp"
#include "container/network.hpp"
#include "net/http_client.hpp"
#include "net/stream.hpp"

namespace slipway::cloud::elb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// AWS asks a new target once an interval; a laptop's user waits for the first success, so it is asked often until then.
constexpr std::int64_t kFirstChecksMs = 200;
constexpr milliseconds kDrainLook{20};
constexpr seconds kAfterEnd{1};  // for what was broken off to be gone

std::int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

bool Elb::exists(const std::string& arn) {
  return world_.read([&](const World& world) { return world.model.groups.contains(arn); });
}

std::optional<std::string> Elb::group_named(const Scope& scope, const std::string& name) {
  return world_.read([&](const World& world) -> std::optional<std::string> {
    for (const auto& [arn, group] : world.model.groups) {
      if (group.scope == scope && group.name == name) return arn;
    }
    return std::nullopt;
  });
}

void Elb::on_change(std::function<void()> listener) {
  world_.with([&](World& world) { world.listener = std::move(listener); });
}

void Elb::tell() {
  auto listener = world_.read([](const World& world) { return world.listener; });
  if (listener) listener();
}

TargetHealth Elb::health(const std::string& arn, const std::string& address, std::uint16_t port) {
  return world_.read([&](const World& world) -> TargetHealth {
    auto it =
        world.model.targets.find(Target{.group_arn = arn, .address = address, .port = port}.key());
    if (it == world.model.targets.end())
      return {"unused", "Target.NotRegistered", "Target is not registered to the target group"};
    return {it->second.state, it->second.reason, it->second.description};
  });
}

void Elb::add(const std::string& arn, const std::string& address, std::uint16_t port) {
  Target target{.group_arn = arn, .address = address, .port = port};
  target.added_ms = now_ms();
  note([&](Model& model, Tables& tables) {
    auto group = model.groups.find(arn);
    if (group == model.groups.end())
      refuse("TargetGroupNotFound", "One or more target groups not found");
    if (model.targets.contains(target.key())) return;
    model.targets[target.key()] = target;
    tables.put("elb.target", group->second.scope, target.key(), to_json(target));
  });
  show_targets();
}

void Elb::drain(const std::string& arn, const std::string& address, std::uint16_t port,
                const std::stop_token& stop) {
  Target leaving{.group_arn = arn, .address = address, .port = port};
  std::string key = leaving.key();
  std::optional<TargetGroup> group;
  note([&](Model& model, Tables& tables) {
    auto it = model.targets.find(key);
    auto owner = model.groups.find(arn);
    if (it == model.targets.end() || owner == model.groups.end()) return;
    it->second.state = "draining";
    group = owner->second;
    tables.put("elb.target", owner->second.scope, key, to_json(it->second));
  });
  if (!group) return;
  std::string server = fmt::format("{}/{}", backend_name(*group), server_name(leaving));
  wait_until_idle(server, stop, Deadline::in(seconds(group->drain_seconds())));
  end_requests(server);
  wait_until_idle(server, stop, Deadline::in(kAfterEnd));
  note([&](Model& model, Tables& tables) {
    model.targets.erase(key);
    tables.erase("elb.target", group->scope, key);
  });
  tell();
}

void Elb::wait_until_idle(const std::string& server, const std::stop_token& stop,
                          Deadline deadline) {
  Guarded<int> nothing;
  show_targets();
  while (is_carrying(server) && !deadline.passed() && !stop.stop_requested()) {
    nothing.wait(
        stop, Deadline::in(kDrainLook), [](int) { return false; }, [](int) {});
    show_targets();
  }
}

void Elb::check(Target target, const TargetGroup& group) {
  std::uint16_t port = target.port;
  if (auto own = to_integer(group.check_port)) port = static_cast<std::uint16_t>(*own);
  std::string reason;
  std::string text;
  bool passed = false;
  auto deadline = Deadline::in(seconds(group.timeout_s));
  try {
    if (group.check_protocol == "TCP") {
      net::connect_tcp(fmt::format("{}:{}", target.address, port), {}, deadline);
      passed = true;
    } else {
      auto response = checker_.request(
          {.method = "GET",
           .url = fmt::format("http://{}:{}{}", target.address, port, group.check_path),
           .headers = {{"Connection", "close"}}},
          {}, deadline);
      passed = matches_status(group.matcher, response.status);
      if (!passed) {
        reason = "Target.ResponseCodeMismatch";
        text = fmt::format("Health checks failed with these codes: [{}]", response.status);
      }
    }
  } catch (const Error&) {
    reason = deadline.passed() ? "Target.Timeout" : "Target.FailedHealthChecks";
    text = deadline.passed() ? "Request timed out" : "Health checks failed";
  }
  apply_check(target, group, passed, reason, text);
}

void Elb::apply_check(const Target& target, const TargetGroup& group, bool passed,
                      const std::string& reason, const std::string& text) {
  bool has_changed = false;
  note([&](Model& model, Tables& tables) {
    auto it = model.targets.find(target.key());
    if (it == model.targets.end()) return;
    Target& t = it->second;
    t.is_checking = false;
    t.good = passed ? t.good + 1 : 0;
    t.bad = passed ? 0 : t.bad + 1;
    if (t.state == "draining") return;
    std::int64_t now = now_ms();
    bool is_new = t.state == "initial";
    t.next_check_ms = now + (is_new && !passed ? kFirstChecksMs : group.interval_s * 1000LL);
    std::string before = t.state;
    if (passed && (is_new || (t.state == "unhealthy" && t.good >= group.healthy_threshold)))
      t.state = "healthy";
    // A new target has as long as AWS would give it: `unhealthy_threshold` intervals.
    bool has_failed =
        is_new ? now - t.added_ms >= 1000LL * group.interval_s * group.unhealthy_threshold
               : t.bad >= group.unhealthy_threshold;
    if (!passed && has_failed) t.state = "unhealthy";
    // What has passed, but not yet often enough, stays unhealthy for the reason that it had.
    if (t.state == "healthy") {
      t.reason = t.description = "";
    } else if (t.state == "initial") {
      t.reason = "Elb.InitialHealthChecking";
      t.description = "Initial health checks in progress";
    } else if (!passed) {
      t.reason = reason;
      t.description = text;
    }
    if (t.state == before) return;
    tables.put("elb.target", group.scope, t.key(), to_json(t));
    has_changed = true;
  });
  if (!has_changed) return;
  show_targets();
  tell();
}

void Elb::run(std::stop_token stop) {
  if (auto* network =
          around_.options.network) {  // after a reboot the addresses have to be made again
    auto balancers = world_.read([](const World& world) { return world.model.balancers; });
    for (auto& entry : balancers) {
      LoadBalancer& b = entry.second;
      auto endpoint = network->attach("elb-" + b.id);
      b.address = endpoint.address;
      b.netns = endpoint.netns.filename().string();
      change(
          [&](Model& model, Tables& tables) {
            model.balancers[b.arn] = b;
            tables.put("elb.lb", b.scope, b.name, to_json(b));
          },
          false);
      restrict(b);
      around_.names.set(b.dns_name, b.address);
      for (const auto& tag : b.tags.as_array()) {
        if (tag.get_string("Key") == "slipway:dns-name")
          around_.names.set(tag.get_string("Value"), b.address);
      }
    }
  }
  if (world_.read([](const World& world) { return !world.model.listeners.empty(); })) configure();
  TaskGroup checks(stop);
  checks.start([this](const std::stop_token& s) { meter(s); });
  std::uint64_t seen = 0;
  std::int64_t next = 0;
  while (!stop.stop_requested()) {
    auto deadline = next == 0
                        ? Deadline::in(seconds(60))
                        : Deadline::in(milliseconds(std::max<std::int64_t>(0, next - now_ms())));
    world_.wait(
        stop, deadline, [&](const World& world) { return world.version != seen; }, [](World&) {});
    if (stop.stop_requested()) break;
    std::vector<std::pair<Target, TargetGroup>> due;
    std::vector<Target> leaving;
    next = 0;
    world_.with([&](World& world) {
      seen = world.version;
      leaving.swap(world.to_drain);
      std::int64_t now = now_ms();
      for (auto& [key, t] : world.model.targets) {
        auto group = world.model.groups.find(t.group_arn);
        if (group == world.model.groups.end() || t.is_checking || t.state == "draining") continue;
        if (t.next_check_ms <= now) {
          t.is_checking = true;
          due.emplace_back(t, group->second);
        } else if (next == 0 || t.next_check_ms < next) {
          next = t.next_check_ms;
        }
      }
    });
    for (const auto& target : leaving) {
      checks.start([this, target](const std::stop_token& s) {
        drain(target.group_arn, target.address, target.port, s);
      });
    }
    for (const auto& [target, group] : due) {
      checks.start(
          [this, target = target, group = group](const std::stop_token&) { check(target, group); });
    }
  }
  checks.join();
  // The tasks behind the targets end with the cloud.
  world_.with([](World& world) { world.has_ended = true; });
  change(
      [](Model& model, Tables& tables) {
        for (const auto& [key, t] : model.targets) {
          auto group = model.groups.find(t.group_arn);
          if (group != model.groups.end()) tables.erase("elb.target", group->second.scope, key);
        }
        model.targets.clear();
      },
      false);
  haproxy_.stop();
  if (auto* network = around_.options.network) {
    world_.read([&](const World& world) {
      for (const auto& [arn, b] : world.model.balancers) network->release("elb-" + b.id);
      return 0;
    });
  }
}

}  // namespace slipway::cloud::elb
