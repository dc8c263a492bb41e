// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "container/bridge_filter.hpp"

namespace slipway::container {

/// A network namespace with an address on a Network.
struct Endpoint {
  std::string name;             ///< as given to attach()
  std::filesystem::path netns;  ///< for NetworkChoice::path
  std::string address;          ///< IPv4, dotted
  std::string interface;        ///< the host's end of the veth pair
};

/// A way to a port: connections to `listen_address:listen_port` reach `target_address:target_port`.
struct PortForward {
  std::string listen_address;  ///< "0.0.0.0": every address of the namespace; "127.0.0.1" works too
  std::uint16_t listen_port = 0;
  std::string target_address;
  std::uint16_t target_port = 0;
  bool udp = false;
  bool operator==(const PortForward&) const = default;
};

/// A way to several: each TCP connection to `listen_address:listen_port` reaches one of the targets, drawn by lot.
struct SharedForward {
  std::string listen_address;
  std::uint16_t listen_port = 0;
  std::vector<std::pair<std::string, std::uint16_t>> targets;  ///< none: nothing answers
  bool operator==(const SharedForward&) const = default;
};

struct NetworkOptions {
  std::filesystem::path
      state;         ///< slipway's state directory; the network's file is state/network/NAME.json
  std::string name;  ///< [a-z0-9-]+: "cloud", "run-12"
  std::string range = "10.213.0.0/16";  ///< where a free subnet is taken from
  int bits = 24;  ///< of the subnet's prefix, 20 to 24: a bridge has at most 1,023 endpoints
  bool transient =
      false;  ///< made for this process alone: sweep() removes it when we have died without remove()
};

/// A bridge with its own subnet, masquerading to the outside by an nftables table of its own. What it hands out is on disk:
/// opened again after a crash it goes on where it was. Removed only by remove().
///   throws   Error{unavailable} from every function when the kernel, nft or our privileges do not allow it
///   threads  every function may be called from any thread, and from several processes
class Network final {
 public:
  /// Makes the network, or opens the one that is there; what a reboot took away is made again.
  explicit Network(const NetworkOptions& options);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network();

  /// The bridge's own address: where the host can be reached from inside, and where a DnsServer listens.
  [[nodiscard]] std::string gateway() const;
  [[nodiscard]] const std::string& bridge() const;
  [[nodiscard]] std::string subnet() const;  ///< "10.213.4.0/24"
  /// A new namespace with loopback, an address and a default route; the one that is there when `name` was attached before.
  ///   name    [a-zA-Z0-9_.-]+
  ///   throws  Error{conflict} when no address is free
  Endpoint attach(const std::string& name);
  /// Removes a namespace (once no process uses it) and frees its address; absence is fine.
  void release(const std::string& name);
  [[nodiscard]] std::vector<Endpoint> endpoints() const;
  /// Makes ports reachable under other addresses inside `netns` (empty: on the host). Replaces what publish() set before under `key`.
  void publish(const std::string& key, const std::vector<PortForward>& forwards,
               const std::filesystem::path& netns = {});
  /// Takes a host's publish() back.
  void unpublish(const std::string& key);
  /// Lets only those connections begin on the bridge that a filter allows, until the next call, or remove(). Those that there are go on.
  void restrict(const BridgeFilter& filter);
  /// Releases all, removes bridge, rules and file.
  void remove();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

/// Removes the transient networks of a state directory whose makers are dead, and releases nothing else.
void sweep_networks(const std::filesystem::path& state);

/// Runs `work` to its end on a thread that has entered another network namespace; throws what it throws.
void in_namespace(const std::filesystem::path& netns, const std::function<void()>& work);

/// Makes the addresses of `forwards` lead to their targets inside a network namespace; replaces what was set there before.
///   throws  Error{unavailable} when nft refuses
void share_ports(const std::filesystem::path& netns, const std::vector<SharedForward>& forwards);

/// The TCP ports (IPv4 and IPv6) that something inside a network namespace listens on.
///   source  Linux Documentation/networking/proc_net_tcp.rst: state 0A is LISTEN
std::set<std::uint16_t> listening_ports(const std::filesystem::path& netns);

/// Sets the kernel's forwarding back to what it was once the last network of any slipway is gone.
void forbid_forwarding_again();

}  // namespace slipway::container
