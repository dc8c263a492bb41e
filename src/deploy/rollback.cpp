// SPDX-License-Identifier: Apache-2.0
#include "deploy/rollback.hpp"

#include <mutex>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "deploy/release_service.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using ledger::Release;

// Newest first, of one service, only those that succeeded.
std::vector<Release> good_ones(const ledger::Ledger& ledger, const std::string& environment,
                               const std::string& service) {
  std::vector<Release> good;
  for (auto& release : ledger.history(environment, service, 10'000)) {
    if (release.verdict == ledger::Verdict::succeeded) good.push_back(std::move(release));
  }
  return good;
}

// A roll back stands for the release it went to: the newest one before it with the same task definition that is no roll back.
const Release& origin_of(const Release& release, const std::vector<Release>& good) {
  if (release.cause != "rollback") return release;
  auto find = [&](auto&& is_same) {
    return std::find_if(good.begin(), good.end(), [&](const Release& candidate) {
      return candidate.id < release.id && candidate.cause != "rollback" && is_same(candidate);
    });
  };
  auto found = find([&](const Release& c) { return c.task_definition == release.task_definition; });
  // It may have been registered once more, see bring_back().
  if (found == good.end() && !release.sha.empty())
    found = find([&](const Release& c) { return c.sha == release.sha; });
  return found == good.end() ? release : *found;
}

bool is_commit(std::string_view text) {
  return text.size() >= 4 && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_target(const Release& release, const std::string& target) {
  if (is_commit(target)) return release.sha.starts_with(target);
  return release.task_definition == target ||
         brief_task_definition(release.task_definition) == target;
}

std::string known(const ledger::Ledger& ledger, const std::string& environment) {
  std::vector<std::string> names;
  for (const auto& release : ledger.history(environment, "", 1000)) {
    std::string name = release.sha.empty() ? brief_task_definition(release.task_definition)
                                           : release.sha.substr(0, 12);
    if (release.verdict == ledger::Verdict::succeeded &&
        std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
    if (names.size() == 8) break;
  }
  return names.empty() ? "none has succeeded yet"
                       : fmt::format("it has {}", fmt::join(names, ", "));
}

struct Track {
  Release current;            // where the service is: the last good one, or one that is on its way
  Release origin;             // of current
  std::vector<Release> good;  // newest first
};

// A release that the cloud may be carrying out, whose end nobody knows yet.
bool is_under_way(const Release& release) {
  using ledger::Verdict;
  bool is_open = release.verdict == Verdict::running || release.verdict == Verdict::unknown ||
                 (release.verdict == Verdict::lost && !release.is_settled);
  return is_open && release.is_issued;
}

std::vector<Track> tracks_of(const ledger::Ledger& ledger, const std::string& environment) {
  std::vector<Track> tracks;
  for (const auto& service : ledger.services(environment)) {
    auto good = good_ones(ledger, environment, service);
    if (good.empty()) continue;
    Release current = good.front();
    Release origin = origin_of(current, good);
    if (auto latest = ledger.latest(environment, service);
        latest && latest->id > current.id && is_under_way(*latest))
      origin = current = *latest;
    tracks.push_back({std::move(current), std::move(origin), std::move(good)});
  }
  return tracks;
}

// The release that the whole environment goes back to: the newest good one, over all services, that was made before the
// newest current one and is of another commit.
std::optional<Release> last_good_before(const std::vector<Track>& tracks) {
  const Release* newest = nullptr;
  for (const auto& track : tracks) {
    if (!newest || track.origin.id > newest->id) newest = &track.origin;
  }
  if (!newest) return std::nullopt;
  auto differs = [&](const Release& release) {
    bool is_other = release.task_definition != newest->task_definition;
    if (newest->sha.empty() || release.sha != newest->sha)
      return newest->sha.empty() ? is_other : true;
    // The same commit with another configuration, when the newest is only on its way.
    return is_under_way(*newest) && release.service == newest->service && is_other;
  };
  std::optional<Release> best;
  std::int64_t best_id =
      0;  // when it began to run: a release that was rolled back to runs since then
  for (const auto& track : tracks) {
    for (const auto& release : track.good) {
      const Release& origin = origin_of(release, track.good);
      if (release.id >= newest->id || !differs(origin)) continue;
      if (release.id > best_id) {
        best = origin;
        best_id = release.id;
      }
      break;
    }
  }
  return best;
}

std::string spoken(const std::string& environment, const std::string& target) {
  return target.empty() ? fmt::format("'{}' has no earlier good release", environment)
                        : fmt::format("'{}' has no good release '{}'", environment, target);
}

}  // namespace

std::vector<RollbackStep> plan_rollback(const ledger::Ledger& ledger,
                                        const std::string& environment, const std::string& target) {
  auto tracks = tracks_of(ledger, environment);
  std::vector<RollbackStep> plan;
  bool found = false;
  std::optional<Release> goal = target.empty() ? last_good_before(tracks) : std::nullopt;
  for (auto track = tracks.rbegin(); track != tracks.rend(); ++track) {
    auto fits = [&](const Release& release) {
      if (!target.empty()) return is_target(release, target);
      // With the goal's commit, or what the service ran when the goal was made.
      return goal && release.cause != "rollback" &&
             (release.id <= goal->id || (!goal->sha.empty() && release.sha == goal->sha)) &&
             release.id <= track->origin.id;
    };
    auto release = std::find_if(track->good.begin(), track->good.end(), fits);
    if (release == track->good.end()) continue;
    found = true;
    if (release->task_definition != track->current.task_definition)
      plan.push_back({track->current, *release});
  }
  if (!found)
    fail(Fault::not_found, "{}: {}", spoken(environment, target), known(ledger, environment));
  return plan;
}

std::vector<RollbackResult> roll_back(
    Calls& calls, ledger::Ledger& ledger, const std::vector<RollbackStep>& plan,
    const std::string& who, const WatchOptions& options,
    const std::function<void(const std::string& service, const RolloutEvent&)>& sink,
    const std::stop_token& stop, std::int64_t epoch, const std::string& trace_parent) {
  auto began = std::chrono::steady_clock::now();
  std::mutex mutex;  // guards sink
  std::vector<RollbackResult> results(plan.size());
  std::vector<std::exception_ptr> troubles(plan.size());
  auto go = [&](std::size_t index, const std::stop_token& stop_one) {
    const auto& step = plan[index];
    RollbackResult& result = results[index];
    result.step = step;
    ServiceRelease what;
    what.intent = step.to;
    what.definition = step.definition;
    what.intent.id = 0;
    what.intent.cause = "rollback";
    what.intent.who = who;
    what.intent.run_id.clear();
    what.intent.deployment.clear();
    what.intent.previous_task_definition = step.from.task_definition;
    what.intent.started = formats::now();
    what.intent.changes.clear();
    what.intent.trace_parent = trace_parent;
    what.intent.epoch = epoch;
    what.update = {.cluster = step.to.cluster, .service = step.to.service};
    what.watch = options;
    what.watch.sink = [&](const RolloutEvent& event) {
      std::lock_guard lock(mutex);
      if (sink) sink(step.to.service, event);
    };
    auto before = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    Released released = release_service(calls, &ledger, what, stop_one);
    result.release = released.id;
    result.accepted_after = before + released.accepted_after;
    result.verdict = released.verdict;
  };
  TaskGroup group(stop);
  for (std::size_t index = 0; index < plan.size(); ++index) {
    group.start([&, index](std::stop_token) {
      try {
        go(index, stop);  // one service's trouble does not stop the others
      } catch (...) {
        troubles[index] = std::current_exception();
      }
    });
  }
  group.join();
  for (const auto& trouble : troubles) {
    if (trouble) std::rethrow_exception(trouble);
  }
  return results;
}

}  // namespace slipway::deploy
