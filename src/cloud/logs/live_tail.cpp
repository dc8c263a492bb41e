// SPDX-License-Identifier: Apache-2.0
#include "cloud/logs/live_tail.hpp"

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "cloud/input.hpp"
#include "cloud/logs/filter.hpp"

namespace slipway::cloud::logs {
namespace {

constexpr std::size_t kMostAnUpdate = 500;  // more are sampled
constexpr std::chrono::hours kLongest{3};
constexpr std::chrono::seconds kBetween{1};

struct Tail {
  Scope scope;
  std::string session = uuid();
  std::string request;
  std::vector<std::string> groups;  // names
  std::vector<std::string> streams, prefixes;
  std::string pattern_text;
  FilterPattern pattern;
  std::int64_t after = 0;  // the newest event when the session began

  Tail(const Call& call, const std::string& text)
      : scope(scope_of(call)), request(call.request_id), pattern_text(text), pattern(text) {}

  [[nodiscard]] static Json texts(const std::vector<std::string>& list) {
    Json out = Json::array();
    for (const auto& text : list) out.push_back(text);
    return out;
  }

  [[nodiscard]] Json beginning() const {
    Json out = Json::object({{"requestId", request}, {"sessionId", session}});
    Json arns = Json::array();
    for (const auto& group : groups)
      arns.push_back(arn("logs", scope.region, scope.account, "log-group:" + group));
    out["logGroupIdentifiers"] = arns;
    out["logStreamNames"] = texts(streams);
    out["logStreamNamePrefixes"] = texts(prefixes);
    out["logEventFilterPattern"] = pattern_text;
    return out;
  }

  [[nodiscard]] bool wants(const LogEvent& event) const {
    bool fits = prefixes.empty() ||
                std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
                  return event.stream.starts_with(prefix);
                });
    return fits && pattern.matches(event.message);
  }

  // What has come since the last look.
  Json update(LogStore& store) {
    Json results = Json::array();
    std::size_t wanted = 0;
    std::int64_t newest = after;
    for (const auto& group : groups) {
      if (!store.has_group(scope, group)) continue;  // deleted meanwhile
      for (const auto& event :
           store.read(scope, {.group = group, .streams = streams, .after_number = after})) {
        newest = std::max(newest, event.number);
        if (!wants(event) || ++wanted > kMostAnUpdate) continue;
        results.push_back(Json::object({{"logStreamName", event.stream},
                                        {"logGroupIdentifier", scope.account + ":" + group},
                                        {"message", event.message},
                                        {"timestamp", event.timestamp},
                                        {"ingestionTime", event.ingested}}));
      }
    }
    after = newest;
    return Json::object({{"sessionMetadata", Json::object({{"sampled", wanted > kMostAnUpdate}})},
                         {"sessionResults", results}});
  }
};

}  // namespace

std::function<void(EventSink&)> live_tail(LogStore& store, const Call& call,
                                          const std::stop_token& ending) {
  Input in(call.input, "InvalidParameterException");
  Tail tail(call, in.text_or("logEventFilterPattern"));
  tail.streams = in.texts("logStreamNames");
  tail.prefixes = in.texts("logStreamNamePrefixes");
  for (const auto& identifier : in.texts("logGroupIdentifiers")) {
    auto parsed = parse_arn(identifier);
    if (!parsed || !parsed->resource.starts_with("log-group:") || identifier.ends_with('*'))
      in.refuse(fmt::format("Invalid log group ARN: {}", identifier));
    std::string name = parsed->resource.substr(10);
    if (!store.has_group(tail.scope, name))
      refuse("ResourceNotFoundException", "The specified log group does not exist.");
    tail.groups.push_back(name);
  }
  if (!tail.streams.empty() && !tail.prefixes.empty())
    in.refuse("Only one of logStreamNames and logStreamNamePrefixes can be specified.");
  if (tail.groups.size() > 1 && (!tail.streams.empty() || !tail.prefixes.empty()))
    in.refuse("Log streams can be specified for a single log group only.");
  tail.after = store.newest_number();
  return [&store, tail, ending](EventSink& sink) mutable {
    sink.send("sessionStart", tail.beginning());
    Deadline end = Deadline::in(kLongest);
    std::uint64_t seen = 0;
    while (!ending.stop_requested()) {
      if (end.passed())
        return sink.fail("SessionTimeoutException", "The Live Tail session has timed out.");
      Json update = tail.update(store);
      bool is_quiet = update.get_array("sessionResults").empty();
      sink.send("sessionUpdate", update);
      Deadline next = Deadline::in(kBetween);
      // Something new ends a quiet second early.
      if (is_quiet) store.wait_for_append(ending, next, seen);
      if (!is_quiet) {
        Guarded<int> nothing;
        nothing.wait(
            ending, Deadline::in(kBetween / 5), [](int) { return false; }, [](int) {});
      }
    }
  };
}

}  // namespace slipway::cloud::logs
