// SPDX-License-Identifier: Apache-2.0
#include "cli/run_settings.hpp"

#include <algorithm>
#include <span>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "workflow/env_file.hpp"

namespace slipway::cli {
namespace {

using workflow::RunSettings;

template <typename Map>
void take_strings(const formats::Json& json, std::string_view key, Map& into) {
  const auto* members = json.find(key);
  if (!members || members->is_null()) return;
  for (const auto& [name, value] : members->as_object()) into[name] = value.as_string();
}

std::vector<std::string> names_of(const formats::Json& json, std::string_view key) {
  std::vector<std::string> names;
  for (const auto& name : json.get_array(key)) names.push_back(name.as_string());
  return names;
}

// What is mistyped would protect nothing.
void refuse_unknown(const formats::Json& json, std::span<const std::string_view> known,
                    std::string_view place) {
  for (const auto& [key, value] : json.as_object()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(Fault::bad_input, "{} the unknown key '{}'; known are {}", place, key,
           fmt::join(known, ", "));
  }
}

constexpr std::string_view kTopKeys[] = {"secrets", "vars", "environments"};
constexpr std::string_view kEnvironmentKeys[] = {
    "secrets", "vars", "reviewers", "branches", "tags", "wait_timer", "prevent_self_review"};

void take_protection(const formats::Json& json, workflow::Protection& protection) {
  protection.reviewers = names_of(json, "reviewers");
  protection.branches = names_of(json, "branches");
  protection.tags = names_of(json, "tags");
  protection.wait_minutes = json.get_int("wait_timer");
  protection.prevent_self_review = json.get_bool("prevent_self_review");
  constexpr std::int64_t kLongestWait = 43'200;  // minutes: 30 days, as GitHub has it
  if (protection.wait_minutes < 0 || protection.wait_minutes > kLongestWait)
    fail(Fault::bad_input, "wait_timer is a number of minutes up to {}", kLongestWait);
}

void take_file(const std::filesystem::path& path, RunSettings& settings) {
  auto text = os::read_file_if_exists(path);
  if (!text) return;
  while_doing(path.string(), [&] {
    auto json = formats::parse_json(*text, path.string());
    refuse_unknown(json, kTopKeys, "there is");
    take_strings(json, "secrets", settings.secrets);
    take_strings(json, "vars", settings.vars);
    const auto* environments = json.find("environments");
    if (!environments || environments->is_null()) return;
    for (const auto& [name, value] : environments->as_object()) {
      auto& environment = settings.environments[name];
      take_strings(value, "secrets", environment.secrets);
      take_strings(value, "vars", environment.vars);
      refuse_unknown(value, kEnvironmentKeys, fmt::format("environment '{}' has", name));
      take_protection(value, environment.protection);
    }
  });
}

// K=V lines, K<<END blocks, '#' comments; quotes around a whole value go.
void take_secret_file(const std::string& path, RunSettings& settings) {
  std::string kept;
  for (auto line : lines_of(os::read_file(path))) {
    if (!trim(line).starts_with('#')) kept += std::string(line) + "\n";
  }
  auto file = workflow::parse_env_file(kept);
  if (file.problem) fail(Fault::bad_input, "{}: {}", path, *file.problem);
  for (const auto& [name, value] : file.entries) {
    bool quoted = value.size() > 1 && (value.front() == '"' || value.front() == '\'') &&
                  value.back() == value.front();
    settings.secrets[std::string(trim(name))] = quoted ? value.substr(1, value.size() - 2) : value;
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> read_pairs(const std::vector<std::string>& values,
                                                            const std::string& option) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& value : values) {
    auto equals = value.find('=');
    if (equals == std::string::npos || equals == 0)
      fail(Fault::bad_input, "{} takes K=V, not '{}'", option, value);
    pairs.emplace_back(value.substr(0, equals), value.substr(equals + 1));
  }
  return pairs;
}

RunSettings read_run_settings(const Invocation& given, const std::filesystem::path& state) {
  RunSettings settings;
  take_file(state / "settings.json", settings);
  for (const auto& path : given.values("--secret-file")) take_secret_file(path, settings);
  auto environment = os::environment();
  for (const auto& value : given.values("--secret")) {
    if (value.find('=') != std::string::npos) continue;
    auto found = environment.find(value);
    if (found == environment.end())
      fail(Fault::bad_input, "--secret {}: the environment has no such variable; give it as K=V",
           value);
    settings.secrets[value] = found->second;
  }
  for (const auto& value : given.values("--secret")) {
    auto equals = value.find('=');
    if (equals != std::string::npos)
      settings.secrets[value.substr(0, equals)] = value.substr(equals + 1);
  }
  for (const auto& [name, value] : read_pairs(given.values("--var"), "--var"))
    settings.vars[name] = value;
  for (const auto& [name, value] : read_pairs(given.values("--env"), "--env"))
    settings.env[name] = value;
  return settings;
}

}  // namespace slipway::cli
