// SPDX-License-Identifier: Apache-2.0
#include "workflow/container_options.hpp"

#include <cstdlib>

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/shell.hpp"

namespace slipway::workflow {
namespace {

std::pair<int, int> port_range(std::string_view text, std::string_view whole) {
  auto dash = text.find('-');
  auto first = to_integer(text.substr(0, dash));
  auto last = dash == std::string_view::npos ? first : to_integer(text.substr(dash + 1));
  if (!first || !last || *first < 1 || *last > 65535 || *last < *first)
    fail(Fault::bad_input, "'{}' is no port mapping", whole);
  return {static_cast<int>(*first), static_cast<int>(*last)};
}

// A number with a fraction at the front of `text`, which is cut off. Nothing when there is none.
std::optional<double> take_number(std::string_view& text) {
  auto end = text.find_first_not_of("0123456789.");
  auto digits = std::string(text.substr(0, end));
  if (digits.empty() || digits == ".") return std::nullopt;
  text.remove_prefix(digits.size());
  return std::strtod(digits.c_str(), nullptr);
}

using Setter = void (*)(ContainerOptions&, const std::string& value);
struct KnownOption {
  std::string_view name;
  Setter set;  // null: accepted, means nothing here
};

void set_env(ContainerOptions& options, const std::string& value) {
  auto equals = value.find('=');
  if (equals != std::string::npos) options.env[value.substr(0, equals)] = value.substr(equals + 1);
}

constexpr KnownOption kWithValue[] = {
    {"--health-cmd", [](ContainerOptions& o, const std::string& v) { o.health.command = v; }},
    {"--health-interval",
     [](ContainerOptions& o, const std::string& v) {
       o.health.interval = parse_docker_duration(v);
     }},
    {"--health-timeout", [](ContainerOptions& o,
                            const std::string& v) { o.health.timeout = parse_docker_duration(v); }},
    {"--health-start-period",
     [](ContainerOptions& o, const std::string& v) {
       o.health.start_period = parse_docker_duration(v);
     }},
    {"--health-start-interval", nullptr},
    {"--health-retries",
     [](ContainerOptions& o, const std::string& v) {
       auto count = to_integer(v);
       if (!count || *count < 0 || *count > 100000)
         fail(Fault::bad_input, "--health-retries: '{}' is no number", v);
       o.health.retries = static_cast<int>(*count);
     }},
    {"--env", set_env},
    {"-e", set_env},
    {"--publish", [](ContainerOptions& o, const std::string& v) { o.ports.push_back(v); }},
    {"-p", [](ContainerOptions& o, const std::string& v) { o.ports.push_back(v); }},
    {"--volume", [](ContainerOptions& o, const std::string& v) { o.volumes.push_back(v); }},
    {"-v", [](ContainerOptions& o, const std::string& v) { o.volumes.push_back(v); }},
    {"--tmpfs", [](ContainerOptions& o,
                   const std::string& v) { o.tmpfs.push_back(v.substr(0, v.find(':'))); }},
    {"--hostname", [](ContainerOptions& o, const std::string& v) { o.hostname = v; }},
    {"-h", [](ContainerOptions& o, const std::string& v) { o.hostname = v; }},
    {"--user", [](ContainerOptions& o, const std::string& v) { o.user = v; }},
    {"-u", [](ContainerOptions& o, const std::string& v) { o.user = v; }},
    {"--workdir", [](ContainerOptions& o, const std::string& v) { o.workdir = v; }},
    {"-w", [](ContainerOptions& o, const std::string& v) { o.workdir = v; }},
    {"--memory",
     [](ContainerOptions& o, const std::string& v) { o.memory_bytes = parse_bytes(v); }},
    {"-m", [](ContainerOptions& o, const std::string& v) { o.memory_bytes = parse_bytes(v); }},
    {"--shm-size", [](ContainerOptions& o, const std::string& v) { o.shm_bytes = parse_bytes(v); }},
    {"--cpus",
     [](ContainerOptions& o, const std::string& v) {
       std::string_view rest = v;
       auto number = take_number(rest);
       if (!number || !rest.empty() || *number <= 0)
         fail(Fault::bad_input, "--cpus: '{}' is no number", v);
       o.cpu_thousandths = static_cast<std::uint64_t>(*number * 1000);
     }},
    {"--name", nullptr},
    {"--restart", nullptr},
    {"--label", nullptr},
    {"-l", nullptr},
    {"--pull", nullptr},
    {"--platform", nullptr},
};

constexpr KnownOption kFlags[] = {
    {"--read-only", [](ContainerOptions& o, const std::string&) { o.read_only = true; }},
    {"--no-healthcheck", [](ContainerOptions& o, const std::string&) { o.health.command.clear(); }},
    {"--init", nullptr},
    {"--rm", nullptr},
    {"-d", nullptr},
};

const KnownOption* find_option(std::span<const KnownOption> known, std::string_view name) {
  for (const auto& option : known) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

// Docker's options in quotes come as they would from a shell: single quotes, too.
std::vector<std::string> words_of(std::string_view text) {
  std::string doubled;
  bool in_double = false;
  for (char c : text) {
    if (c == '"') in_double = !in_double;
    doubled += c == '\'' && !in_double ? '"' : c;
  }
  return split_command_line(doubled);
}

}  // namespace

std::vector<PortMapping> parse_ports(std::string_view text) {
  auto whole = text;
  bool udp = text.ends_with("/udp");
  if (udp || text.ends_with("/tcp")) text.remove_suffix(4);
  auto parts = split(text, ':');
  if (parts.size() > 3) fail(Fault::bad_input, "'{}' is no port mapping", whole);
  auto container = port_range(parts.back(), whole);
  auto job = parts.size() == 1 || parts[parts.size() - 2].empty()
                 ? std::pair{0, 0}
                 : port_range(parts[parts.size() - 2], whole);
  if (job.first != 0 && job.second - job.first != container.second - container.first) {
    fail(Fault::bad_input, "'{}': the ranges of ports differ in length", whole);
  }
  std::vector<PortMapping> ports;
  for (int i = 0; i <= container.second - container.first; ++i) {
    ports.push_back({.container_port = static_cast<std::uint16_t>(container.first + i),
                     .job_port = static_cast<std::uint16_t>(job.first == 0 ? 0 : job.first + i),
                     .udp = udp});
  }
  return ports;
}

VolumeMapping parse_volume(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() == 1) return {.source = {}, .target = parts[0], .read_only = false};
  if (parts.size() > 3 || parts[1].empty() || !parts[1].starts_with('/'))
    fail(Fault::bad_input, "'{}' is no volume", text);
  bool read_only = parts.size() == 3 &&
                   (parts[2] == "ro" || parts[2].starts_with("ro,") || parts[2].ends_with(",ro"));
  return {.source = parts[0], .target = parts[1], .read_only = read_only};
}

std::uint64_t parse_bytes(std::string_view text) {
  auto rest = text;
  auto number = take_number(rest);
  auto unit = to_lower(rest);
  if (unit.ends_with('b') && unit.size() > 1) unit.pop_back();
  double factor = unit.empty() || unit == "b" ? 1
                  : unit == "k"               ? 1024.0
                  : unit == "m"               ? 1048576.0
                  : unit == "g"               ? 1073741824.0
                                              : 0;
  if (!number || factor == 0 || *number * factor > 1e15)
    fail(Fault::bad_input, "'{}' is no size; write 512m or 1g", text);
  return static_cast<std::uint64_t>(*number * factor);
}

std::chrono::milliseconds parse_docker_duration(std::string_view text) {
  auto rest = trim(text);
  double total = 0;
  bool any = false;
  while (!rest.empty()) {
    auto number = take_number(rest);
    auto end = rest.find_first_of("0123456789.");
    auto unit = rest.substr(0, end);
    double factor = unit == "ns"   ? 1e-6
                    : unit == "us" ? 1e-3
                    : unit == "ms" ? 1
                    : unit == "s"  ? 1e3
                    : unit == "m"  ? 6e4
                    : unit == "h"  ? 3.6e6
                                   : 0;
    if (!number || factor == 0)
      fail(Fault::bad_input, "'{}' is no duration; write 2s or 1m30s", text);
    total += *number * factor;
    rest.remove_prefix(unit.size());
    any = true;
  }
  if (!any || total > 1e12) fail(Fault::bad_input, "'{}' is no duration; write 2s or 1m30s", text);
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

ContainerOptions parse_container_options(std::string_view text) {
  ContainerOptions options;
  auto words = words_of(text);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    auto equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    auto name = word.substr(0, equals);
    if (name == "--network" || name == "--net" || name == "--entrypoint") {
      fail(Fault::bad_input, "options: '{}' cannot be used here", name);
    }
    if (const auto* flag = find_option(kFlags, name)) {
      if (flag->set) flag->set(options, "");
      continue;
    }
    const auto* option = find_option(kWithValue, name);
    if (!option) fail(Fault::unsupported, "options: '{}' is not supported yet", name);
    if (equals == std::string::npos && i + 1 == words.size())
      fail(Fault::bad_input, "options: '{}' has no value", name);
    auto value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
    if (option->set) option->set(options, value);
  }
  return options;
}

}  // namespace slipway::workflow
