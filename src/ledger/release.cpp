// SPDX-License-Identifier: Apache-2.0
#include "ledger/release.hpp"

namespace slipway::ledger {
namespace {

using formats::Json;

constexpr std::array<std::pair<Verdict, std::string_view>, 5> kNames = {{{Verdict::running, "running"},
                                                                         {Verdict::succeeded, "succeeded"},
                                                                         {Verdict::failed, "failed"},
                                                                         {Verdict::rolled_back, "rolled back"},
                                                                         {Verdict::unknown, "unknown"}}};

void put(Json& into, std::string_view key, const std::string& value) {
  if (!value.empty()) into[key] = value;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  for (const auto& [value, name] : kNames) {
    if (value == verdict) return name;
  }
  return "unknown";
}

std::optional<Verdict> verdict_named(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

Json images_to_json(const std::vector<ReleasedImage>& images) {
  Json list = Json::array();
  for (const auto& image : images) {
    Json item = Json::object({{"container", image.container}, {"reference", image.reference}});
    put(item, "digest", image.digest);
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<ReleasedImage> images_from_json(const Json& list) {
  std::vector<ReleasedImage> images;
  if (!list.is_array()) return images;
  for (const auto& item : list.as_array()) {
    images.push_back({item.get_string("container"), item.get_string("reference"), item.get_string("digest")});
  }
  return images;
}

Json to_json(const Release& release) {
  Json out = Json::object();
  if (release.id != 0) out["id"] = release.id;
  put(out, "environment", release.environment);
  put(out, "cluster", release.cluster);
  put(out, "service", release.service);
  put(out, "region", release.region);
  put(out, "cause", release.cause);
  put(out, "sha", release.sha);
  put(out, "run", release.run_id);
  put(out, "tests", release.test_verdict);
  if (!release.images.empty()) out["images"] = images_to_json(release.images);
  put(out, "taskDefinition", release.task_definition);
  put(out, "previousTaskDefinition", release.previous_task_definition);
  put(out, "deployment", release.deployment);
  put(out, "who", release.who);
  if (release.started != formats::Time{}) out["started"] = formats::iso8601_millis(release.started);
  if (release.ended) out["ended"] = formats::iso8601_millis(*release.ended);
  out["verdict"] = name_of(release.verdict);
  put(out, "reason", release.reason);
  return out;
}

Release release_from_json(const Json& json) {
  Release release;
  release.id = json.get_int("id");
  release.environment = json.get_string("environment");
  release.cluster = json.get_string("cluster");
  release.service = json.get_string("service");
  release.region = json.get_string("region");
  release.cause = json.get_string("cause", "deploy");
  release.sha = json.get_string("sha");
  release.run_id = json.get_string("run");
  release.test_verdict = json.get_string("tests");
  if (const Json* images = json.find("images")) release.images = images_from_json(*images);
  release.task_definition = json.get_string("taskDefinition");
  release.previous_task_definition = json.get_string("previousTaskDefinition");
  release.deployment = json.get_string("deployment");
  release.who = json.get_string("who");
  if (auto started = formats::parse_iso8601(json.get_string("started"))) release.started = *started;
  if (json.contains("ended")) release.ended = formats::parse_iso8601(json.get_string("ended"));
  release.verdict = verdict_named(json.get_string("verdict")).value_or(Verdict::unknown);
  release.reason = json.get_string("reason");
  return release;
}

}  // namespace slipway::ledger
