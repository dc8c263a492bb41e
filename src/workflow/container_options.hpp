// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::workflow {

/// A `ports:` entry: where the job reaches what port of the container.
struct PortMapping {
  std::uint16_t container_port = 0;
  std::uint16_t job_port = 0;  ///< 0: any free one
  bool udp = false;
  bool operator==(const PortMapping&) const = default;
};

/// "5432", "8080:80", "127.0.0.1:53:53/udp", "8000-8002:8000-8002". throws Error{bad_input}
std::vector<PortMapping> parse_ports(std::string_view text);

/// A `volumes:` entry; a source that is no absolute path names a volume.
struct VolumeMapping {
  std::string source;  ///< empty: an anonymous volume
  std::string target;
  bool read_only = false;
  bool operator==(const VolumeMapping&) const = default;
};
VolumeMapping parse_volume(std::string_view text);

struct HealthCheck {
  std::string command;  ///< for a shell; empty: none
  std::chrono::milliseconds interval{30000};
  std::chrono::milliseconds timeout{30000};
  std::chrono::milliseconds start_period{0};
  int retries = 3;
};

/// What `options:` of a container may say: the options of `docker create` that make sense here.
struct ContainerOptions {
  HealthCheck health;
  std::map<std::string, std::string> env;
  std::vector<std::string> ports;
  std::vector<std::string> volumes;
  std::vector<std::string> tmpfs;
  std::string hostname;
  std::string user;
  std::string workdir;
  std::string entrypoint;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> shm_bytes;
  std::optional<std::uint64_t> cpu_thousandths;
  bool read_only = false;
};

/// throws  Error{bad_input} for --network and --entrypoint as GitHub does not take them, Error{unsupported} for what we do not know
ContainerOptions parse_container_options(std::string_view text);

/// "512m", "1g", "1048576b". throws Error{bad_input}
std::uint64_t parse_bytes(std::string_view text);
/// Docker's durations: "2s", "1m30s", "500ms". throws Error{bad_input}
std::chrono::milliseconds parse_docker_duration(std::string_view text);

}  // namespace slipway::workflow
