// SPDX-License-Identifier: Apache-2.0
#include "cloud/status.hpp"

#include <fmt/format.h>

#include "formats/sqlite.hpp"

namespace slipway::cloud {
namespace {

using formats::Json;

std::string with_reason(std::string state, const std::string& reason) {
  return reason.empty() ? state : state + ": " + reason;
}

// What a service is at: its newest deployment's state, and the last thing that happened.
std::string service_state(const Json& body) {
  std::string text =
      fmt::format("{}, {} wanted", body.get_string("status"), body.get_int("desired"));
  if (const auto& deployments = body.get_array("deployments"); !deployments.empty())
    text += ", " + deployments.front().get_string("reason");
  const auto& events = body.get_array("events");
  return events.empty() ? text : text + " Last: " + events.front().get_string("message");
}

// The state that a resource is in, and why when that is known; services use AWS's names for it.
std::string state_of(const std::string& kind, const Json& body) {
  if (!body.is_object()) return "";
  if (kind == "ecs.service") return service_state(body);
  for (const auto* key : {"status", "lastStatus", "state", "State"}) {
    const auto* value = body.find(key);
    if (value == nullptr || !value->is_string()) continue;
    for (const auto* reason : {"stoppedReason", "description"}) {
      if (auto text = body.get_string(reason); !text.empty())
        return with_reason(value->as_string(), text);
    }
    return value->as_string();
  }
  return "";
}

}  // namespace

Json status_of(const std::filesystem::path& state_file) {
  auto database = formats::Database::open_read_only(state_file);
  auto rows = database.prepare(
      "SELECT kind, account, region, id, body FROM document ORDER BY kind, account, region, id");
  Json list = Json::array({});
  while (rows.step()) {
    auto kind = rows.get_text(0);
    if (kind == "sts.root" || kind == "ec2.defaults") continue;
    auto body = formats::parse_json(rows.get_text(4), kind);
    list.push_back(
        Json::object({{"kind", kind},
                      {"scope", fmt::format("{}/{}", rows.get_text(1), rows.get_text(2))},
                      {"id", rows.get_text(3)},
                      {"state", state_of(kind, body)}}));
  }
  return list;
}

}  // namespace slipway::cloud
