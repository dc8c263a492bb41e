// SPDX-License-Identifier: Apache-2.0
#include "cloud/ecs/pauses.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace slipway::cloud::ecs {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMinutes = 1440;  // without a timeoutConfiguration

bool is_for(const Json& hook, std::string_view stage) {
  const auto& stages = hook.get_array("lifecycleStages");
  return std::any_of(stages.begin(), stages.end(),
                     [&](const Json& each) { return each.as_string() == stage; });
}

// The note of one hook at one stage, made when it is asked for the first time.
Json& note_of(Deployment& deployment, std::int64_t index, std::string_view stage, const Json& hook,
              std::int64_t now) {
  auto& notes = deployment.pauses.as_array();
  for (auto& note : notes) {
    if (note.get_int("index") == index && note.get_string("stage") == stage) return note;
  }
  const Json* timeout = hook.find("timeoutConfiguration");
  auto minutes = timeout ? timeout->get_int("timeoutInMinutes", kDayMinutes) : kDayMinutes;
  notes.push_back(Json::object(
      {{"hookId", uuid()},
       {"index", index},
       {"stage", stage},
       {"status", "AWAITING_ACTION"},
       {"expires", now + minutes * kMinuteMs},
       {"action", timeout ? timeout->get_string("action", "ROLLBACK") : std::string("ROLLBACK")}}));
  return notes.back();
}

}  // namespace

bool has_pause(const Json& strategy, std::string_view stage) {
  const auto& hooks = strategy.get_array("lifecycleHooks");
  return std::any_of(hooks.begin(), hooks.end(),
                     [&](const Json& hook) { return is_for(hook, stage); });
}

PauseVerdict ask_pauses(const Json& strategy, Deployment& deployment, std::string_view stage,
                        std::int64_t now) {
  PauseVerdict verdict;
  std::int64_t index = 0;
  for (const auto& hook : strategy.get_array("lifecycleHooks")) {
    ++index;
    if (!is_for(hook, stage)) continue;
    Json& note = note_of(deployment, index, stage, hook, now);
    if (note.get_string("status") != "AWAITING_ACTION") continue;
    auto expires = note.get_int("expires");
    if (now < expires) {
      bool is_first = verdict.kind != PauseVerdict::Kind::waits || expires < verdict.until;
      if (is_first) verdict = {PauseVerdict::Kind::waits, expires};
      continue;
    }
    note["status"] = "TIMED_OUT";
    if (note.get_string("action") == "ROLLBACK") return {PauseVerdict::Kind::rolls_back, 0};
  }
  return verdict;
}

bool answer_pause(Deployment& deployment, const std::string& hook_id, bool continues) {
  for (auto& note : deployment.pauses.as_array()) {
    bool is_it = note.get_string("hookId") == hook_id;
    if (!is_it || note.get_string("status") != "AWAITING_ACTION") continue;
    note["status"] = continues ? "SUCCEEDED" : "FAILED";
    return true;
  }
  return false;
}

Json pause_details(const Deployment& deployment) {
  Json out = Json::array();
  for (const auto& note : deployment.pauses.as_array()) {
    out.push_back(
        Json::object({{"hookId", note.get_string("hookId")},
                      {"targetType", "PAUSE"},
                      {"status", note.get_string("status")},
                      {"expiresAt", static_cast<double>(note.get_int("expires")) / 1000.0},
                      {"timeoutAction", note.get_string("action")}}));
  }
  return out;
}

}  // namespace slipway::cloud::ecs
