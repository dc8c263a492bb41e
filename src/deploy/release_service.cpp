// SPDX-License-Identifier: Apache-2.0
#include "deploy/release_service.hpp"

#include "base/error.hpp"
#include "deploy/codedeploy.hpp"
#include "deploy/once.hpp"
#include "deploy/service.hpp"
#include "deploy/task_definition.hpp"

// One release, from its intent in the ledger to its verdict.
//
// Neither RegisterTaskDefinition nor UpdateService has a client token. When the answer of either is lost, what was asked for is
// looked for first: the newest revision with the same content that was not there before, the PRIMARY deployment that is not the
// one before. Only when the cloud shows that nothing happened is the call made again.
namespace slipway::deploy {
namespace {

using formats::Json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::int64_t revision_of(const std::optional<Json>& definition) {
  return definition ? definition->get_int("revision") : 0;
}

// Everything that was given is there with the same value; the cloud adds defaults.
bool holds(const Json& whole, const Json& part) {
  if (part.is_object()) {
    return std::all_of(part.as_object().begin(), part.as_object().end(), [&](const auto& member) {
      const Json* other = whole.find(member.first);
      return other && holds(*other, member.second);
    });
  }
  if (part.is_array()) {
    if (!whole.is_array() || whole.size() != part.size()) return false;
    for (std::size_t at = 0; at < part.size(); ++at) {
      if (!holds(whole.at(at), part.at(at))) return false;
    }
    return true;
  }
  return whole == part;
}

bool is_refusal(const Error& error) {
  return error.fault() != Fault::unavailable && error.fault() != Fault::unsupported;
}

Verdict refused(const Error& error) {
  return {.outcome = ledger::Verdict::failed,
          .causes = {Cause{.kind = Cause::Kind::refused, .detail = error.what(), .tasks = 0}}};
}

class OneRelease final {
 public:
  OneRelease(Calls& calls, ledger::Ledger* ledger, const ServiceRelease& what,
             const std::stop_token& stop)
      : calls_(calls), ledger_(ledger), what_(what), stop_(stop) {}

  Released run() {
    look();
    begin();
    try {
      issue();
      if (!out_.verdict.causes.empty()) return end();
      if (!what_.waits) {
        out_.verdict.note = "nobody waited for its end";
        return end();
      }
      out_.verdict = what_.observe    ? what_.observe(out_.rollout)
                     : by_codedeploy_ ? observe_codedeploy()
                                      : watch(calls_, out_.rollout, watch_options(), stop_);
      if (out_.verdict.ok() && ledger_ && !what_.observe) {
        auto images = running_images(calls_, out_.rollout, stop_);
        if (!images.empty()) ledger_->accepted(out_.id, out_.rollout.deployment, images);
      }
    } catch (const Cancelled&) {
      cancelled();
      throw;
    } catch (const Error& error) {
      out_.verdict = {.outcome = ledger::Verdict::unknown, .note = error.what()};
      end();
      throw;
    }
    return end();
  }

 private:
  // What runs now, and who moves it.
  void look() {
    Json before;
    try {
      before = describe_service(calls_, what_.update.cluster, what_.update.service, stop_);
    } catch (const Error& error) {
      if (error.fault() != Fault::not_found) throw;
      return;  // the release is refused for it, and written down
    }
    const Json* primary = primary_of(before);
    previous_ = primary ? primary->get_string("taskDefinition") : primary_task_set(before);
    if (what_.start || !is_by_codedeploy(before)) return;
    by_codedeploy_ = codedeploy_of(calls_, before, what_.update.cluster, stop_);
    // A way back does not wait for the end of what it takes back.
    if (what_.intent.cause == "rollback")
      stop_codedeploy(calls_, *by_codedeploy_, what_.watch.deadline, stop_);
  }

  Rollout start_by_codedeploy(const std::string& task_definition) {
    by_codedeploy_->task_definition = task_definition;
    by_codedeploy_->description = fmt::format("slipway {}", what_.intent.cause);
    return {.cluster = what_.update.cluster,
            .service = what_.update.service,
            .deployment = start_codedeploy(calls_, *by_codedeploy_, stop_),
            .task_definition = task_definition,
            .previous_task_definition = previous_,
            .is_new = true};
  }

  // The group itself may let a deployment wait for an hour before it ends.
  Verdict observe_codedeploy() {
    auto limit = what_.watch.deadline.left() + waits_of_group(calls_, *by_codedeploy_, stop_);
    Verdict verdict = watch_codedeploy(
        calls_, *by_codedeploy_, out_.rollout.deployment, Deadline::in(limit),
        [&](const std::string& line) {
          if (what_.watch.sink) what_.watch.sink({RolloutEvent::Kind::progress, line});
        },
        stop_);
    if (verdict.outcome == ledger::Verdict::rolled_back) verdict.rolled_back_to = previous_;
    return verdict;
  }

  void begin() {
    if (!ledger_) return;
    ledger::Release intent = what_.intent;
    if (!what_.definition.is_null()) intent.task_definition.clear();
    if (intent.previous_task_definition.empty()) intent.previous_task_definition = previous_;
    out_.id = ledger_->begin(intent);
  }

  // Up to the accepted UpdateService; a refusal becomes the verdict.
  void issue() {
    try {
      RolloutRequest request = what_.update;
      request.task_definition = what_.intent.task_definition;
      if (!what_.definition.is_null()) {
        request.task_definition =
            register_once(calls_, what_.definition, stop_).at("taskDefinitionArn").as_string();
        if (ledger_) ledger_->registered(out_.id, request.task_definition);
      }
      if (ledger_) ledger_->issuing(out_.id);
      out_.rollout = what_.start      ? what_.start(request.task_definition)
                     : by_codedeploy_ ? start_by_codedeploy(request.task_definition)
                                      : start_rollout_once(calls_, request, stop_);
      out_.accepted_after = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began_);
      if (ledger_) ledger_->accepted(out_.id, out_.rollout.deployment);
      if (what_.accepted) what_.accepted(out_.rollout);
    } catch (const Error& error) {
      if (!is_refusal(error)) throw;
      out_.verdict = refused(error);
    }
  }

  // A roll back is issued only while the environment is still ours.
  WatchOptions watch_options() {
    WatchOptions options = what_.watch;
    if (ledger_ && !options.may_act) {
      options.may_act = [this] {
        try {
          ledger_->issuing(out_.id);
          return true;
        } catch (const Error&) {
          return false;
        }
      };
    }
    return options;
  }

  Released end() {
    if (ledger_) {
      std::string reason = out_.verdict.ok() ? "" : to_line(out_.verdict);
      Json whole = to_json(out_.verdict);
      const Json* causes = whole.find("causes");
      ledger_->end(out_.id, out_.verdict.outcome, reason, causes ? *causes : Json());
    }
    return out_;
  }

  // The stop is asked for already: what is done now has a short time of its own.
  void cancelled() {
    bool is_accepted = !out_.rollout.deployment.empty();
    out_.verdict = {.outcome = ledger::Verdict::unknown,
                    .note = is_accepted
                                ? "its watch was cancelled: the deployment goes on in the cloud"
                                : "it was cancelled before the cloud was asked"};
    const auto& previous = out_.rollout.previous_task_definition;
    if (is_accepted && !previous.empty() && what_.interrupted &&
        what_.interrupted() == Interrupted::roll_back) {
      auto answer = take_back(previous);
      out_.verdict.outcome = answer.ok() ? ledger::Verdict::rolled_back : ledger::Verdict::failed;
      out_.verdict.note = answer.ok() ? "it was cancelled"
                                      : "it was cancelled, and rolling back was refused: " +
                                            answer.error()->message;
      if (answer.ok()) out_.verdict.rolled_back_to = previous;
    }
    end();
  }

  aws::Answer take_back(const std::string& previous) {
    if (by_codedeploy_)
      return calls_.call(
          "codedeploy", "StopDeployment",
          Json::object({{"deploymentId", out_.rollout.deployment}, {"autoRollbackEnabled", true}}),
          {});
    return calls_.call("ecs", "UpdateService",
                       Json::object({{"cluster", what_.update.cluster},
                                     {"service", what_.update.service},
                                     {"taskDefinition", previous}}),
                       {});
  }

  std::string previous_;  // what ran before, an ARN
  std::optional<CodeDeployRelease> by_codedeploy_;
  Calls& calls_;
  ledger::Ledger* ledger_;
  const ServiceRelease& what_;
  const std::stop_token& stop_;
  steady_clock::time_point began_ = steady_clock::now();
  Released out_;
};

}  // namespace

Json register_once(Calls& calls, const Json& input, const std::stop_token& stop) {
  std::string family = input.get_string("family");
  std::optional<std::int64_t> before;
  try {
    before = revision_of(describe_task_definition(calls, family, stop));
  } catch (
      const Error&) {  // NOLINT(bugprone-empty-catch): no right to look; then a lost answer stays lost
  }
  return once([&] { return register_task_definition(calls, input, stop); },
              [&]() -> std::optional<Json> {
                if (!before)
                  fail(Fault::unavailable,
                       "the answer of RegisterTaskDefinition was lost, and the cloud cannot be "
                       "asked what happened");
                auto now = describe_task_definition(calls, family, stop);
                return revision_of(now) > *before && holds(*now, input) ? now : std::nullopt;
              });
}

Rollout start_rollout_once(Calls& calls, const RolloutRequest& request,
                           const std::stop_token& stop) {
  Json before = describe_service(calls, request.cluster, request.service, stop);
  const Json* primary = primary_of(before);
  std::string previous = primary ? primary->get_string("id") : "";
  return once([&] { return start_rollout(calls, request, before, stop); },
              [&]() -> std::optional<Rollout> {
                Json now = describe_service(calls, request.cluster, request.service, stop);
                const Json* made = primary_of(now);
                if (!made || made->get_string("id") == previous ||
                    made->get_string("taskDefinition") != request.task_definition)
                  return std::nullopt;
                Rollout rollout = rollout_of(request, now, before);
                return rollout;
              });
}

Released release_service(Calls& calls, ledger::Ledger* ledger, const ServiceRelease& what,
                         const std::stop_token& stop) {
  return OneRelease(calls, ledger, what, stop).run();
}

namespace {

Verdict never_asked() {
  return {.outcome = ledger::Verdict::lost,
          .note = "its process died before the cloud was asked: nothing was changed"};
}

// The same where CodeDeploy moves the service.
Verdict look_for_codedeploy(Calls& calls, ledger::Ledger& ledger, const ledger::Release& release,
                            const WatchOptions& options, const std::stop_token& stop) {
  std::string id = release.deployment;
  if (id.empty() && release.is_issued) {
    id = find_codedeploy(calls, release.task_definition, release.started, stop).value_or("");
    if (!id.empty()) ledger.accepted(release.id, id);
  }
  if (id.empty()) return never_asked();
  CodeDeployRelease what{.cluster = release.cluster,
                         .service = release.service,
                         .task_definition = release.task_definition};
  auto sink = [&](const std::string& line) {
    if (options.sink) options.sink({RolloutEvent::Kind::progress, line});
  };
  return watch_codedeploy(calls, what, id, options.deadline, sink, stop);
}

// What the cloud says of a lost release.
Verdict look_for(Calls& calls, ledger::Ledger& ledger, const ledger::Release& release,
                 const WatchOptions& options, const std::stop_token& stop) {
  Json service = describe_service(calls, release.cluster, release.service, stop);
  if (is_by_codedeploy(service)) return look_for_codedeploy(calls, ledger, release, options, stop);
  const Json* mine =
      release.deployment.empty() ? nullptr : deployment_of(service, release.deployment);
  const Json* primary = primary_of(service);
  if (!mine && release.deployment.empty() && release.is_issued && primary &&
      primary->get_string("taskDefinition") == release.task_definition) {
    mine = primary;  // its answer was never written down
    ledger.accepted(release.id, mine->get_string("id"));
  }
  if (mine) {
    RolloutRequest request{.cluster = release.cluster,
                           .service = release.service,
                           .task_definition = release.task_definition};
    Rollout rollout = rollout_of(request, service, service);
    rollout.deployment = mine->get_string("id");
    rollout.previous_deployment.clear();
    rollout.previous_task_definition = release.previous_task_definition;
    return watch(calls, rollout, options, stop);
  }
  if (release.deployment.empty()) return never_asked();
  Verdict verdict{.outcome = ledger::Verdict::failed,
                  .causes = find_causes(calls, release.cluster, release.service, release.deployment,
                                        release.task_definition, stop)};
  bool is_back =
      primary && primary->get_string("taskDefinition") == release.previous_task_definition;
  if (is_back) {
    verdict.outcome = ledger::Verdict::rolled_back;
    verdict.rolled_back_to = release.previous_task_definition;
  } else if (verdict.causes.empty()) {
    verdict.note = fmt::format("deployment {} is gone", release.deployment);
  }
  return verdict;
}

}  // namespace

namespace {

void write_down(ledger::Ledger& ledger, const ledger::Release& release, const Verdict& verdict,
                const std::string& before, const std::function<void(const std::string&)>& told) {
  Json whole = to_json(verdict);
  const Json* causes = whole.find("causes");
  std::string reason = verdict.ok() ? before + "; it was found in the cloud" : to_line(verdict);
  ledger.end(release.id, verdict.outcome, reason, causes ? *causes : Json());
  if (told) {
    told(fmt::format("release {} of '{}' ({}), {}: {}{}", release.id, release.service,
                     brief_task_definition(release.task_definition), before,
                     ledger::name_of(verdict.outcome), verdict.ok() ? "" : ", " + reason));
  }
}

// The newest release of a service may have an end that nobody saw: it went on when the watch was broken off. What still goes on is
// left alone.
void settle_unknown(Calls& calls, ledger::Ledger& ledger, const std::string& environment,
                    const std::function<void(const std::string&)>& told,
                    const std::stop_token& stop) {
  for (const auto& name : ledger.services(environment)) {
    auto release = ledger.latest(environment, name);
    if (!release || release->verdict != ledger::Verdict::unknown || release->is_settled ||
        !release->deployment.starts_with("ecs-svc/"))
      continue;
    Json service = describe_service(calls, release->cluster, release->service, stop);
    const Json* mine = deployment_of(service, release->deployment);
    const Json* primary = primary_of(service);
    bool is_back =
        primary && primary->get_string("taskDefinition") == release->previous_task_definition;
    bool goes_on = mine && mine->get_string("rolloutState") == "IN_PROGRESS";
    if (goes_on || (!mine && !is_back)) continue;  // or somebody else has changed the service since
    // It has ended: this watch only reads how.
    write_down(ledger, *release, look_for(calls, ledger, *release, {.roll_back = false}, stop),
               "whose end nobody saw", told);
  }
}

}  // namespace

void settle_lost(Calls& calls, ledger::Ledger& ledger, const std::string& environment,
                 const WatchOptions& options, const std::function<void(const std::string&)>& told,
                 const std::stop_token& stop) {
  for (const auto& release : ledger.lost(environment)) {
    Verdict verdict;
    try {
      verdict = look_for(calls, ledger, release, options, stop);
    } catch (const Error& error) {
      if (error.fault() == Fault::unavailable) throw;
      verdict = {
          .outcome = ledger::Verdict::lost,
          .note = fmt::format("its process died, and the cloud does not tell: {}", error.what())};
    }
    write_down(ledger, release, verdict, "whose process died", told);
  }
  try {
    settle_unknown(calls, ledger, environment, told, stop);
  } catch (const Error& error) {
    if (error.fault() == Fault::unavailable) throw;  // what cannot be told now stays unknown
  }
}

}  // namespace slipway::deploy
