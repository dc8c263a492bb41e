// SPDX-License-Identifier: Apache-2.0
#include "container/spec.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace slipway;
using namespace slipway::container;

namespace {

ContainerSpec plain() {
  return {.id = "web-1",
          .rootfs = {.directory = "/srv/root"},
          .argv = {"/bin/app", "--port", "80"},
          .env = {{"A", "b"}}};
}

const formats::Json* mount_at(const formats::Json& config, const std::string& target) {
  for (const auto& mount : config.at("mounts").as_array()) {
    if (mount.get_string("destination") == target) return &mount;
  }
  return nullptr;
}

bool has(const formats::Json& list, const std::string& value) {
  for (const auto& item : list.as_array()) {
    if (item.as_string() == value) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a plain spec becomes a configuration with Docker's defaults") {
  auto config = to_oci_config(plain(), "/slipway/abc/web-1", "/bundle/rootfs");
  CHECK(config.at("process").at("args").at(1).as_string() == "--port");
  CHECK(config.at("process").at("env").at(0).as_string() == "A=b");
  CHECK(config.at("root").get_string("path") == "/bundle/rootfs");
  CHECK(config.get_string("hostname") == "web-1");
  CHECK(config.at("linux").get_string("cgroupsPath") == "/slipway/abc/web-1");
  const auto& bounding = config.at("process").at("capabilities").at("bounding");
  CHECK(bounding.size() == 14);
  CHECK(has(bounding, "CAP_MKNOD"));
  CHECK_FALSE(has(bounding, "CAP_SYS_ADMIN"));
  CHECK(has(config.at("linux").at("maskedPaths"), "/proc/kcore"));
  CHECK(mount_at(config, "/proc") != nullptr);
  CHECK(has(mount_at(config, "/sys")->at("options"), "ro"));
}

TEST_CASE("without a cgroup there are no device nodes to be made, no limits and no cgroup mount") {
  auto config = to_oci_config(plain(), "", "/r");
  CHECK_FALSE(has(config.at("process").at("capabilities").at("bounding"), "CAP_MKNOD"));
  CHECK(config.at("linux").find("resources") == nullptr);
  CHECK(mount_at(config, "/sys/fs/cgroup") == nullptr);
}

TEST_CASE("another user than root starts with no capability in effect") {
  auto spec = plain();
  spec.user = {.uid = 1000, .gid = 1000, .groups = {27}};
  auto config = to_oci_config(spec, "", "/r");
  CHECK(config.at("process").at("capabilities").at("effective").empty());
  CHECK(config.at("process").at("user").at("additionalGids").at(0).as_int() == 27);
}

TEST_CASE("limits become what cgroups understand") {
  auto spec = plain();
  spec.limits = {.memory_bytes = 64ULL << 20, .cpu_shares = 1, .cpu_thousandths = 250, .pids = 50};
  auto resources = to_oci_config(spec, "/c", "/r").at("linux").at("resources");
  CHECK(resources.at("memory").get_int("limit") == 64 << 20);
  CHECK(resources.at("cpu").get_int("shares") == 2);
  CHECK(resources.at("cpu").get_int("quota") == 25000);
  CHECK(resources.at("pids").get_int("limit") == 50);
}

TEST_CASE("the network namespace is none of its own, the host's or a given one") {
  auto spec = plain();
  auto count = [&] { return to_oci_config(spec, "", "/r").at("linux").at("namespaces").size(); };
  CHECK(count() == 5);
  spec.network = {.kind = NetworkChoice::Kind::host};
  CHECK(count() == 4);
  spec.network = {.kind = NetworkChoice::Kind::joined, .path = "/run/netns/x"};
  CHECK(to_oci_config(spec, "", "/r").at("linux").at("namespaces").at(4).get_string("path") ==
        "/run/netns/x");
}

TEST_CASE("capabilities are taken in any spelling, and unknown ones are refused by name") {
  auto spec = plain();
  spec.security = {.add_capabilities = {"net_admin"}, .drop_capabilities = {"ALL"}};
  auto bounding = to_oci_config(spec, "/c", "/r").at("process").at("capabilities").at("bounding");
  CHECK(bounding == formats::Json::array({"CAP_NET_ADMIN"}));
  spec.security.add_capabilities = {"FLY"};
  CHECK_THROWS_WITH(to_oci_config(spec, "/c", "/r"), "no capability 'FLY'");
}

TEST_CASE("what cannot be right is refused with the field's name") {
  auto refused = [](auto change) {
    auto spec = plain();
    change(spec);
    try {
      to_oci_config(spec, "/c", "/r");
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::bad_input);
      return std::string(error.what());
    }
    return std::string("taken");
  };
  CHECK(refused([](auto& spec) { spec.id = "../x"; }).find("'../x'") != std::string::npos);
  CHECK(refused([](auto& spec) { spec.argv.clear(); }).find("no command") != std::string::npos);
  CHECK(refused([](auto& spec) { spec.cwd = "app"; }).find("'app'") != std::string::npos);
  CHECK(refused([](auto& spec) { spec.ulimits = {{"nofiles", 1, 1}}; }) == "no ulimit 'nofiles'");
  CHECK(refused([](auto& spec) {
          spec.ulimits = {{"nofile", 2, 1}};
        }).find("above") != std::string::npos);
  CHECK(refused([](auto& spec) { spec.mounts = {{.source = "/a", .target = "b"}}; }).find("'b'") !=
        std::string::npos);
  CHECK(refused([](auto& spec) { spec.limits.memory_bytes = 1000; }).find("too small") !=
        std::string::npos);
}

TEST_CASE("system calls that a capability stands for are refused only without it") {
  auto text = [](const std::vector<std::string>& allowed) {
    return default_seccomp(allowed).dump();
  };
  CHECK(text({}).find("\"mount\"") != std::string::npos);
  CHECK(text({"CAP_SYS_ADMIN"}).find("\"mount\"") == std::string::npos);
  CHECK(text({"CAP_SYS_ADMIN"}).find("\"keyctl\"") != std::string::npos);
  auto spec = plain();
  spec.security.seccomp = false;
  CHECK(to_oci_config(spec, "/c", "/r").at("linux").find("seccomp") == nullptr);
}

TEST_CASE("a spec survives being written and read") {
  auto spec = plain();
  spec.rootfs = {.lower = {"/l/2", "/l/1"}, .upper = "/u", .work = "/w", .read_only = true};
  spec.user = {5, 6, {7, 8}};
  spec.mounts = {
      {.source = "/a", .target = "/b", .read_only = true},
      {.kind = MountPoint::Kind::tmpfs, .target = "/t", .size_bytes = 4096, .mode = 0700}};
  spec.resolv_conf = "nameserver 10.0.0.1\n";
  spec.network = {.kind = NetworkChoice::Kind::joined, .path = "/run/netns/x"};
  spec.limits.memory_bytes = 1ULL << 33;
  spec.ulimits = {{"nofile", 10, 20}};
  spec.security = {
      .add_capabilities = {"CAP_BPF"}, .no_new_privileges = true, .masked_paths = false};
  spec.sysctls = {{"net.ipv4.ip_unprivileged_port_start", "0"}};
  spec.annotations = {{"task", "1"}};
  auto again = spec_from_json(formats::parse_json(to_json(spec).dump()));
  CHECK(to_json(again) == to_json(spec));
  CHECK(again.mounts == spec.mounts);
  CHECK(again.user == spec.user);
  CHECK(again.limits == spec.limits);
  CHECK_FALSE(again.hosts.has_value());
}
