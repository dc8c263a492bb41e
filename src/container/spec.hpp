// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "container/user.hpp"
#include "formats/json.hpp"

namespace slipway::container {

/// What a container's root directory is made of. Overlays are mounted in a mount namespace of the container's own: the host
/// never sees them, and they are gone when the last process of the container is.
struct Rootfs {
  std::vector<std::filesystem::path>
      lower;  ///< unpacked layers, top-most first; empty when `directory` is given
  std::filesystem::path upper;      ///< takes the changes; empty: the overlay is read-only
  std::filesystem::path work;       ///< empty directory beside `upper`
  std::filesystem::path directory;  ///< a ready root directory instead of layers
  bool read_only = false;           ///< the container's own view of its root is read-only
  bool discard = false;  ///< what is written need not survive a crash of the machine (no fsync)
};

/// Something mounted into a container, in order.
struct MountPoint {
  enum class Kind {
    bind,     ///< a host file or directory; `target` is made when it is missing
    tmpfs,    ///< `source` unused
    overlay,  ///< the directory `source` with changes going to `upper`
  };
  Kind kind = Kind::bind;
  std::filesystem::path source;
  std::string target;  ///< absolute, inside
  bool read_only = false;
  std::uint64_t size_bytes = 0;  ///< of a tmpfs; 0: half of the memory
  unsigned mode = 01777;         ///< of a tmpfs
  std::filesystem::path upper;   ///< of an overlay
  std::filesystem::path work;    ///< of an overlay
  bool operator==(const MountPoint&) const = default;
};

/// Limits by cgroup; absent means none. Applied on cgroup v1 and v2 alike.
struct Limits {
  std::optional<std::uint64_t> memory_bytes;              ///< hard; past it the kernel kills
  std::optional<std::uint64_t> memory_reservation_bytes;  ///< soft
  std::optional<std::uint64_t>
      cpu_shares;  ///< weight in cgroup v1 units: 1024 = one ordinary share
  std::optional<std::uint64_t> cpu_thousandths;  ///< hard quota: 1000 = one processor
  std::optional<std::uint64_t> pids;
  [[nodiscard]] bool any() const {
    return memory_bytes || memory_reservation_bytes || cpu_shares || cpu_thousandths || pids;
  }
  bool operator==(const Limits&) const = default;
};

/// A setrlimit pair, `name` without prefix and in lower case as in Docker and ECS: "nofile".
struct Ulimit {
  std::string name;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  bool operator==(const Ulimit&) const = default;
};

/// Which network a container sees.
struct NetworkChoice {
  enum class Kind {
    none,  ///< a fresh namespace with nothing but loopback (down)
    host,
    joined,  ///< the namespace at `path`, as Network::attach() makes
  };
  Kind kind = Kind::none;
  std::filesystem::path path;
};

/// Capabilities and their like.
struct Security {
  /// Kernel capabilities such as "CAP_CHOWN" on top of, or taken from, Docker's default set.
  std::vector<std::string> add_capabilities;
  std::vector<std::string> drop_capabilities;  ///< "ALL" drops all defaults
  bool no_new_privileges = false;
  bool seccomp = true;  ///< refuse the system calls of default_seccomp()
  bool masked_paths =
      true;  ///< hide /proc/kcore and its like, make /proc/sys read-only, as Docker does
};

/// All that starting a container needs; a plain value.
struct ContainerSpec {
  std::string id;  ///< [a-zA-Z0-9_.-]+, unique within one state directory
  Rootfs rootfs;
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string cwd = "/";  ///< made when it is missing
  User user;              ///< see resolve_user()
  std::vector<MountPoint> mounts;
  std::string hostname;  ///< empty: the id's first 12 characters
  /// Contents of /etc/resolv.conf and /etc/hosts. Nothing: with the host's network the host's files, else the image's own.
  std::optional<std::string> resolv_conf;
  std::optional<std::string> hosts;
  NetworkChoice network;
  Limits limits;
  std::vector<Ulimit> ulimits;
  Security security;
  std::uint64_t shm_bytes = 64ULL * 1024 * 1024;   ///< size of /dev/shm
  std::map<std::string, std::string> sysctls;      ///< namespaced ones only
  std::map<std::string, std::string> annotations;  ///< kept, listed again by Runtime::list()
};

/// The OCI runtime configuration (config.json) of a container.
///   cgroup_path  where its cgroup goes, such as "/slipway/1a2b3c/ID"; empty: it gets none, and may not make device nodes
///   root         the directory at which the root file system will have been mounted
///   throws       Error{bad_input} naming the field: an id, path, capability or ulimit that is none
///   source       OCI runtime-spec 1.0.2 config.md, config-linux.md
formats::Json to_oci_config(const ContainerSpec& spec, const std::string& cgroup_path,
                            const std::filesystem::path& root);

/// A spec as JSON and back, for the file that a detached container's supervisor reads.
formats::Json to_json(const ContainerSpec& spec);
ContainerSpec spec_from_json(const formats::Json& json);

/// What containers may not call, whatever their capabilities: user namespaces and the rest of what Docker's profile refuses to
/// them, as a list of refusals instead of Docker's list of permissions, so that new calls of new kernels work.
///   allowed  capabilities the container has; what they stand for is not refused
///   source   moby profiles/seccomp/default.json
formats::Json default_seccomp(const std::vector<std::string>& allowed);

/// Docker's default capabilities.
const std::vector<std::string>& default_capabilities();

}  // namespace slipway::container
