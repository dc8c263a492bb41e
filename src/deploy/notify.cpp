// SPDX-License-Identifier: Apache-2.0
#include "deploy/notify.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"
#include "formats/sha256.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

constexpr int kAttempts = 16;
constexpr std::chrono::seconds kLongestPause = std::chrono::hours(1);
constexpr auto kClaim = std::chrono::minutes(2);  // longer than any delivery takes

std::string resolved(const std::string& value,
                     const std::map<std::string, std::string>& environment) {
  if (!value.starts_with('$')) return value;
  auto it = environment.find(value.substr(1));
  if (it == environment.end())
    fail(Fault::bad_input, "the environment variable {} is not set", value.substr(1));
  return it->second;
}

bool is_resolvable(const Notification& to, const std::map<std::string, std::string>& environment) {
  auto is_known = [&](const std::string& value) {
    return !value.starts_with('$') || environment.contains(value.substr(1));
  };
  return is_known(to.url) && is_known(to.secret);
}

std::string escaped(const std::string& text) {
  return replace_all(replace_all(replace_all(text, "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
}

std::string headline(const Json& message) {
  return fmt::format("{} {} {} of {}", message.get_bool("ok") ? "✅" : "❌",
                     message.get_string("environment"), message.get_string("cause"),
                     message.get_string("sha").substr(0, 12));
}

Json message_of(const std::string& cause, const std::string& environment, const std::string& sha,
                const std::string& who, bool ok, Json services) {
  return Json::object({{"event", "release"},
                       {"cause", cause},
                       {"environment", environment},
                       {"sha", sha},
                       {"who", who},
                       {"ok", ok},
                       {"at", formats::iso8601(formats::now())},
                       {"services", std::move(services)}});
}

Json section(const std::string& text) {
  return Json::object(
      {{"type", "section"}, {"text", Json::object({{"type", "mrkdwn"}, {"text", text}})}});
}

class Delivery final {
 public:
  Delivery(const Notification& to, const std::map<std::string, std::string>& environment,
           const Poster& post, ledger::Ledger& ledger)
      : to_(to),
        url_(resolved(to.url, environment)),
        secret_(resolved(to.secret, environment)),
        post_(post),
        ledger_(ledger) {}

  void send(const ledger::Outgoing& out) const {
    if (to_.kind == "slack") {
      expect(post_({url_, json_headers(), slack_message(out.body).dump()}));
    } else if (to_.kind == "slack-bot") {
      slack_bot(out.body);
    } else if (to_.kind == "github") {
      github(out);
    } else {
      webhook(out);
    }
  }

 private:
  static std::vector<std::pair<std::string, std::string>> json_headers() {
    return {{"content-type", "application/json; charset=utf-8"}};
  }

  static std::string expect(const std::pair<int, std::string>& answer) {
    if (answer.first < 200 || answer.first > 299)
      fail(Fault::failed, "HTTP {}: {}", answer.first, answer.second.substr(0, 200));
    return answer.second;
  }

  void slack_bot(const Json& message) const {
    Json body = slack_message(message);
    body["channel"] = to_.channel;
    // All that is told of a commit in an environment stands in one thread; a failure shows in the channel, too.
    std::string key = message.get_string("environment") + "/" + message.get_string("sha");
    std::string thread = ledger_.thread(to_.name, key);
    if (!thread.empty()) {
      body["thread_ts"] = thread;
      body["reply_broadcast"] = !message.get_bool("ok");
    }
    auto headers = json_headers();
    headers.emplace_back("authorization", "Bearer " + secret_);
    Json answer = formats::parse_json(
        expect(post_({url_.empty() ? "https://slack.com/api/chat.postMessage" : url_, headers,
                      body.dump()})),
        "slack");
    if (!answer.get_bool("ok")) fail(Fault::failed, "slack: {}", answer.get_string("error"));
    if (thread.empty()) ledger_.set_thread(to_.name, key, answer.get_string("ts"));
  }

  // One deployment a release: made when it begins, or at its end where nobody told of its beginning. When a status did not arrive,
  // the next try only sends that.
  // source  GitHub REST, "Create a deployment", "Create a deployment status"
  void github(const ledger::Outgoing& out) const {
    const Json& message = out.body;
    std::string base = (url_.empty() ? "https://api.github.com" : url_) + "/repos/" +
                       to_.repository + "/deployments";
    auto headers = json_headers();
    headers.emplace_back("authorization", "Bearer " + secret_);
    headers.emplace_back("accept", "application/vnd.github+json");
    std::string release = message.get_string("release");
    std::string key = release.empty() ? "message " + std::to_string(out.id) : "release " + release;
    bool begins = message.get_string("event") == "begun";
    if (begins && !ledger_.thread(to_.name, key + " ended").empty()) return;  // told too late
    std::string id = ledger_.thread(to_.name, key);
    auto tell = [&](const char* state, const std::string& description) {
      expect(post_({fmt::format("{}/{}/statuses", base, id), headers,
                    Json::object({{"state", state}, {"description", description}}).dump()}));
    };
    if (id.empty()) {
      Json made = formats::parse_json(
          expect(post_({base, headers,
                        Json::object({{"ref", message.get_string("sha")},
                                      {"environment", message.get_string("environment")},
                                      {"auto_merge", false},
                                      {"required_contexts", Json::array()},
                                      {"description", message.get_string("cause")}})
                            .dump()})),
          "github");
      id = std::to_string(made.get_int("id"));
      ledger_.set_thread(to_.name, key, id);
      if (!begins) tell("in_progress", "");
    }
    if (begins) return tell("in_progress", "by " + message.get_string("who"));
    std::string line = message.get_array("services").empty()
                           ? ""
                           : message.get_array("services").front().get_string("reason");
    tell(message.get_bool("ok") ? "success" : "failure", line.substr(0, 140));
    ledger_.set_thread(to_.name, key + " ended", id);
  }

  void webhook(const ledger::Outgoing& out) const {
    std::string body = out.body.dump();
    auto headers = json_headers();
    headers.emplace_back("x-slipway-delivery", std::to_string(out.id));
    if (!secret_.empty())
      headers.emplace_back("x-slipway-signature-256",
                           "sha256=" + hex(formats::hmac_sha256(secret_, body)));
    expect(post_({url_, headers, body}));
  }

  const Notification& to_;
  std::string url_;
  std::string secret_;
  const Poster& post_;
  ledger::Ledger& ledger_;
};

}  // namespace

Json outcome_message(const std::string& cause, const std::string& environment,
                     const std::string& sha, const std::string& who,
                     const std::vector<ServiceOutcome>& outcomes, const std::string& changes) {
  bool ok = true;
  Json services = Json::array();
  for (const auto& outcome : outcomes) {
    Json item = Json::object({{"service", outcome.service}});
    if (outcome.is_skipped) {
      item["skipped"] = outcome.why;
    } else {
      ok = ok && outcome.released.verdict.ok();
      item["taskDefinition"] = brief_task_definition(outcome.released.rollout.task_definition);
      Json verdict = to_json(outcome.released.verdict);
      for (auto& [key, value] : verdict.as_object()) item[key] = std::move(value);
    }
    services.push_back(std::move(item));
  }
  Json message = message_of(cause, environment, sha, who, ok, std::move(services));
  if (!changes.empty()) message["changes"] = changes;
  return message;
}

Json release_message(const std::vector<ledger::Release>& releases) {
  bool ok = true;
  std::string changes;
  Json services = Json::array();
  for (const auto& release : releases) {
    if (!release.changes.empty()) changes += release.service + "\n" + release.changes;
    ok = ok && release.verdict == ledger::Verdict::succeeded;
    Json item = Json::object({{"service", release.service},
                              {"taskDefinition", brief_task_definition(release.task_definition)},
                              {"verdict", ledger::name_of(release.verdict)}});
    if (!release.reason.empty()) item["reason"] = release.reason;
    if (!release.causes.is_null()) item["causes"] = release.causes;
    services.push_back(std::move(item));
  }
  const auto& last = releases.back();
  Json message =
      message_of(last.cause, last.environment, last.sha, last.who, ok, std::move(services));
  if (!changes.empty()) message["changes"] = changes;
  return message;
}

Json begun_message(const std::string& cause, const std::string& environment, const std::string& sha,
                   const std::string& who) {
  return Json::object({{"event", "begun"},
                       {"release", uuid()},
                       {"cause", cause},
                       {"environment", environment},
                       {"sha", sha},
                       {"who", who},
                       {"at", formats::iso8601(formats::now())}});
}

Json slack_message(const Json& message) {
  std::string line = headline(message);
  Json blocks = Json::array({Json::object(
      {{"type", "header"},
       {"text", Json::object({{"type", "plain_text"}, {"text", line}, {"emoji", true}})}})});
  for (const auto& service : message.get_array("services")) {
    std::string reason = service.get_string("reason", service.get_string("skipped"));
    blocks.push_back(section(fmt::format("*{}* `{}` {}", escaped(service.get_string("service")),
                                         escaped(service.get_string("taskDefinition")),
                                         escaped(reason.substr(0, 2500)))));
  }
  if (auto changes = message.get_string("changes"); !changes.empty())
    blocks.push_back(section("```" + escaped(changes.substr(0, 2500)) + "```"));
  Json context = Json::array(
      {Json::object({{"type", "mrkdwn"},
                     {"text", escaped(fmt::format("by {} at {}", message.get_string("who"),
                                                  message.get_string("at")))}})});
  blocks.push_back(Json::object({{"type", "context"}, {"elements", context}}));
  return Json::object({{"text", line}, {"blocks", blocks}});
}

void put_out(ledger::Ledger& ledger, const Settings& settings, const std::string& environment,
             const Json& message) {
  for (const auto& name : settings.of(environment).notifications)
    ledger.put_out(settings.place, name, message);
}

void deliver(ledger::Ledger& ledger, const Delivering& how) {
  for (const auto& out : ledger.outgoing()) {
    if (!out.place.empty() && out.place != how.settings.place) continue;
    const auto& all = how.settings.notifications;
    auto to =
        std::find_if(all.begin(), all.end(), [&](const auto& n) { return n.name == out.sink; });
    if (to == all.end()) continue;  // it was taken out of the settings
    if (how.leaves_unset && !is_resolvable(*to, how.environment)) continue;
    if (!ledger.claim(out, kClaim)) continue;
    try {
      Delivery(*to, how.environment, how.post, ledger).send(out);
      ledger.delivered(out.id);
    } catch (const Error& error) {
      auto pause = std::min(kLongestPause, std::chrono::seconds(1LL << std::min(out.attempts, 12)));
      bool is_kept = ledger.not_delivered(out.id, pause, kAttempts);
      how.told(fmt::format("notification '{}' was not delivered{}: {}", out.sink,
                           is_kept ? ", it is tried again" : " and is given up", error.what()));
    }
  }
}

void deliver_until(ledger::Ledger& ledger, const Delivering& how, Deadline deadline,
                   const std::stop_token& stop) {
  Guarded<int> nothing;
  for (;;) {
    deliver(ledger, how);
    auto next = ledger.next_outgoing(how.settings.place);
    if (!next) return;
    auto rest = std::max(*next - formats::now(), std::chrono::milliseconds(10));
    if (Deadline::in(rest).at() >= deadline.at()) return;
    nothing.wait(
        stop, Deadline::in(rest), [](int) { return false; }, [](int) {});
    if (stop.stop_requested()) return;
  }
}

bool put_out_begun(ledger::Ledger& ledger, const Settings& settings, const Json& message) {
  bool is_told = false;
  for (const auto& name : settings.of(message.get_string("environment")).notifications) {
    auto to = std::find_if(settings.notifications.begin(), settings.notifications.end(),
                           [&](const Notification& one) { return one.name == name; });
    if (to == settings.notifications.end() || to->kind != "github") continue;
    ledger.put_out(settings.place, name, message);
    is_told = true;
  }
  return is_told;
}

}  // namespace slipway::deploy
