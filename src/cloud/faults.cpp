// SPDX-License-Identifier: Apache-2.0
#include "cloud/faults.hpp"

#include "formats/json.hpp"
#include "os/file.hpp"

namespace slipway::cloud {
namespace {

using formats::Json;

bool fits(const std::string& target, const std::string& service, const std::string& operation) {
  return target == "*" || target == service + ":*" || target == service + ":" + operation;
}

}  // namespace

std::vector<FaultRule> read_faults(const std::filesystem::path& file) {
  std::vector<FaultRule> rules;
  auto text = os::read_file_if_exists(file);
  if (!text) return rules;
  Json json = formats::parse_json(*text, file.string());
  for (const auto& item : json.get_array("faults")) {
    rules.push_back({item.get_string("target"), item.get_string("code"),
                     static_cast<int>(item.get_int("times")),
                     std::chrono::milliseconds(item.get_int("delay_ms"))});
  }
  return rules;
}

void write_faults(const std::filesystem::path& file, const std::vector<FaultRule>& rules) {
  Json list = Json::array();
  for (const auto& rule : rules) {
    list.push_back(Json::object({{"target", rule.target},
                                 {"code", rule.code},
                                 {"times", rule.times},
                                 {"delay_ms", static_cast<std::int64_t>(rule.delay.count())}}));
  }
  os::replace_file(file, Json::object({{"faults", list}}).pretty() + "\n");
}

void Faults::look() {
  std::error_code none;
  auto time = std::filesystem::last_write_time(file_, none);
  if (none) time = {};
  if (time == seen_) return;
  seen_ = time;
  rules_ = read_faults(file_);
  met_.clear();
}

std::optional<FaultRule> Faults::next(const std::string& service, const std::string& operation) {
  std::lock_guard lock(mutex_);
  look();
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!fits(rules_[i].target, service, operation)) continue;
    if (rules_[i].times > 0 && met_[i] >= rules_[i].times) continue;
    ++met_[i];
    return rules_[i];
  }
  return std::nullopt;
}

int fault_status(const std::string& code) {
  if (code.starts_with("ServiceUnavailable")) return 503;
  bool is_ours = code == "InternalFailure" || code.starts_with("InternalServ") ||
                 code == "ServerException" || code == "ServiceFailure" || code == "InternalError";
  return is_ours ? 500 : 400;
}

}  // namespace slipway::cloud
