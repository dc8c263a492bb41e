// SPDX-License-Identifier: Apache-2.0
#include "cloud/trail/trail.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "cloud/input.hpp"

namespace slipway::cloud::trail {
namespace {

constexpr std::size_t kMostEvents = 2000;
constexpr std::size_t kPage = 50;
constexpr const char* kHidden = "HIDDEN_DUE_TO_SECURITY_REASONS";
constexpr std::array<std::string_view, 8> kSecrets = {
    "secretString", "secretBinary", "masterUserPassword", "webIdentityToken",
    "value",        "environment",  "clientRequestToken", "layerPartBlob"};

std::string small_first(std::string name) {
  if (!name.empty() && name[0] >= 'A' && name[0] <= 'Z')
    name[0] = static_cast<char>(name[0] - 'A' + 'a');
  return name;
}

Json shown(const Json& value) {
  if (value.is_array()) {
    Json out = Json::array();
    for (const auto& item : value.as_array()) out.push_back(shown(item));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, item] : value.as_object()) {
    std::string name = small_first(key);
    bool is_secret = std::find(kSecrets.begin(), kSecrets.end(), name) != kSecrets.end();
    out[name] = is_secret ? Json(kHidden) : shown(item);
  }
  return out;
}

Json identity_of(const Principal& who) {
  switch (who.kind) {
    case Principal::Kind::anonymous:
      return Json::object({{"type", "WebIdentityUser"}});
    case Principal::Kind::root:
      return Json::object({{"type", "Root"},
                           {"principalId", who.account},
                           {"arn", who.arn},
                           {"accountId", who.account},
                           {"accessKeyId", who.access_key_id}});
    case Principal::Kind::user:
      return Json::object({{"type", "IAMUser"},
                           {"principalId", who.id},
                           {"arn", who.arn},
                           {"accountId", who.account},
                           {"accessKeyId", who.access_key_id},
                           {"userName", who.entity}});
    case Principal::Kind::assumed_role:
      break;
  }
  Json issuer = Json::object({{"type", "Role"},
                              {"principalId", who.id.substr(0, who.id.find(':'))},
                              {"accountId", who.account},
                              {"userName", who.entity},
                              {"arn", arn("iam", "", who.account, "role/" + who.entity)}});
  return Json::object({{"type", "AssumedRole"},
                       {"principalId", who.id},
                       {"arn", who.arn},
                       {"accountId", who.account},
                       {"accessKeyId", who.access_key_id},
                       {"sessionContext", Json::object({{"sessionIssuer", issuer}})}});
}

std::string user_name(const Json& event) {
  const Json& identity = event.at("userIdentity");
  std::string type = identity.get_string("type");
  if (type == "Root") return "root";
  if (type == "IAMUser") return identity.get_string("userName");
  std::string id = identity.get_string("principalId");
  auto colon = id.find(':');
  return colon == std::string::npos ? id : id.substr(colon + 1);
}

// As LookupEvents lists an event.
Json listed(const Json& event) {
  auto time = formats::parse_iso8601(event.get_string("eventTime"));
  Json out = Json::object({{"EventId", event.get_string("eventID")},
                           {"EventName", event.get_string("eventName")},
                           {"ReadOnly", event.get_bool("readOnly") ? "true" : "false"},
                           {"EventTime", time ? formats::epoch_seconds(*time) : 0.0},
                           {"EventSource", event.get_string("eventSource")},
                           {"Username", user_name(event)},
                           {"Resources", Json::array()},
                           {"CloudTrailEvent", event.dump()}});
  if (std::string key = event.at("userIdentity").get_string("accessKeyId"); !key.empty())
    out["AccessKeyId"] = key;
  return out;
}

class CloudTrail final : public Service {
 public:
  explicit CloudTrail(Trail& trail) : trail_(trail) {}
  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{
        .signing_name = "cloudtrail",
        .target_prefix = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
        .api_version = "",
        .xml_namespace = "",
        .protocol = Protocol::json_1_1,
        .host_prefixes = {"cloudtrail"},
        .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operation == "LookupEvents";
  }
  Json call(const Call& call) override {
    Input in(call.input, "InvalidLookupAttributesException");
    auto attributes = in.items("LookupAttributes");
    if (attributes.size() > 1) in.refuse("Only one lookup attribute can be specified.");
    std::string key = attributes.empty() ? "" : attributes[0].get_string("AttributeKey");
    std::string value = attributes.empty() ? "" : attributes[0].get_string("AttributeValue");
    double from = call.input.contains("StartTime") ? call.input.get_number("StartTime") : 0;
    double until = call.input.contains("EndTime") ? call.input.get_number("EndTime") : 1e18;
    auto size =
        Input(call.input, "InvalidMaxResultsException").page_size("MaxResults", kPage, kPage);
    std::size_t start = 0;
    if (auto token = in.optional_text("NextToken")) {
      auto position = read_page_token(*token);
      auto number = position ? to_integer(*position) : std::nullopt;
      if (!number || *number < 0)
        throw Refusal("InvalidNextTokenException", "The token that you specified is not valid.");
      start = static_cast<std::size_t>(*number);
    }
    Json::Array found;
    for (const auto& event : trail_.events(scope_of(call))) {
      Json item = listed(*event);
      if (item.get_number("EventTime") < from || item.get_number("EventTime") > until) continue;
      if (fits(item, key, value)) found.push_back(std::move(item));
    }
    Json events = Json::array();
    for (std::size_t i = start; i < found.size() && i < start + size; ++i)
      events.push_back(found[i]);
    Json answer = Json::object({{"Events", events}});
    if (start + size < found.size()) answer["NextToken"] = page_token(std::to_string(start + size));
    return answer;
  }

 private:
  static bool fits(const Json& item, const std::string& key, const std::string& value) {
    if (key.empty()) return true;
    for (const char* known :
         {"EventId", "EventName", "ReadOnly", "Username", "EventSource", "AccessKeyId"}) {
      if (key == known) return item.get_string(known) == value;
    }
    if (key == "ResourceName")
      return item.get_string("CloudTrailEvent").find("\"" + value + "\"") != std::string::npos;
    throw Refusal("InvalidLookupAttributesException",
                  "slipway: events cannot be looked up by '" + key + "' yet");
  }

  Trail& trail_;
};

}  // namespace

bool is_read_only(const std::string& operation) {
  for (const char* start :
       {"Describe", "Get", "List", "BatchGet", "BatchCheck", "Filter", "Lookup"}) {
    if (operation.starts_with(start))
      return operation != "GetSessionToken" && operation != "GetAuthorizationToken";
  }
  return false;
}

Json shown_parameters(const Call& call) { return shown(call.input); }

void Trail::note(const Call& call, const std::string& source, const Refusal* refusal) {
  bool reads = is_read_only(call.operation);
  Json event = Json::object({{"eventVersion", "1.11"},
                             {"userIdentity", identity_of(call.caller)},
                             {"eventTime", formats::iso8601(call.now)},
                             {"eventSource", source + ".amazonaws.com"},
                             {"eventName", call.operation},
                             {"awsRegion", call.region},
                             {"sourceIPAddress", call.source_ip},
                             {"userAgent", call.user_agent},
                             {"requestParameters", shown_parameters(call)},
                             {"responseElements", nullptr},
                             {"requestID", call.request_id},
                             {"eventID", uuid()},
                             {"readOnly", reads},
                             {"eventType", "AwsApiCall"},
                             {"managementEvent", true},
                             {"recipientAccountId", call.account},
                             {"eventCategory", "Management"}});
  if (refusal != nullptr) {
    event["errorCode"] = refusal->code();
    event["errorMessage"] = refusal->message();
  }
  auto kept = std::make_shared<const Json>(std::move(event));
  std::lock_guard lock(mutex_);
  entries_.push_front({scope_of(call), std::move(kept)});
  if (entries_.size() > kMostEvents) entries_.pop_back();
}

std::vector<std::shared_ptr<const Json>> Trail::events(const Scope& scope) const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Json>> out;
  for (const auto& entry : entries_) {
    if (entry.scope == scope) out.push_back(entry.event);
  }
  return out;
}

std::unique_ptr<Service> make_trail(Trail& trail) { return std::make_unique<CloudTrail>(trail); }

}  // namespace slipway::cloud::trail
