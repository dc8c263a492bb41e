// SPDX-License-Identifier: Apache-2.0
#include "deploy/environment_release.hpp"

#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "deploy/codedeploy.hpp"
#include "deploy/one_off.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

// Whole lines of it, as many as a release in the ledger may have.
std::string brief(const std::string& text) {
  constexpr std::size_t kMost = 4000;
  return text.size() <= kMost ? text : text.substr(0, text.rfind('\n', kMost) + 1) + "  …\n";
}

class Environment final {
 public:
  Environment(Calls& calls, ledger::Ledger& ledger, const EnvironmentRelease& what,
              const std::stop_token& stop)
      : calls_(calls),
        ledger_(ledger),
        what_(what),
        stop_(stop),
        differences_(deploy::differences(calls, what.candidates, stop)) {}

  std::vector<ServiceOutcome> run() {
    if (std::any_of(differences_.begin(), differences_.end(),
                    [&](const auto& d) { return has_work(d); }))
      migrate();
    bool has_failed = false;
    for (const auto& group : in_order(what_.candidates, what_.settings)) {
      auto outcomes = release(group, has_failed);
      for (auto& outcome : outcomes) {
        has_failed =
            has_failed || (!outcome.is_skipped && what_.waits && !outcome.released.verdict.ok());
        out_.push_back(std::move(outcome));
      }
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool has_work(const Difference& difference) const {
    return what_.forces || !difference.is_steady || !difference.changes.empty();
  }

  const Difference& difference_of(const std::string& service) const {
    return *std::find_if(differences_.begin(), differences_.end(),
                         [&](const auto& d) { return d.service == service; });
  }

  void tell(const std::string& service, RolloutEvent::Kind kind, const std::string& text) {
    std::lock_guard lock(mutex_);
    if (what_.sink) what_.sink(service, {kind, text});
  }

  void migrate() {
    const auto& migration = what_.settings.migration;
    if (!migration) return;
    auto it = std::find_if(what_.candidates.begin(), what_.candidates.end(),
                           [&](const auto& c) { return c.service == migration->service; });
    if (it == what_.candidates.end()) return;
    const Candidate& candidate = *it;
    std::string arn =
        register_once(calls_, candidate.definition, stop_).at("taskDefinitionArn").as_string();
    registered_[candidate.service] = arn;
    tell(candidate.service, RolloutEvent::Kind::progress, "migrations run first");
    OneOff task{.cluster = candidate.cluster,
                .service = candidate.service,
                .task_definition = arn,
                .container = migration->container,
                .command = migration->command,
                .started_by = "slipway-migrations"};
    auto number =
        ledger_.append("migrations.begun", Json::object({{"environment", candidate.environment},
                                                         {"service", candidate.service},
                                                         {"taskDefinition", arn},
                                                         {"sha", what_.sha},
                                                         {"who", what_.who}}));
    auto end = [&](bool is_good, const std::string& reason) {
      ledger_.append("migrations.ended",
                     Json::object({{"migrations", number},
                                   {"verdict", is_good ? "succeeded" : "failed"},
                                   {"reason", reason}}));
    };
    OneOffResult result;
    try {
      result = run_one_off(
          calls_, task, Deadline::in(migration->timeout),
          [&](const std::string& line) { tell("migrations", RolloutEvent::Kind::progress, line); },
          stop_);
    } catch (const Error& error) {
      end(false, error.what());
      throw;
    }
    end(result.ok(), result.reason);
    if (!result.ok())
      fail(Fault::failed, "the migrations failed, no service was touched: {}", result.reason);
  }

  std::vector<ServiceOutcome> release(const std::vector<const Candidate*>& group, bool has_failed) {
    std::vector<ServiceOutcome> outcomes(group.size());
    std::vector<std::exception_ptr> troubles(group.size());
    TaskGroup threads(stop_);
    for (std::size_t at = 0; at < group.size(); ++at) {
      const Candidate& candidate = *group[at];
      const Difference& difference = difference_of(candidate.service);
      outcomes[at].service = candidate.service;
      if (has_failed || !has_work(difference)) {
        outcomes[at].is_skipped = true;
        outcomes[at].why = has_failed ? "not touched: one before it failed"
                                      : fmt::format("runs it already ({})",
                                                    brief_task_definition(difference.running));
        continue;
      }
      threads.start(
          [this, at, &candidate, &difference, &outcomes, &troubles](const std::stop_token&) {
            try {
              outcomes[at].released = release_one(candidate, difference);
            } catch (...) {
              troubles[at] = std::current_exception();
            }
          });
    }
    threads.join();
    for (const auto& trouble : troubles) {
      if (trouble) std::rethrow_exception(trouble);
    }
    return outcomes;
  }

  Released release_one(const Candidate& candidate, const Difference& difference) {
    ServiceRelease one;
    one.intent = {.environment = candidate.environment,
                  .cluster = candidate.cluster,
                  .service = candidate.service,
                  .region = calls_.region(),
                  .cause = what_.cause,
                  .sha = what_.sha,
                  .run_id = what_.run_id,
                  .test_verdict = what_.test_verdict,
                  .images = candidate.images,
                  .secrets = secret_versions(calls_, candidate.definition, stop_),
                  .previous_task_definition = difference.running,
                  .who = what_.who};
    one.intent.changes = brief(to_text(difference.changes));
    one.intent.trace_parent = what_.trace_parent;
    one.intent.epoch = what_.epoch;
    one.definition = candidate.definition;
    if (auto known = registered_.find(candidate.service); known != registered_.end()) {
      one.intent.task_definition = known->second;
      one.definition = nullptr;
    } else if (difference.changes.empty() && !difference.running.empty()) {
      one.intent.task_definition = difference.running;  // forced, or not steady: the same again
      one.definition = nullptr;
    }
    one.update = {.cluster = candidate.cluster, .service = candidate.service};
    one.update.force_new_deployment = what_.forces;
    if (const auto& canary = what_.settings.canary) {
      one.update.strategy =
          Json::object({{"strategy", "CANARY"},
                        {"bakeTimeInMinutes", 0},
                        {"canaryConfiguration",
                         Json::object({{"canaryPercent", canary->percent},
                                       {"canaryBakeTimeInMinutes", canary->bake.count()}})}});
    }
    one.waits = what_.waits;
    one.watch = what_.watch;
    one.watch.sink = [this, &candidate](const RolloutEvent& event) {
      tell(candidate.service, event.kind, event.text);
    };
    one.interrupted = what_.interrupted;
    return release_service(calls_, &ledger_, one, stop_);
  }

  Calls& calls_;
  ledger::Ledger& ledger_;
  const EnvironmentRelease& what_;
  const std::stop_token& stop_;
  std::vector<Difference> differences_;
  std::map<std::string, std::string> registered_;  // by service; written before the threads start
  std::mutex mutex_;                               // guards what_.sink
  std::vector<ServiceOutcome> out_;
};

bool is_image(const Change& change) {
  return change.place.ends_with(".image") && !change.before.empty() && !change.after.empty();
}

// The images of running tasks are told by the cloud: the same digest under another name changes nothing.
void drop_same_images(Calls& calls, const Candidate& candidate, Difference& difference,
                      const std::stop_token& stop) {
  Rollout running{.cluster = candidate.cluster,
                  .service = candidate.service,
                  .task_definition = difference.running};
  std::vector<ledger::ReleasedImage> images = running_images(calls, running, stop);
  std::erase_if(difference.changes, [&](const Change& change) {
    if (!is_image(change)) return false;
    auto wanted =
        std::find_if(candidate.images.begin(), candidate.images.end(),
                     [&](const auto& image) { return image.container + ".image" == change.place; });
    return wanted != candidate.images.end() && !wanted->digest.empty() &&
           std::any_of(images.begin(), images.end(), [&](const auto& image) {
             return image.container == wanted->container && image.digest == wanted->digest;
           });
  });
}

// One deployment, at its end, with all its tasks.
bool is_undisturbed(const Json& service) {
  if (service.get_int("runningCount") != service.get_int("desiredCount")) return false;
  if (is_by_codedeploy(service)) {
    const auto& sets = service.get_array("taskSets");
    return sets.size() == 1 && sets.front().get_string("stabilityStatus") == "STEADY_STATE";
  }
  const auto& deployments = service.get_array("deployments");
  return deployments.size() == 1 && deployments.front().get_string("rolloutState") == "COMPLETED";
}

}  // namespace

std::vector<Difference> differences(Calls& calls, const std::vector<Candidate>& candidates,
                                    const std::stop_token& stop) {
  std::vector<Difference> all;
  for (const auto& candidate : candidates) {
    Difference difference{
        .service = candidate.service, .running = "", .changes = {}, .is_steady = false};
    auto answer = calls.call("ecs", "DescribeServices",
                             Json::object({{"cluster", candidate.cluster},
                                           {"services", Json::array({candidate.service})}}),
                             stop);
    Json definition;
    if (answer.ok() && !answer.value().get_array("services").empty()) {
      const Json& service = answer.value().get_array("services").front();
      difference.running = is_by_codedeploy(service) ? primary_task_set(service)
                                                     : service.get_string("taskDefinition");
      difference.is_steady = is_undisturbed(service);
      if (!difference.running.empty())
        definition = describe_task_definition(calls, difference.running, stop).value_or(Json());
    }
    difference.changes = compare(definition, candidate.definition);
    bool has_images = std::any_of(difference.changes.begin(), difference.changes.end(), is_image);
    if (has_images && !difference.running.empty())
      drop_same_images(calls, candidate, difference, stop);
    all.push_back(std::move(difference));
  }
  return all;
}

void describe_images(Calls& calls, std::vector<Difference>& differences, const BlobReader& blobs,
                     const std::stop_token& stop) {
  for (auto& difference : differences) {
    for (auto& change : difference.changes) {
      if (!is_image(change)) continue;
      describe_change(change, contents_of(calls, change.before, blobs, stop),
                      contents_of(calls, change.after, blobs, stop));
    }
  }
}

std::string changes_of(Calls& calls, const Candidate& candidate, const BlobReader& blobs,
                       const std::stop_token& stop) {
  try {
    auto found = differences(calls, {candidate}, stop);
    describe_images(calls, found, blobs, stop);
    return brief(to_text(found.front().changes));
  } catch (const Error& error) {
    if (error.fault() == Fault::unavailable) throw;
    return "";  // no right to look is no reason not to release
  }
}

std::vector<ServiceOutcome> release_environment(Calls& calls, ledger::Ledger& ledger,
                                                const EnvironmentRelease& what,
                                                const std::stop_token& stop) {
  return Environment(calls, ledger, what, stop).run();
}

}  // namespace slipway::deploy
