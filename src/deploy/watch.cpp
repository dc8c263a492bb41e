// SPDX-License-Identifier: Apache-2.0
#include <condition_variable>
#include <mutex>

#include "base/error.hpp"
#include "deploy/rollout.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"

// Watching a deployment to its verdict.
//
// Only the deployment that the rollout created counts. It succeeds when it is PRIMARY and COMPLETED. It has failed when ECS
// says FAILED, when it is no longer PRIMARY or not listed any more, or - where the service has no circuit breaker to say so -
// when as many of its tasks failed as the breaker would have let through. Then the way back is followed: ECS's own where its
// breaker rolls back, else an UpdateService from here to the task definition that ran before.
namespace slipway::deploy {
namespace {

using formats::Json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How long ECS may take from FAILED to the deployment that rolls back; and how long the cloud may be out of reach.
constexpr milliseconds kBreakerGrace{10'000};
constexpr milliseconds kOutOfReach{300'000};

void pause(milliseconds span, Deadline deadline, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, deadline.sooner(Deadline::in(span)).at(), [] { return false; });
  if (stop.stop_requested()) throw Cancelled();
}

milliseconds since(steady_clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
}

// The circuit breaker's threshold. source  ECS developer guide, "How the Amazon ECS deployment circuit breaker works"
std::int64_t threshold(std::int64_t desired) {
  return std::clamp<std::int64_t>((desired + 1) / 2, 3, 200);
}

bool is_done(const Json& deployment) {
  return deployment.get_string("status") == "PRIMARY" &&
         deployment.get_string("rolloutState") == "COMPLETED";
}

class Watcher {
 public:
  Watcher(Calls& calls, const Rollout& rollout, const WatchOptions& options,
          const std::stop_token& stop)
      : calls_(calls),
        rollout_(rollout),
        options_(options),
        stop_(stop),
        last_event_(rollout.last_event) {}

  Verdict run() {
    while (!options_.deadline.passed()) {
      Json service = poll();
      const Json* mine = deployment_of(service, rollout_.deployment);
      const Json* primary = primary_of(service);
      if (mine && is_done(*mine)) return finish(ledger::Verdict::succeeded);
      if (!mine || mine->get_string("status") != "PRIMARY")
        return replaced(primary ? *primary : Json());
      if (mine->get_string("rolloutState") == "FAILED")
        return failed(mine->get_string("rolloutStateReason"));
      if (!rollout_.has_breaker && mine->get_int("failedTasks") >=
                                       threshold(mine->get_int("desiredCount", rollout_.desired))) {
        return failed("");
      }
      tell_stopped(mine->get_int("failedTasks"));
      wait();
    }
    Verdict verdict = finish(ledger::Verdict::unknown);
    verdict.causes = causes();
    add_event_cause(verdict);
    if (verdict.causes.empty())
      verdict.causes = find_sick(calls_, rollout_.cluster, rollout_.service, rollout_.deployment,
                                 rollout_.task_definition, stop_);
    if (verdict.causes.empty())
      verdict.causes.push_back(Cause{.kind = Cause::Kind::stuck, .tasks = 0});
    verdict.note =
        fmt::format("not stable after {}: {}", formats::print_duration(verdict.took), last_counts_);
    return verdict;
  }

 private:
  // The service as it is now; what is new about it goes to the sink.
  Json poll() {
    milliseconds rest = options_.longest_pause;
    for (auto first = steady_clock::now();;) {
      try {
        Json service = describe_service(calls_, rollout_.cluster, rollout_.service, stop_);
        look(service);
        return service;
      } catch (const Error& error) {
        if (error.fault() != Fault::unavailable || since(first) > kOutOfReach) throw;
      }
      pause(rest, Deadline::never(), stop_);  // the client has tried several times already
      rest = std::min<milliseconds>(rest * 2, 10 * options_.longest_pause);
    }
  }

  void look(const Json& service) {
    std::string counts;
    for (const auto& deployment : service.get_array("deployments")) {
      if (!counts.empty()) counts += "; ";
      counts += fmt::format("{} {}: {} of {} running",
                            deployment.get_string("status") == "PRIMARY" ? "new" : "old",
                            brief_task_definition(deployment.get_string("taskDefinition")),
                            deployment.get_int("runningCount"), deployment.get_int("desiredCount"));
      if (auto pending = deployment.get_int("pendingCount"))
        counts += fmt::format(", {} pending", pending);
      if (auto failures = deployment.get_int("failedTasks"))
        counts += fmt::format(", {} failed", failures);
    }
    int running = 0;
    for (const auto& deployment : service.get_array("deployments"))
      running += static_cast<int>(deployment.get_int("runningCount"));
    fewest_ = fewest_ < 0 ? running : std::min(fewest_, running);
    desired_ = static_cast<int>(service.get_int("desiredCount", rollout_.desired));
    if (counts != last_counts_) {
      last_counts_ = counts;
      tell(RolloutEvent::Kind::progress, counts);
      changed_at_ = steady_clock::now();
    }
    tell_events(service);
  }

  void tell_events(const Json& service) {
    const auto& events = service.get_array("events");  // newest first
    std::vector<std::string> fresh;
    for (const auto& event : events) {
      if (event.get_string("id") == last_event_) break;
      fresh.push_back(event.get_string("message"));
    }
    if (!events.empty()) last_event_ = events.front().get_string("id");
    for (auto text = fresh.rbegin(); text != fresh.rend(); ++text) {
      for (const char* end : {") deployment failed", " deployment failed"})
        has_failed_ = has_failed_ || text->find(rollout_.deployment + end) != std::string::npos;
      // A failure that tells its cause is kept over those that only follow from it.
      if (is_failure(*text) && (cause_of_event(*text) || !cause_of_event(last_failure_)))
        last_failure_ = *text;
      tell(RolloutEvent::Kind::service_event, *text);
    }
  }

  // source  copilot-cli, internal/pkg/stream: the words that tell a failure event
  static bool is_failure(const std::string& event) {
    static constexpr std::array kWords = {"fail",   "unhealthy", "error",          "throttle",
                                          "unable", "missing",   "alarm detected", "rolling back"};
    return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
      return event.find(word) != std::string::npos;
    });
  }

  void tell(RolloutEvent::Kind kind, const std::string& text) {
    if (options_.sink) options_.sink({kind, text});
  }

  // Says why tasks stop as soon as ECS counts them.
  void tell_stopped(std::int64_t failed_tasks) {
    if (failed_tasks <= told_failures_) return;
    told_failures_ = failed_tasks;
    auto found = causes();
    if (!found.empty())
      tell(RolloutEvent::Kind::task_stopped,
           to_line(Verdict{.outcome = ledger::Verdict::failed, .causes = std::move(found)}));
  }

  std::vector<Cause> causes() {
    return find_causes(calls_, rollout_.cluster, rollout_.service, rollout_.deployment,
                       rollout_.task_definition, stop_);
  }

  // The longer nothing has changed, the longer the pause: what is noticed late is a twentieth of what it took.
  // What no stopped task tells is told by the service's events: that no task can be started or placed.
  void add_event_cause(Verdict& verdict) const {
    if (!verdict.causes.empty()) return;
    if (auto cause = cause_of_event(last_failure_)) verdict.causes.push_back(std::move(*cause));
  }

  void wait() {
    pause(std::clamp(since(changed_at_) / 20, options_.shortest_pause, options_.longest_pause),
          options_.deadline, stop_);
  }

  Verdict finish(ledger::Verdict outcome) {
    return Verdict{.outcome = outcome,
                   .took = since(rollout_.accepted_at),
                   .desired = desired_,
                   .fewest = fewest_};
  }

  // Ours is not the PRIMARY any more: ECS rolls back, or someone deployed after us.
  Verdict replaced(const Json& primary) {
    std::string reason = primary.is_object() ? primary.get_string("rolloutStateReason") : "";
    bool is_back = rollout_.can_roll_back && primary.is_object() &&
                   !rollout_.previous_task_definition.empty() &&
                   primary.get_string("taskDefinition") == rollout_.previous_task_definition;
    // Going back without ours having failed is somebody else's doing. The roll back may be over by the time we look: then the
    // events tell of it.
    bool rolls_back = has_failed_ || reason.find("rolling back") != std::string::npos ||
                      (is_back && (told_failures_ > 0 || !causes().empty()));
    if (rolls_back) return failed(reason);
    Verdict verdict = finish(ledger::Verdict::failed);
    verdict.causes = causes();
    std::string what =
        primary.is_object()
            ? fmt::format("deployment {} was replaced by {} ({})", rollout_.deployment,
                          primary.get_string("id"),
                          brief_task_definition(primary.get_string("taskDefinition")))
            : fmt::format("deployment {} is gone", rollout_.deployment);
    // Somebody deployed while ours still had a chance: that is the cause, not what its tasks may have suffered before.
    verdict.causes.insert(verdict.causes.begin(),
                          Cause{.kind = Cause::Kind::replaced, .detail = what, .tasks = 0});
    return verdict;
  }

  Verdict failed(const std::string& reason) {
    Verdict verdict = finish(ledger::Verdict::failed);
    verdict.causes = causes();
    add_event_cause(verdict);
    if (verdict.causes.empty()) verdict.note = last_failure_.empty() ? reason : last_failure_;
    tell(RolloutEvent::Kind::progress, "failed: " + to_line(verdict));
    if (!(rollout_.can_roll_back && follow_breaker(verdict)) && options_.roll_back)
      roll_back(verdict);
    Verdict last = finish(verdict.outcome);
    verdict.took = last.took;
    verdict.fewest = last.fewest;
    verdict.desired = last.desired;
    return verdict;
  }

  // Waits for ECS's own roll back. returns  false when it does not begin
  bool follow_breaker(Verdict& verdict) {
    auto failed_at = steady_clock::now();
    Deadline end = way_back();
    while (!end.passed()) {
      Json service = poll();
      const Json* primary = primary_of(service);
      if (!primary || primary->get_string("id") == rollout_.deployment) {
        // ECS may take the old deployment up again under a new id or the old one, but not under the failed one's.
        if (primary && primary->get_string("taskDefinition") != rollout_.task_definition) {
          if (is_done(*primary)) return back(verdict, *primary);
        } else if (since(failed_at) > kBreakerGrace) {
          return false;
        }
      } else if (is_done(*primary)) {
        return back(verdict, *primary);
      } else if (primary->get_string("rolloutState") == "FAILED") {
        verdict.note = add(verdict.note, "the roll back failed, too: " +
                                             primary->get_string("rolloutStateReason"));
        verdict.took = since(rollout_.accepted_at);
        return true;
      }
      wait();
    }
    verdict.note = add(verdict.note, "the roll back did not end in time");
    verdict.took = since(rollout_.accepted_at);
    return true;
  }

  bool back(Verdict& verdict, const Json& primary) {
    verdict.outcome = ledger::Verdict::rolled_back;
    verdict.rolled_back_to = primary.get_string("taskDefinition");
    verdict.took = since(rollout_.accepted_at);
    return true;
  }

  void roll_back(Verdict& verdict) {
    const auto& previous = rollout_.previous_task_definition;
    if (previous.empty() || previous == rollout_.task_definition) {
      verdict.note = add(verdict.note, "nothing ran before that could be rolled back to");
      return;
    }
    if (options_.may_act && !options_.may_act()) {
      verdict.note = add(verdict.note,
                         "it is not rolled back here: another one has taken the environment over");
      return;
    }
    tell(RolloutEvent::Kind::progress, "rolling back to " + brief_task_definition(previous));
    auto answer = calls_.call("ecs", "UpdateService",
                              Json::object({{"cluster", rollout_.cluster},
                                            {"service", rollout_.service},
                                            {"taskDefinition", previous}}),
                              stop_);
    if (const auto* error = answer.error()) {
      verdict.note =
          add(verdict.note, fmt::format("rolling back to {} was refused: {}",
                                        brief_task_definition(previous), error->message));
      return;
    }
    changed_at_ = steady_clock::now();
    for (Deadline end = way_back(); !end.passed(); wait()) {
      Json service = poll();
      const Json* primary = primary_of(service);
      if (primary && primary->get_string("taskDefinition") == previous && is_done(*primary)) {
        back(verdict, *primary);
        return;
      }
    }
    verdict.note = add(verdict.note, fmt::format("the roll back to {} did not end in time",
                                                 brief_task_definition(previous)));
  }

  // The way back gets its time also when the way there has used up its own.
  [[nodiscard]] Deadline way_back() const {
    Deadline least = Deadline::in(std::chrono::minutes(5));
    return options_.deadline.at() > least.at() ? options_.deadline : least;
  }

  static std::string add(const std::string& note, const std::string& more) {
    return note.empty() ? more : note + "; " + more;
  }

  Calls& calls_;
  const Rollout& rollout_;
  const WatchOptions& options_;
  const std::stop_token& stop_;
  steady_clock::time_point changed_at_ = steady_clock::now();
  std::string last_event_;
  std::string last_counts_;
  std::string last_failure_;
  std::int64_t told_failures_ = 0;
  bool has_failed_ = false;  // the cloud has said so of our deployment
  int fewest_ = -1;          // running at once
  int desired_ = 0;
};

}  // namespace

Verdict watch(Calls& calls, const Rollout& rollout, const WatchOptions& options,
              const std::stop_token& stop) {
  return while_doing(fmt::format("watching service '{}'", rollout.service),
                     [&] { return Watcher(calls, rollout, options, stop).run(); });
}

}  // namespace slipway::deploy
