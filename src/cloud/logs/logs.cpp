// SPDX-License-Identifier: Apache-2.0
#include "cloud/logs/logs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/deadline.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "cloud/input.hpp"
#include "cloud/logs/filter.hpp"
#include "cloud/logs/live_tail.hpp"

namespace slipway::cloud::logs {
namespace {

constexpr std::string_view kBad = "InvalidParameterException";
constexpr std::array kRetentions = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                    365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};

std::int64_t milliseconds(Time time) { return time.time_since_epoch().count(); }

Refusal no_group() {
  return {"ResourceNotFoundException", "The specified log group does not exist."};
}

class Logs final : public Service {
 public:
  Logs(State& state, LogStore& store) : state_(state), store_(store) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{.signing_name = "logs",
                                          .target_prefix = "Logs_20140328",
                                          .api_version = "",
                                          .xml_namespace = "",
                                          .protocol = Protocol::json_1_1,
                                          .host_prefixes = {"logs"},
                                          .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override {
    Input in(call.input, kBad);
    if (call.operation == "StartLiveTail") {
      std::vector<Permission> all;
      for (const auto& group : in.texts("logGroupIdentifiers"))
        all.push_back({"logs:StartLiveTail", group, {}});
      return all;
    }
    auto group = in.text_or("logGroupName", in.text_or("logGroupNamePrefix"));
    auto resource = group.empty() ? in.text_or("resourceArn", in.text_or("logGroupIdentifier", "*"))
                                  : group_arn(call, group);
    bool stream = call.operation == "PutLogEvents" || call.operation == "GetLogEvents" ||
                  call.operation == "CreateLogStream" || call.operation == "DeleteLogStream";
    if (stream) {
      resource += ":log-stream:" + in.text_or("logStreamName");
    } else if (!group.empty()) {
      resource += ":*";
    }
    return {Permission{.action = "logs:" + call.operation, .resource = resource, .context = {}}};
  }
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }
  std::function<void(EventSink&)> stream(const Call& call) override {
    if (call.operation != "StartLiveTail") return {};
    return live_tail(store_, call, ending_.get_token());
  }
  void run(std::stop_token stop) override {
    std::stop_callback end_tails(stop, [this] { ending_.request_stop(); });
    Guarded<int> nothing;
    while (!stop.stop_requested()) {
      store_.expire(milliseconds(formats::now()));
      nothing.wait(
          stop, Deadline::in(std::chrono::hours(1)), [](int) { return false; }, [](int) {});
    }
  }

 private:
  static const Operations<Logs>& operations();
  static Scope scope(const Call& call) { return {call.account, call.region}; }
  static std::string group_arn(const Call& call, std::string_view group) {
    return arn("logs", call.region, call.account, fmt::format("log-group:{}", group));
  }

  // logGroupName, or the name in logGroupIdentifier (a name or an ARN).
  static std::string group_of(const Call& call) {
    Input in(call.input, kBad);
    if (auto name = in.optional_text("logGroupName")) return *name;
    return name_in(in.text("logGroupIdentifier"));
  }
  static std::string name_in(const std::string& identifier) {
    auto parsed = parse_arn(identifier);
    if (!parsed || !parsed->resource.starts_with("log-group:")) return identifier;
    auto name = parsed->resource.substr(10);
    return name.substr(0, name.find(':'));
  }

  Json create_log_group(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("logGroupName");
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/.#-";
    if (name.size() > 512 || name.find_first_not_of(kAllowed) != std::string::npos) {
      in.refuse(validation_message(
          name, "logGroupName",
          "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"));
    }
    if (!store_.create_group(scope(call), name, milliseconds(call.now)))
      throw Refusal("ResourceAlreadyExistsException", "The specified log group already exists");
    if (const auto* tags = call.input.find("tags")) {
      change_group(call, name, [&](Json& group) { group["tags"] = *tags; });
    }
    return {};
  }
  Json delete_log_group(const Call& call) {
    if (!store_.delete_group(scope(call), group_of(call))) throw no_group();
    return {};
  }
  Json create_log_stream(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("logStreamName");
    if (name.size() > 512 || name.find_first_of(":*") != std::string::npos)
      in.refuse(validation_message(name, "logStreamName",
                                   "Member must satisfy regular expression pattern: [^:*]*"));
    if (!store_.create_stream(scope(call), group_of(call), name, milliseconds(call.now)))
      throw Refusal("ResourceAlreadyExistsException", "The specified log stream already exists");
    return {};
  }
  Json delete_log_stream(const Call& call) {
    if (!store_.has_group(scope(call), group_of(call))) throw no_group();
    if (!store_.delete_stream(scope(call), group_of(call),
                              Input(call.input, kBad).text("logStreamName"))) {
      throw Refusal("ResourceNotFoundException", "The specified log stream does not exist.");
    }
    return {};
  }

  Json put_log_events(const Call& call) {
    Input in(call.input, kBad);
    auto items = in.items("logEvents");
    if (items.empty() || items.size() > 10'000)
      in.refuse(validation_message(std::to_string(items.size()), "logEvents",
                                   "Member must have length between 1 and 10000"));
    auto now = milliseconds(call.now);
    std::vector<LogEvent> events;
    std::int64_t too_old = -1, too_new = -1, last = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      LogEvent event;
      event.timestamp = items[i].get_int("timestamp");
      event.message = items[i].get_string("message");
      if (event.timestamp < last)
        in.refuse("Log events in a single PutLogEvents request must be in chronological order.");
      last = event.timestamp;
      if (event.timestamp < now - 14 * 86'400'000LL) {
        too_old = static_cast<std::int64_t>(i) + 1;
      } else if (event.timestamp > now + 2 * 3'600'000LL) {
        if (too_new < 0) too_new = static_cast<std::int64_t>(i);
      } else {
        events.push_back(std::move(event));
      }
    }
    store_.append(scope(call), group_of(call), in.text("logStreamName"), events, now);
    Json answer = Json::object({{"nextSequenceToken", std::to_string(now) + random_id(16)}});
    Json rejected = Json::object({});
    if (too_new >= 0) rejected["tooNewLogEventStartIndex"] = too_new;
    if (too_old >= 0) rejected["tooOldLogEventEndIndex"] = too_old;
    if (!rejected.empty()) answer["rejectedLogEventsInfo"] = std::move(rejected);
    return answer;
  }

  // Tokens "f/NUMBER" (after that event) and "b/NUMBER" (before it), as wide as AWS's.
  Json get_log_events(const Call& call) {
    Input in(call.input, kBad);
    LogQuery query{.group = group_of(call),
                   .streams = {in.text("logStreamName")},
                   .stream_prefix = "",
                   .from_ms = in.optional_integer("startTime"),
                   .to_ms = in.optional_integer("endTime")};
    if (!stream_exists(call, query.group, query.streams[0]))
      throw Refusal("ResourceNotFoundException", "The specified log stream does not exist.");
    query.limit = in.page_size("limit", 10'000, 10'000);
    query.newest_first = !in.boolean_or("startFromHead", false);
    auto token = in.text_or("nextToken");
    std::int64_t position = 0;
    if (!token.empty()) {
      auto number = token.size() > 2 ? to_integer(trim_zeroes(std::string_view(token).substr(2)))
                                     : std::nullopt;
      if (!number || (!token.starts_with("f/") && !token.starts_with("b/")))
        in.refuse("The specified nextToken is invalid.");
      position = *number;
      query.newest_first = token.starts_with("b/");
      (query.newest_first ? query.before_number : query.after_number) = position;
      if (query.newest_first && position == 0) query.before_number = 1;
    }
    auto events = store_.read(scope(call), query);
    if (query.newest_first) std::reverse(events.begin(), events.end());
    Json list = Json::array({});
    for (const auto& event : events)
      list.push_back(Json::object({{"timestamp", event.timestamp},
                                   {"message", event.message},
                                   {"ingestionTime", event.ingested}}));
    auto forward = events.empty() ? position : events.back().number;
    auto backward = events.empty() ? position : events.front().number;
    return Json::object({{"events", std::move(list)},
                         {"nextForwardToken", fmt::format("f/{:056}", forward)},
                         {"nextBackwardToken", fmt::format("b/{:056}", backward)}});
  }
  static std::string_view trim_zeroes(std::string_view text) {
    auto start = text.find_first_not_of('0');
    return start == std::string_view::npos ? "0" : text.substr(start);
  }
  bool stream_exists(const Call& call, const std::string& group, const std::string& stream) {
    return state_.read([&](Tables& tables) {
      auto row = tables.database().prepare(
          "SELECT 1 FROM log_stream WHERE account=? AND region=? AND log_group=? AND name=?");
      row.bind(call.account, call.region, group, stream);
      return row.step();
    });
  }

  Json filter_log_events(const Call& call) {
    Input in(call.input, kBad);
    LogQuery query{.group = group_of(call),
                   .streams = in.texts("logStreamNames"),
                   .stream_prefix = in.text_or("logStreamNamePrefix"),
                   .from_ms = in.optional_integer("startTime"),
                   .to_ms = in.optional_integer("endTime")};
    if (query.to_ms) ++*query.to_ms;  // FilterLogEvents includes its end
    FilterPattern pattern(in.text_or("filterPattern"));
    auto size = in.page_size("limit", 10'000, 10'000);
    std::size_t skip = 0;
    if (auto token = in.optional_text("nextToken")) {
      auto position = read_page_token(*token);
      auto number = position ? to_integer(*position) : std::nullopt;
      if (!number || *number < 0) in.refuse("The specified nextToken is invalid.");
      skip = static_cast<std::size_t>(*number);
    }
    query.limit = 1'000'000;
    Json list = Json::array({});
    Json answer = Json::object({});
    std::size_t seen = 0;
    for (const auto& event : store_.read(scope(call), query)) {
      if (!pattern.matches(event.message) || seen++ < skip) continue;
      if (list.size() == size) {
        answer["nextToken"] = page_token(std::to_string(skip + size));
        break;
      }
      list.push_back(Json::object({{"logStreamName", event.stream},
                                   {"timestamp", event.timestamp},
                                   {"message", event.message},
                                   {"ingestionTime", event.ingested},
                                   {"eventId", fmt::format("{:056}", event.number)}}));
    }
    answer["events"] = std::move(list);
    answer["searchedLogStreams"] = Json::array({});
    return answer;
  }

  Json describe_log_groups(const Call& call) {
    Input in(call.input, kBad);
    auto prefix = in.text_or("logGroupNamePrefix");
    auto pattern = in.text_or("logGroupNamePattern");
    auto size = in.page_size("limit", 50, 50);
    std::string after;
    if (auto token = in.optional_text("nextToken"))
      after = read_page_token(*token).value_or("\xff");
    return state_.read([&](Tables& tables) {
      Json list = Json::array({});
      Json answer = Json::object({});
      for (const auto& stored : tables.list(kGroupKind, scope(call), prefix, after)) {
        if (stored.id.find(pattern) == std::string::npos) continue;
        if (list.size() == size) {
          answer["nextToken"] = page_token(list.as_array().back().get_string("logGroupName"));
          break;
        }
        Json group = Json::object({{"logGroupName", stored.id},
                                   {"creationTime", stored.body.at("created")},
                                   {"metricFilterCount", 0},
                                   {"arn", group_arn(call, stored.id) + ":*"},
                                   {"storedBytes", stored_bytes(tables, call, stored.id)},
                                   {"logGroupClass", "STANDARD"},
                                   {"logGroupArn", group_arn(call, stored.id)}});
        if (const auto* days = stored.body.find("retentionInDays"))
          group["retentionInDays"] = *days;
        list.push_back(std::move(group));
      }
      answer["logGroups"] = std::move(list);
      return answer;
    });
  }
  static std::int64_t stored_bytes(Tables& tables, const Call& call, const std::string& group) {
    auto row = tables.database().prepare(
        "SELECT coalesce(sum(bytes),0) FROM log_stream WHERE account=? AND region=? AND "
        "log_group=?");
    row.bind(call.account, call.region, group);
    row.step();
    return row.get_int(0);
  }
  Json describe_log_streams(const Call& call) {
    Input in(call.input, kBad);
    auto group = group_of(call);
    if (!store_.has_group(scope(call), group)) throw no_group();
    auto size = in.page_size("limit", 50, 50);
    bool by_time = in.text_or("orderBy", "LogStreamName") == "LastEventTime";
    bool descending = in.boolean_or("descending", false);
    auto prefix = in.text_or("logStreamNamePrefix");
    std::size_t skip = 0;
    if (auto token = in.optional_text("nextToken"))
      skip =
          static_cast<std::size_t>(to_integer(read_page_token(*token).value_or("0")).value_or(0));
    return state_.read([&](Tables& tables) {
      auto rows = tables.database().prepare(
          fmt::format("SELECT name, created, first_event, last_event, last_ingested, bytes FROM "
                      "log_stream WHERE account=? AND region=? AND log_group=? "
                      "AND substr(name,1,length(?))=? ORDER BY {} {} LIMIT ? OFFSET ?",
                      by_time ? "last_event" : "name", descending ? "DESC" : "ASC"));
      rows.bind(call.account, call.region, group, prefix, prefix, size + 1, skip);
      Json list = Json::array({});
      Json answer = Json::object({});
      while (rows.step()) {
        if (list.size() == size) {
          answer["nextToken"] = page_token(std::to_string(skip + size));
          break;
        }
        Json stream =
            Json::object({{"logStreamName", rows.get_text(0)}, {"creationTime", rows.get_int(1)}});
        if (!rows.is_null(2)) {
          stream["firstEventTimestamp"] = rows.get_int(2);
          stream["lastEventTimestamp"] = rows.get_int(3);
          stream["lastIngestionTime"] = rows.get_int(4);
        }
        stream["uploadSequenceToken"] = fmt::format("{:056}", rows.get_int(1));
        stream["arn"] = group_arn(call, group) + ":log-stream:" + rows.get_text(0);
        stream["storedBytes"] = 0;  // as AWS has answered since 2019
        list.push_back(std::move(stream));
      }
      answer["logStreams"] = std::move(list);
      return answer;
    });
  }

  template <typename Change>
  void change_group(const Call& call, const std::string& name, Change&& how) {
    state_.write([&](Tables& tables) {
      auto group = tables.get(kGroupKind, scope(call), name);
      if (!group) throw no_group();
      how(*group);
      tables.put(kGroupKind, scope(call), name, *group);
    });
  }
  Json put_retention_policy(const Call& call) {
    Input in(call.input, kBad);
    auto days = in.integer_or("retentionInDays", 0);
    if (std::find(kRetentions.begin(), kRetentions.end(), static_cast<int>(days)) ==
        kRetentions.end()) {
      in.refuse(
          fmt::format("1 validation error detected: Value '{}' at 'retentionInDays' failed to "
                      "satisfy constraint: Member must satisfy enum value set: [{}]",
                      days, fmt::join(kRetentions, ", ")));
    }
    change_group(call, group_of(call), [&](Json& group) { group["retentionInDays"] = days; });
    return {};
  }
  Json delete_retention_policy(const Call& call) {
    change_group(call, group_of(call), [](Json& group) { group.erase("retentionInDays"); });
    return {};
  }
  Json tag(const Call& call) {
    Input in(call.input, kBad);
    auto group = in.has("resourceArn") ? name_in(in.text("resourceArn")) : group_of(call);
    change_group(call, group, [&](Json& stored) {
      for (const auto& [key, value] : call.input.at("tags").as_object())
        stored["tags"][key] = value;
    });
    return {};
  }
  Json untag(const Call& call) {
    Input in(call.input, kBad);
    auto group = in.has("resourceArn") ? name_in(in.text("resourceArn")) : group_of(call);
    auto keys = in.has("tagKeys") ? in.texts("tagKeys") : in.texts("tags");
    change_group(call, group, [&](Json& stored) {
      for (const auto& key : keys) stored["tags"].erase(key);
    });
    return {};
  }
  Json list_tags(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.has("resourceArn") ? name_in(in.text("resourceArn")) : group_of(call);
    auto group =
        state_.read([&](Tables& tables) { return tables.get(kGroupKind, scope(call), name); });
    if (!group) throw no_group();
    return Json::object({{"tags", group->at("tags")}});
  }

  Json start_live_tail(const Call&) { return {}; }  // stream() answers

  State& state_;
  LogStore& store_;
  std::stop_source ending_;
};

const Operations<Logs>& Logs::operations() {
  static const Operations<Logs> table = {
      {"CreateLogGroup", &Logs::create_log_group},
      {"CreateLogStream", &Logs::create_log_stream},
      {"DeleteLogGroup", &Logs::delete_log_group},
      {"DeleteLogStream", &Logs::delete_log_stream},
      {"DeleteRetentionPolicy", &Logs::delete_retention_policy},
      {"DescribeLogGroups", &Logs::describe_log_groups},
      {"DescribeLogStreams", &Logs::describe_log_streams},
      {"FilterLogEvents", &Logs::filter_log_events},
      {"GetLogEvents", &Logs::get_log_events},
      {"ListTagsForResource", &Logs::list_tags},
      {"ListTagsLogGroup", &Logs::list_tags},
      {"PutLogEvents", &Logs::put_log_events},
      {"PutRetentionPolicy", &Logs::put_retention_policy},
      {"StartLiveTail", &Logs::start_live_tail},
      {"TagLogGroup", &Logs::tag},
      {"TagResource", &Logs::tag},
      {"UntagLogGroup", &Logs::untag},
      {"UntagResource", &Logs::untag},
  };
  return table;
}

}  // namespace

std::unique_ptr<Service> make_logs(State& state, LogStore& store) {
  return std::make_unique<Logs>(state, store);
}

}  // namespace slipway::cloud::logs
