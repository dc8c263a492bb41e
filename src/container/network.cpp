// SPDX-License-Identifier: Apache-2.0
#include "container/network.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <map>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "container/address_pool.hpp"
#include "container/bundle.hpp"
#include "container/leftovers.hpp"
#include "container/netlink.hpp"
#include "container/port_rules.hpp"
#include "formats/json.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::container {
namespace {

namespace fs = std::filesystem;
using formats::Json;

constexpr std::uint32_t kFirstHost = 2;  // .1 is the bridge

std::uint32_t network_order(std::uint32_t address) {
  if constexpr (std::endian::native == std::endian::big) return address;
  return address << 24U | (address << 8U & 0xFF0000U) | (address >> 8U & 0xFF00U) | address >> 24U;
}

// The same for the same address, as Docker does: neighbours remember it, and one that asks for an address taken over from a container
// that has gone would send to that one's for several seconds.
std::string hardware_address(std::uint32_t address) {
  std::string six = "\x02\x42";
  for (unsigned shift : {24U, 16U, 8U, 0U}) six += static_cast<char>(address >> shift & 255U);
  return six;
}

void set_sysctl(const std::string& name, const std::string& value) {
  os::Fd file = os::open_file("/proc/sys/net/ipv4/" + name, O_WRONLY);
  os::write_all(file.get(), value);
}

bool is_namespace(const fs::path& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

void apply_rules(const std::string& text) {
  auto said =
      os::capture({.argv = {"nft", "-f", "-"}}, {}, Deadline::in(std::chrono::seconds(20)), text);
  if (!said.exit.ok())
    fail(Fault::unavailable, "nft refused the rules of a container network: {}", trim(said.err));
}

constexpr const char* kForwardingMark = "/run/slipway/forwarding_was_off";

// Packets between a container and the outside are forwarded by the host: allowed while there is a network of any slipway.
void allow_forwarding() {
  if (trim(os::read_file("/proc/sys/net/ipv4/ip_forward")) == "1") return;
  os::make_dirs("/run/slipway");
  os::write_file(kForwardingMark, "");
  set_sysctl("ip_forward", "1");
}

// What a network's file holds.
struct Record {
  Range subnet;
  std::string bridge;
  bool is_restricted = false;                  // has a table of the bridge family
  std::string owner;                           // of a transient network: see owner_mark()
  std::map<std::string, std::uint32_t> hosts;  // endpoint -> its number in the subnet
  std::map<std::string, std::vector<PortForward>> published;
};

Json to_json(const PortForward& forward) {
  return Json::object({{"listen_address", forward.listen_address},
                       {"listen_port", forward.listen_port},
                       {"target_address", forward.target_address},
                       {"target_port", forward.target_port},
                       {"udp", forward.udp}});
}

PortForward forward_from(const Json& json) {
  return {json.get_string("listen_address"),
          static_cast<std::uint16_t>(json.get_int("listen_port")),
          json.get_string("target_address"),
          static_cast<std::uint16_t>(json.get_int("target_port")), json.get_bool("udp")};
}

Json to_json(const Record& record) {
  Json hosts = Json::object();
  for (const auto& [name, host] : record.hosts) hosts[name] = host;
  Json published = Json::object();
  for (const auto& [key, forwards] : record.published) {
    Json list = Json::array();
    for (const auto& forward : forwards) list.push_back(to_json(forward));
    published[key] = std::move(list);
  }
  return Json::object({{"subnet", to_string(record.subnet)},
                       {"bridge", record.bridge},
                       {"owner", record.owner},
                       {"restricted", record.is_restricted},
                       {"hosts", std::move(hosts)},
                       {"published", std::move(published)}});
}

Record record_from(const Json& json) {
  Record record{.subnet = parse_range(json.get_string("subnet")),
                .bridge = json.get_string("bridge"),
                .is_restricted = json.get_bool("restricted"),
                .owner = json.get_string("owner")};
  for (const auto& [name, host] : json.at("hosts").as_object())
    record.hosts[name] = static_cast<std::uint32_t>(host.as_int());
  for (const auto& [key, list] : json.at("published").as_object()) {
    for (const auto& item : list.as_array()) record.published[key].push_back(forward_from(item));
  }
  return record;
}

void check_name(const std::string& name) {
  auto is_plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  if (name.empty() || name.size() > 200 || name[0] == '.' ||
      !std::all_of(name.begin(), name.end(), is_plain)) {
    fail(Fault::bad_input,
         "'{}' is no name for a network or an endpoint: letters, digits, '_', '.' and '-' only",
         name);
  }
}

}  // namespace

void in_namespace(const fs::path& path, const std::function<void()>& work) {
  os::Fd there = os::open_file(path.string(), O_RDONLY);
  TaskGroup thread({});
  thread.start([&](const std::stop_token&) {
    if (::setns(there.get(), CLONE_NEWNET) != 0)
      os::throw_errno(fmt::format("entering '{}'", path.string()));
    work();
  });
  thread.join();
}

void share_ports(const fs::path& netns, const std::vector<SharedForward>& forwards) {
  in_namespace(netns, [&] { apply_rules(shared_table("slipway_shared", forwards)); });
}

std::set<std::uint16_t> listening_ports(const fs::path& netns) {
  std::set<std::uint16_t> ports;
  in_namespace(netns, [&] {
    for (const char* table : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
      auto text = os::read_file_if_exists(table).value_or("");
      for (auto line : lines_of(text)) {  // "  0: 0100007F:1F90 00000000:0000 0A ..."
        auto fields = split(trim(line), ' ');
        if (fields.size() < 4 || fields[3] != "0A") continue;
        auto local = std::string(fields[1]);
        ports.insert(static_cast<std::uint16_t>(
            std::stoul(local.substr(local.rfind(':') + 1), nullptr, 16)));
      }
    }
  });
  return ports;
}

void forbid_forwarding_again() {
  for (const auto& entry : fs::directory_iterator("/sys/class/net")) {
    auto name = entry.path().filename().string();
    if (name.starts_with("sw") && name.size() == 13 && name[8] == 'b')
      return;  // a bridge of another network
  }
  if (fs::remove(kForwardingMark)) set_sysctl("ip_forward", "0");
}

struct Network::Inside {
  NetworkOptions options;
  std::string prefix;  // of links and namespaces: "sw1a2b3c"
  std::string short_id;
  fs::path file;
  // As the file was when last read; bridge and subnet never change.
  Record opened;

  [[nodiscard]] os::FileLock lock() const {
    return os::FileLock::take(file.parent_path() / "lock");
  }
  [[nodiscard]] std::optional<Record> read() const {
    auto text = os::read_file_if_exists(file);
    return text ? std::optional(record_from(formats::parse_json(*text, file.string())))
                : std::nullopt;
  }
  [[nodiscard]] Record existing() const {
    auto record = read();
    if (!record) fail(Fault::not_found, "the network '{}' has been removed", options.name);
    return *record;
  }
  void write(const Record& record) const { os::write_file_durably(file, to_json(record).pretty()); }

  [[nodiscard]] std::string table(const Record& record) const {
    return fmt::format("slipway_{}_{:04x}", short_id, record.subnet.first >> 8U & 0xFFFFU);
  }
  [[nodiscard]] std::string memory(const Record& record) const { return table(record) + "_memory"; }
  [[nodiscard]] Endpoint endpoint(const Record& record, const std::string& name,
                                  std::uint32_t host) const {
    return {.name = name,
            .netns = fs::path("/run/netns") / fmt::format("{}-{}-{}", prefix, options.name, name),
            .address = address_text(record.subnet.first + host),
            .interface = fmt::format("{}v{:04x}", prefix, (record.subnet.first + host) & 0xFFFFU)};
  }

  // The lock for the whole machine keeps two state directories from taking the same range.
  [[nodiscard]] Record make() const {
    os::make_dirs("/run/slipway");
    auto machine = os::FileLock::take("/run/slipway/network.lock");
    auto taken = routed_ranges(os::read_file("/proc/net/route"));
    for (const auto& entry : fs::directory_iterator(file.parent_path())) {
      if (entry.path().extension() != ".json") continue;
      taken.push_back(
          record_from(formats::parse_json(os::read_file(entry.path()), entry.path().string()))
              .subnet);
    }
    auto seed = static_cast<std::uint32_t>(
        std::stoul(formats::sha256_hex(short_id + options.name).substr(0, 4), nullptr, 16));
    auto subnet = free_subnet(parse_range(options.range), taken, seed, options.bits);
    if (!subnet) fail(Fault::conflict, "no free /{} network in {}", options.bits, options.range);
    Record record{.subnet = *subnet,
                  .bridge = fmt::format("{}b{:04x}", prefix, subnet->first >> 8U & 0xFFFFU)};
    if (options.transient) record.owner = owner_mark();
    write(record);
    bring_up(record);
    return record;
  }

  void bring_up(const Record& record) const {
    Netlink netlink;
    if (!netlink.add_bridge(record.bridge)) return;
    // A bridge takes over its first port's hardware address unless it has one; a change would stall connections.
    std::string hardware = "\x02" + random_bytes(5);
    netlink.set_hardware_address(record.bridge, hardware);
    netlink.add_address(record.bridge, network_order(record.subnet.first + 1), record.subnet.bits);
    allow_forwarding();
    set_sysctl(fmt::format("conf/{}/route_localnet", record.bridge),
               "1");  // for ports published on 127.0.0.1
    apply_rules(
        network_table(table(record), record.bridge, to_string(record.subnet), record.published));
    try {
      apply_rules(memory_table(memory(record), record.bridge, to_string(record.subnet)));
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): an option that not every kernel has
    }
  }

  void make_namespace(const Endpoint& endpoint) const {
    os::make_dirs(endpoint.netns.parent_path());
    os::Fd mount_point = os::open_file(endpoint.netns.string(), O_RDONLY | O_CREAT, 0444);
    Netlink host;
    host.remove(endpoint.interface);  // what a reboot or a crash left half made
    TaskGroup thread({});
    thread.start([&](const std::stop_token&) {
      if (::unshare(CLONE_NEWNET) != 0) os::throw_errno("making a network namespace");
      os::Fd own = os::open_file("/proc/thread-self/ns/net", O_RDONLY);
      host.add_veth(endpoint.interface, opened.bridge, "eth0", own);
      Netlink inside;
      inside.set_up("lo");
      inside.set_hardware_address("eth0", hardware_address(*parse_address(endpoint.address)));
      inside.add_address("eth0", network_order(*parse_address(endpoint.address)),
                         opened.subnet.bits);
      inside.set_up("eth0");
      inside.add_default_route(network_order(opened.subnet.first + 1));
      set_sysctl("ip_unprivileged_port_start", "0");  // as Docker: port 80 without root
      set_sysctl("ping_group_range", "0 2147483647");
      set_sysctl("conf/all/route_localnet", "1");
      if (::mount("/proc/thread-self/ns/net", endpoint.netns.c_str(), nullptr, MS_BIND, nullptr) !=
          0) {
        os::throw_errno(fmt::format("keeping the network namespace '{}'", endpoint.netns.string()));
      }
    });
    thread.join();
  }

  static void remove_namespace(const Endpoint& endpoint) {
    Netlink().remove(endpoint.interface);
    ::umount2(endpoint.netns.c_str(), MNT_DETACH);
    ::unlink(endpoint.netns.c_str());
  }
};

void sweep_networks(const fs::path& state) {
  std::error_code error;
  std::vector<std::string> dead;
  for (const auto& entry : fs::directory_iterator(state / "network", error)) {
    if (entry.path().extension() != ".json") continue;
    auto text = os::read_file_if_exists(entry.path());  // another process may remove it just now
    if (!text) continue;
    auto record = record_from(formats::parse_json(*text, entry.path().string()));
    if (!record.owner.empty() && !is_owner_alive(record.owner))
      dead.push_back(entry.path().stem().string());
  }
  for (const auto& name : dead) Network({.state = state, .name = name}).remove();
}

Network::Network(const NetworkOptions& options) : inside_(std::make_unique<Inside>()) {
  check_name(options.name);
  if (auto range = parse_range(options.range);
      range.bits < 16 || range.bits > options.bits || options.bits < 20 || options.bits > 24) {
    fail(Fault::bad_input, "the range {} for container networks is not between a /16 and a /24",
         options.range);
  }
  Inside& in = *inside_;
  in.options = options;
  in.short_id = short_id(options.state);
  in.prefix = "sw" + in.short_id;
  in.file = options.state / "network" / (options.name + ".json");
  os::make_dirs(in.file.parent_path());
  while_doing(fmt::format("making the network '{}'", options.name), [&] {
    auto lock = in.lock();
    if (auto record = in.read()) {
      in.opened = *record;
      in.bring_up(in.opened);
    } else {
      in.opened = in.make();
    }
  });
}

Network::~Network() = default;

const std::string& Network::bridge() const { return inside_->opened.bridge; }
std::string Network::subnet() const { return to_string(inside_->opened.subnet); }
std::string Network::gateway() const { return address_text(inside_->opened.subnet.first + 1); }

Endpoint Network::attach(const std::string& name) {
  check_name(name);
  auto lock = inside_->lock();
  auto record = inside_->existing();
  auto found = record.hosts.find(name);
  if (found == record.hosts.end()) {
    std::uint32_t host = kFirstHost;
    auto is_taken = [&] {
      return std::any_of(record.hosts.begin(), record.hosts.end(),
                         [&](const auto& entry) { return entry.second == host; });
    };
    std::uint32_t last =
        (std::uint32_t{1} << (32U - static_cast<unsigned>(record.subnet.bits))) - 2;
    while (host <= last && is_taken()) ++host;
    if (host > last)
      fail(Fault::conflict, "no free address in the network '{}' ({})", inside_->options.name,
           subnet());
    found = record.hosts.emplace(name, host).first;
    inside_->write(record);
  }
  auto endpoint = inside_->endpoint(record, name, found->second);
  if (!is_namespace(endpoint.netns)) {
    while_doing(fmt::format("attaching '{}'", name), [&] { inside_->make_namespace(endpoint); });
  }
  return endpoint;
}

void Network::release(const std::string& name) {
  auto lock = inside_->lock();
  auto record = inside_->read();
  if (!record) return;
  auto found = record->hosts.find(name);
  if (found == record->hosts.end()) return;
  Inside::remove_namespace(inside_->endpoint(*record, name, found->second));
  record->hosts.erase(found);
  inside_->write(*record);
}

std::vector<Endpoint> Network::endpoints() const {
  std::vector<Endpoint> all;
  auto record = inside_->read();
  if (!record) return all;
  for (const auto& [name, host] : record->hosts)
    all.push_back(inside_->endpoint(*record, name, host));
  return all;
}

void Network::publish(const std::string& key, const std::vector<PortForward>& forwards,
                      const fs::path& netns) {
  check_name(key);
  if (!netns.empty()) {
    std::string table = "slipway_" + replace_all(replace_all(key, "-", "_"), ".", "_");
    in_namespace(netns, [&] { apply_rules(forward_table(table, forwards)); });
    return;
  }
  auto lock = inside_->lock();
  auto record = inside_->existing();
  record.published[key] = forwards;
  if (forwards.empty()) record.published.erase(key);
  apply_rules(network_table(inside_->table(record), record.bridge, subnet(), record.published));
  inside_->write(record);
}

void Network::unpublish(const std::string& key) { publish(key, {}); }

void Network::restrict(const BridgeFilter& filter) {
  auto lock = inside_->lock();
  auto record = inside_->existing();
  if (!record.is_restricted) {
    record.is_restricted = true;
    inside_->write(record);
  }
  apply_rules(bridge_filter_table(inside_->table(record), filter));
}

void Network::remove() {
  auto lock = inside_->lock();
  auto record = inside_->read();
  if (!record) return;
  for (const auto& [name, host] : record->hosts)
    Inside::remove_namespace(inside_->endpoint(*record, name, host));
  Netlink().remove(record->bridge);
  auto table = inside_->table(*record);
  for (const auto& name : {table, inside_->memory(*record)})
    apply_rules(fmt::format("table ip {0}\ndelete table ip {0}\n", name));
  if (record->is_restricted)
    apply_rules(fmt::format("table bridge {0}\ndelete table bridge {0}\n", table));
  forbid_forwarding_again();
  fs::remove(inside_->file);
}

}  // namespace slipway::container
