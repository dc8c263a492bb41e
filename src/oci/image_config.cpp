// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "formats/json.hpp"
#include "oci/manifest.hpp"

namespace slipway::oci {
namespace {

using formats::Json;

template <typename Read>
auto in_field(std::string_view name, Read&& read) {
  return while_doing(fmt::format("'{}'", name), std::forward<Read>(read));
}

std::vector<std::string> strings(const Json& json) {
  std::vector<std::string> list;
  for (const Json& item : json.as_array()) list.push_back(item.as_string());
  return list;
}

// Absent and null are nothing; also an empty list is something (ENTRYPOINT []).
std::optional<std::vector<std::string>> list_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  if (!value || value->is_null()) return std::nullopt;
  return in_field(key, [&] { return strings(*value); });
}

// A set is written as an object of empty objects.
std::vector<std::string> set_of(const Json& json, std::string_view key) {
  std::vector<std::string> names;
  const Json* value = json.find(key);
  if (!value || value->is_null()) return names;
  in_field(key, [&] {
    for (const auto& [name, unused] : value->as_object()) names.push_back(name);
  });
  std::sort(names.begin(), names.end());
  return names;
}

Healthcheck healthcheck_from(const Json& json) {
  Healthcheck check;
  check.test = list_of(json, "Test").value_or(std::vector<std::string>{});
  check.interval_ns = json.get_int("Interval");
  check.timeout_ns = json.get_int("Timeout");
  check.start_period_ns = json.get_int("StartPeriod");
  check.start_interval_ns = json.get_int("StartInterval");
  std::int64_t retries = json.get_int("Retries");
  check.retries = retries < 0 || retries > 1'000'000 ? 0 : static_cast<int>(retries);
  return check;
}

RunConfig run_config_from(const Json& json) {
  RunConfig config;
  config.user = json.get_string("User");
  config.exposed_ports = set_of(json, "ExposedPorts");
  config.env = list_of(json, "Env").value_or(std::vector<std::string>{});
  config.entrypoint = list_of(json, "Entrypoint");
  config.cmd = list_of(json, "Cmd");
  config.volumes = set_of(json, "Volumes");
  config.working_dir = json.get_string("WorkingDir");
  if (const Json* labels = json.find("Labels"); labels && !labels->is_null()) {
    in_field("Labels", [&] {
      for (const auto& [name, text] : labels->as_object()) config.labels[name] = text.as_string();
    });
  }
  config.stop_signal = json.get_string("StopSignal");
  if (const Json* check = json.find("Healthcheck"); check && check->is_object()) {
    config.healthcheck = in_field("Healthcheck", [&] { return healthcheck_from(*check); });
  }
  config.shell = list_of(json, "Shell").value_or(std::vector<std::string>{});
  config.on_build = list_of(json, "OnBuild").value_or(std::vector<std::string>{});
  return config;
}

History history_from(const Json& json) {
  History history;
  history.created = json.get_string("created");
  history.created_by = json.get_string("created_by");
  history.author = json.get_string("author");
  history.comment = json.get_string("comment");
  history.empty_layer = json.get_bool("empty_layer");
  return history;
}

Json json_of(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& item : list) json.push_back(item);
  return json;
}

Json json_of_set(const std::vector<std::string>& names) {
  Json json = Json::object();
  for (const std::string& name : names) json[name] = Json::object();
  return json;
}

void put(Json& json, std::string_view key, const std::string& text) {
  if (!text.empty()) json[key] = text;
}
void put(Json& json, std::string_view key, std::int64_t number) {
  if (number != 0) json[key] = number;
}

Json json_of(const Healthcheck& check) {
  Json json = Json::object({{"Test", json_of(check.test)}});
  put(json, "Interval", check.interval_ns);
  put(json, "Timeout", check.timeout_ns);
  put(json, "StartPeriod", check.start_period_ns);
  put(json, "StartInterval", check.start_interval_ns);
  put(json, "Retries", static_cast<std::int64_t>(check.retries));
  return json;
}

Json json_of(const RunConfig& config) {
  Json json = Json::object();
  put(json, "User", config.user);
  if (!config.exposed_ports.empty()) json["ExposedPorts"] = json_of_set(config.exposed_ports);
  if (!config.env.empty()) json["Env"] = json_of(config.env);
  if (config.entrypoint) json["Entrypoint"] = json_of(*config.entrypoint);
  if (config.cmd) json["Cmd"] = json_of(*config.cmd);
  if (!config.volumes.empty()) json["Volumes"] = json_of_set(config.volumes);
  put(json, "WorkingDir", config.working_dir);
  if (!config.labels.empty()) {
    json["Labels"] = Json::object();
    for (const auto& [name, text] : config.labels) json["Labels"][name] = text;
  }
  put(json, "StopSignal", config.stop_signal);
  if (config.healthcheck) json["Healthcheck"] = json_of(*config.healthcheck);
  if (!config.shell.empty()) json["Shell"] = json_of(config.shell);
  if (!config.on_build.empty()) json["OnBuild"] = json_of(config.on_build);
  return json;
}

Json json_of(const History& history) {
  Json json = Json::object();
  put(json, "created", history.created);
  put(json, "created_by", history.created_by);
  put(json, "author", history.author);
  put(json, "comment", history.comment);
  if (history.empty_layer) json["empty_layer"] = true;
  return json;
}

}  // namespace

ImageConfig parse_image_config(std::string_view bytes) {
  Json json = formats::parse_json(bytes);
  if (!json.is_object())
    fail(Fault::bad_input, "an image configuration must be an object, not {}", json.kind_name());
  ImageConfig image;
  image.platform.os = json.get_string("os");
  image.platform.architecture = json.get_string("architecture");
  image.platform.variant = json.get_string("variant");
  image.platform.os_version = json.get_string("os.version");
  image.created = json.get_string("created");
  image.author = json.get_string("author");
  if (const Json* config = json.find("config"); config && config->is_object()) {
    image.config = in_field("config", [&] { return run_config_from(*config); });
  }
  in_field("rootfs", [&] {
    const Json& rootfs = json.at("rootfs");
    if (rootfs.get_string("type") != "layers") fail(Fault::bad_input, "'type' must be \"layers\"");
    for (const Json& id : rootfs.get_array("diff_ids"))
      image.diff_ids.push_back(Digest::parse(id.as_string()));
  });
  in_field("history", [&] {
    for (const Json& item : json.get_array("history")) image.history.push_back(history_from(item));
  });
  return image;
}

std::string print(const ImageConfig& image) {
  Json json = Json::object();
  put(json, "created", image.created);
  put(json, "author", image.author);
  json["architecture"] = image.platform.architecture;
  put(json, "variant", image.platform.variant);
  json["os"] = image.platform.os;
  put(json, "os.version", image.platform.os_version);
  json["config"] = json_of(image.config);
  Json diff_ids = Json::array();
  for (const Digest& id : image.diff_ids) diff_ids.push_back(id.str());
  json["rootfs"] = Json::object({{"type", "layers"}, {"diff_ids", std::move(diff_ids)}});
  if (!image.history.empty()) {
    json["history"] = Json::array();
    for (const History& entry : image.history) json["history"].push_back(json_of(entry));
  }
  return json.dump();
}

}  // namespace slipway::oci
