// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"
#include "container/spec.hpp"

namespace slipway::container {
namespace {

using formats::Json;

Json from_map(const std::map<std::string, std::string>& map) {
  Json out = Json::object();
  for (const auto& [name, value] : map) out[name] = value;
  return out;
}

std::map<std::string, std::string> to_map(const Json& json, std::string_view key) {
  std::map<std::string, std::string> out;
  if (const Json* found = json.find(key)) {
    for (const auto& [name, value] : found->as_object()) out[name] = value.as_string();
  }
  return out;
}

template <typename T>
Json from_list(const std::vector<T>& list) {
  Json out = Json::array();
  for (const auto& item : list) {
    if constexpr (std::is_same_v<T, std::filesystem::path>) {
      out.push_back(item.string());
    } else {
      out.push_back(item);
    }
  }
  return out;
}

template <typename T>
std::vector<T> to_list(const Json& json, std::string_view key) {
  std::vector<T> out;
  for (const auto& item : json.get_array(key)) {
    if constexpr (std::is_integral_v<T>) {
      out.push_back(static_cast<T>(item.as_int()));
    } else {
      out.emplace_back(item.as_string());
    }
  }
  return out;
}

void put(Json& json, std::string_view key, const std::optional<std::uint64_t>& value) {
  if (value) json[key] = *value;
}

std::optional<std::uint64_t> get(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found ? std::optional(static_cast<std::uint64_t>(found->as_int())) : std::nullopt;
}

void put(Json& json, std::string_view key, const std::optional<std::string>& value) {
  if (value) json[key] = *value;
}

std::optional<std::string> get_text(const Json& json, std::string_view key) {
  const Json* found = json.find(key);
  return found ? std::optional(found->as_string()) : std::nullopt;
}

Json limits_json(const Limits& limits) {
  Json out = Json::object();
  put(out, "memory_bytes", limits.memory_bytes);
  put(out, "memory_reservation_bytes", limits.memory_reservation_bytes);
  put(out, "cpu_shares", limits.cpu_shares);
  put(out, "cpu_thousandths", limits.cpu_thousandths);
  put(out, "pids", limits.pids);
  return out;
}

Json mount_json(const MountPoint& point) {
  return Json::object({{"kind", static_cast<int>(point.kind)},
                       {"source", point.source.string()},
                       {"target", point.target},
                       {"read_only", point.read_only},
                       {"size_bytes", point.size_bytes},
                       {"mode", point.mode},
                       {"upper", point.upper.string()},
                       {"work", point.work.string()}});
}

MountPoint mount_from(const Json& json) {
  return {.kind = static_cast<MountPoint::Kind>(json.get_int("kind")),
          .source = json.get_string("source"),
          .target = json.get_string("target"),
          .read_only = json.get_bool("read_only"),
          .size_bytes = static_cast<std::uint64_t>(json.get_int("size_bytes")),
          .mode = static_cast<unsigned>(json.get_int("mode")),
          .upper = json.get_string("upper"),
          .work = json.get_string("work")};
}

Json rootfs_json(const Rootfs& rootfs) {
  return Json::object({{"lower", from_list(rootfs.lower)},
                       {"upper", rootfs.upper.string()},
                       {"work", rootfs.work.string()},
                       {"directory", rootfs.directory.string()},
                       {"read_only", rootfs.read_only},
                       {"discard", rootfs.discard}});
}

Rootfs rootfs_from(const Json& json) {
  return {.lower = to_list<std::filesystem::path>(json, "lower"),
          .upper = json.get_string("upper"),
          .work = json.get_string("work"),
          .directory = json.get_string("directory"),
          .read_only = json.get_bool("read_only"),
          .discard = json.get_bool("discard")};
}

Json security_json(const Security& security) {
  return Json::object({{"add", from_list(security.add_capabilities)},
                       {"drop", from_list(security.drop_capabilities)},
                       {"no_new_privileges", security.no_new_privileges},
                       {"seccomp", security.seccomp},
                       {"masked_paths", security.masked_paths}});
}

}  // namespace

Json to_json(const ContainerSpec& spec) {
  Json mounts = Json::array();
  for (const auto& point : spec.mounts) mounts.push_back(mount_json(point));
  Json ulimits = Json::array();
  for (const auto& limit : spec.ulimits) {
    ulimits.push_back(
        Json::object({{"name", limit.name}, {"soft", limit.soft}, {"hard", limit.hard}}));
  }
  Json out = Json::object({{"id", spec.id},
                           {"rootfs", rootfs_json(spec.rootfs)},
                           {"argv", from_list(spec.argv)},
                           {"env", from_map(spec.env)},
                           {"cwd", spec.cwd},
                           {"user", Json::object({{"uid", spec.user.uid},
                                                  {"gid", spec.user.gid},
                                                  {"groups", from_list(spec.user.groups)}})},
                           {"mounts", std::move(mounts)},
                           {"hostname", spec.hostname},
                           {"network", Json::object({{"kind", static_cast<int>(spec.network.kind)},
                                                     {"path", spec.network.path.string()}})},
                           {"limits", limits_json(spec.limits)},
                           {"ulimits", std::move(ulimits)},
                           {"security", security_json(spec.security)},
                           {"shm_bytes", spec.shm_bytes},
                           {"sysctls", from_map(spec.sysctls)},
                           {"annotations", from_map(spec.annotations)}});
  put(out, "resolv_conf", spec.resolv_conf);
  put(out, "hosts", spec.hosts);
  return out;
}

ContainerSpec spec_from_json(const Json& json) {
  const Json& user = json.at("user");
  const Json& network = json.at("network");
  const Json& limits = json.at("limits");
  const Json& security = json.at("security");
  ContainerSpec spec{.id = json.get_string("id"),
                     .rootfs = rootfs_from(json.at("rootfs")),
                     .argv = to_list<std::string>(json, "argv"),
                     .env = to_map(json, "env"),
                     .cwd = json.get_string("cwd"),
                     .user = {.uid = static_cast<std::uint32_t>(user.get_int("uid")),
                              .gid = static_cast<std::uint32_t>(user.get_int("gid")),
                              .groups = to_list<std::uint32_t>(user, "groups")},
                     .hostname = json.get_string("hostname"),
                     .resolv_conf = get_text(json, "resolv_conf"),
                     .hosts = get_text(json, "hosts"),
                     .network = {.kind = static_cast<NetworkChoice::Kind>(network.get_int("kind")),
                                 .path = network.get_string("path")},
                     .limits = {.memory_bytes = get(limits, "memory_bytes"),
                                .memory_reservation_bytes = get(limits, "memory_reservation_bytes"),
                                .cpu_shares = get(limits, "cpu_shares"),
                                .cpu_thousandths = get(limits, "cpu_thousandths"),
                                .pids = get(limits, "pids")},
                     .security = {.add_capabilities = to_list<std::string>(security, "add"),
                                  .drop_capabilities = to_list<std::string>(security, "drop"),
                                  .no_new_privileges = security.get_bool("no_new_privileges"),
                                  .seccomp = security.get_bool("seccomp", true),
                                  .masked_paths = security.get_bool("masked_paths", true)},
                     .shm_bytes = static_cast<std::uint64_t>(json.get_int("shm_bytes")),
                     .sysctls = to_map(json, "sysctls"),
                     .annotations = to_map(json, "annotations")};
  for (const auto& point : json.get_array("mounts")) spec.mounts.push_back(mount_from(point));
  for (const auto& limit : json.get_array("ulimits")) {
    spec.ulimits.push_back({limit.get_string("name"),
                            static_cast<std::uint64_t>(limit.get_int("soft")),
                            static_cast<std::uint64_t>(limit.get_int("hard"))});
  }
  return spec;
}

}  // namespace slipway::container
