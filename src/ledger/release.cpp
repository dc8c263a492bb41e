// SPDX-License-Identifier: Apache-2.0
#include "ledger/release.hpp"

namespace slipway::ledger {
namespace {

using formats::Json;

constexpr std::array<std::pair<Verdict, std::string_view>, 6> kNames = {
    {{Verdict::running, "running"},
     {Verdict::succeeded, "succeeded"},
     {Verdict::failed, "failed"},
     {Verdict::rolled_back, "rolled back"},
     {Verdict::unknown, "unknown"},
     {Verdict::lost, "lost"}}};

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
    images.push_back(
        {item.get_string("container"), item.get_string("reference"), item.get_string("digest")});
  }
  return images;
}

namespace {

Json secrets_to_json(const std::vector<SecretVersion>& secrets) {
  Json list = Json::array();
  for (const auto& secret : secrets) {
    Json item = Json::object({{"valueFrom", secret.value_from}});
    put(item, "version", secret.version);
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

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
  if (!release.secrets.empty()) out["secrets"] = secrets_to_json(release.secrets);
  put(out, "taskDefinition", release.task_definition);
  put(out, "previousTaskDefinition", release.previous_task_definition);
  put(out, "deployment", release.deployment);
  put(out, "who", release.who);
  if (release.started != formats::Time{}) out["started"] = formats::iso8601_millis(release.started);
  if (release.ended) out["ended"] = formats::iso8601_millis(*release.ended);
  out["verdict"] = name_of(release.verdict);
  put(out, "reason", release.reason);
  if (!release.causes.is_null()) out["causes"] = release.causes;
  if (release.ended) out["tookMs"] = (*release.ended - release.started).count();
  put(out, "changes", release.changes);
  put(out, "traceParent", release.trace_parent);
  if (release.epoch != 0) out["epoch"] = release.epoch;
  put(out, "process", release.process);
  if (release.is_issued) out["issued"] = true;
  if (release.is_settled) out["settled"] = true;
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
  for (const auto& secret : json.get_array("secrets"))
    release.secrets.push_back({secret.get_string("valueFrom"), secret.get_string("version")});
  release.task_definition = json.get_string("taskDefinition");
  release.previous_task_definition = json.get_string("previousTaskDefinition");
  release.deployment = json.get_string("deployment");
  release.who = json.get_string("who");
  if (auto started = formats::parse_iso8601(json.get_string("started"))) release.started = *started;
  if (json.contains("ended")) release.ended = formats::parse_iso8601(json.get_string("ended"));
  release.verdict = verdict_named(json.get_string("verdict")).value_or(Verdict::unknown);
  release.reason = json.get_string("reason");
  if (const Json* causes = json.find("causes")) release.causes = *causes;
  release.changes = json.get_string("changes");
  release.trace_parent = json.get_string("traceParent");
  release.epoch = json.get_int("epoch");
  release.process = json.get_string("process");
  release.is_issued = json.get_bool("issued");
  release.is_settled = json.get_bool("settled");
  return release;
}

void apply_entry(Release& release, std::int64_t number, const std::string& kind, const Json& body) {
  if (kind == "release.begun") {
    release = release_from_json(body);
    release.id = number;
  } else if (kind == "release.registered") {
    release.task_definition = body.get_string("taskDefinition");
  } else if (kind == "release.issuing") {
    release.is_issued = true;
  } else if (kind == "release.accepted") {
    release.deployment = body.get_string("deployment");
    if (const Json* images = body.find("images")) release.images = images_from_json(*images);
  } else if (kind == "release.ended") {
    release.is_settled =
        release.ended && (release.verdict == Verdict::lost || release.verdict == Verdict::unknown);
    release.verdict = verdict_named(body.get_string("verdict")).value_or(Verdict::unknown);
    release.reason = body.get_string("reason");
    release.ended = formats::parse_iso8601(body.get_string("ended"));
    if (const Json* causes = body.find("causes")) release.causes = *causes;
  }
}

}  // namespace slipway::ledger
