// SPDX-License-Identifier: Apache-2.0
#include "cloud/status.hpp"

#include <fmt/format.h>

#include "formats/sqlite.hpp"

namespace slipway::cloud {
namespace {

using formats::Json;

// The member that tells what state a resource is in; services use AWS's names for it.
std::string state_of(const Json& body) {
  for (const auto* key : {"status", "lastStatus", "state", "State"}) {
    const auto* value = body.find(key);
    if (value != nullptr && value->is_string()) {
      auto reason = body.find("stoppedReason");
      return value->as_string() + (reason != nullptr && reason->is_string() ? ": " + reason->as_string() : "");
    }
  }
  return "";
}

}  // namespace

Json status_of(const std::filesystem::path& state_file) {
  auto database = formats::Database::open_read_only(state_file);
  auto rows = database.prepare("SELECT kind, account, region, id, body FROM document ORDER BY kind, account, region, id");
  Json list = Json::array({});
  while (rows.step()) {
    auto kind = rows.get_text(0);
    if (kind == "sts.root" || kind == "ec2.defaults") continue;
    auto body = formats::parse_json(rows.get_text(4), kind);
    list.push_back(Json::object({{"kind", kind}, {"scope", fmt::format("{}/{}", rows.get_text(1), rows.get_text(2))}, {"id", rows.get_text(3)}, {"state", state_of(body)}}));
  }
  return list;
}

}  // namespace slipway::cloud
