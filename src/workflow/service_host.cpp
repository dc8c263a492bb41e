// SPDX-License-Identifier: Apache-2.0
#include "workflow/service_host.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "container/user.hpp"
#include "os/file.hpp"
#include "workflow/shell.hpp"

namespace slipway::workflow {
namespace {

constexpr std::size_t kKeptOutput = 4096;
constexpr auto kFirstChecks = std::chrono::milliseconds(100);
constexpr auto kMostBetweenChecks = std::chrono::milliseconds(2000);
constexpr auto kBetweenLooks = std::chrono::milliseconds(20);  // at a table of ports

constexpr std::string_view kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string last_lines_of(const std::string& text) {
  auto lines = lines_of(text);
  std::vector<std::string> last;
  for (std::size_t i = lines.size() > 5 ? lines.size() - 5 : 0; i < lines.size(); ++i)
    last.emplace_back(lines[i]);
  return join(last, "\n");
}

std::vector<std::string> health_argv(const HealthCheck& health, const ReadyImage& image) {
  if (!health.command.empty()) return {"/bin/sh", "-c", health.command};
  if (image.health_test.size() > 1 && image.health_test[0] == "CMD-SHELL")
    return {"/bin/sh", "-c", image.health_test[1]};
  if (image.health_test.size() > 1 && image.health_test[0] == "CMD") {
    return {image.health_test.begin() + 1, image.health_test.end()};
  }
  return {};
}

bool listens(const std::filesystem::path& netns, const std::set<std::uint16_t>& ports) {
  auto open = container::listening_ports(netns);
  return std::any_of(ports.begin(), ports.end(),
                     [&](std::uint16_t port) { return open.contains(port); });
}

}  // namespace

container::ContainerSpec spec_of(const ContainerOrder& order, const ReadyImage& image,
                                 const ContainerOptions& options, const std::string& id,
                                 const std::filesystem::path& directory) {
  container::ContainerSpec spec;
  spec.id = id;
  spec.rootfs.lower = image.layers;
  spec.rootfs.upper = directory / "upper";
  spec.rootfs.work = directory / "work";
  spec.rootfs.discard = true;
  for (const auto& path : {spec.rootfs.upper, spec.rootfs.work}) os::make_dirs(path);
  bool is_own_program = !trim(order.entrypoint).empty();
  spec.argv = is_own_program ? split_command_line(order.entrypoint) : image.entrypoint;
  auto command = trim(order.command).empty() && !is_own_program ? image.command
                                                                : split_command_line(order.command);
  spec.argv.insert(spec.argv.end(), command.begin(), command.end());
  spec.env = image.env;
  spec.env.try_emplace("PATH", kPath);
  for (const auto* layer : {&options.env, &order.env}) {
    for (const auto& [name, value] : *layer) spec.env[name] = value;
  }
  spec.cwd = !options.workdir.empty() ? options.workdir
             : image.workdir.empty()  ? "/"
                                      : image.workdir;
  auto user =
      container::resolve_user(options.user.empty() ? image.user : options.user, spec.rootfs);
  spec.user = user.user;
  spec.env.try_emplace("HOME", user.home);
  spec.hostname = options.hostname;
  spec.limits.memory_bytes = options.memory_bytes;
  spec.limits.cpu_thousandths = options.cpu_thousandths;
  if (options.shm_bytes) spec.shm_bytes = *options.shm_bytes;
  spec.rootfs.read_only = options.read_only;
  auto volumes = order.volumes;
  volumes.insert(volumes.end(), options.volumes.begin(), options.volumes.end());
  for (const auto& text : volumes) {
    auto volume = parse_volume(text);
    auto source = std::filesystem::path(volume.source);
    if (!source.is_absolute()) {  // a volume of the job's own
      source = directory / "volumes" / (volume.source.empty() ? uuid() : volume.source);
      os::make_dirs(source);
    }
    spec.mounts.push_back({.kind = container::MountPoint::Kind::bind,
                           .source = source,
                           .target = volume.target,
                           .read_only = volume.read_only});
  }
  for (const auto& target : options.tmpfs) {
    spec.mounts.push_back({.kind = container::MountPoint::Kind::tmpfs, .target = target});
  }
  return spec;
}

ServiceHost::ServiceHost(container::Runtime& runtime, container::Network& network,
                         ImageSource& images, std::filesystem::path directory, std::string prefix)
    : runtime_(runtime),
      network_(network),
      images_(images),
      directory_(std::move(directory)),
      prefix_(std::move(prefix)),
      group_(std::make_unique<TaskGroup>(stop_.get_token())) {}

ServiceHost::~ServiceHost() {
  stop_.request_stop();
  group_.reset();
  try {
    for (const auto& key : published_) network_.unpublish(key);
    for (const auto& name : attached_) network_.release(name);
    for (const auto& service : services_) os::remove_tree(directory_ / service.id);
  } catch (const Error&) {
    // What is left is found by the next command's sweep, by the names it has on this machine.
  }
}

std::string ServiceHost::reserve(const std::string& service) {
  auto name = prefix_ + "-" + service;
  auto endpoint = network_.attach(name);
  std::lock_guard lock(mutex_);
  if (std::find(attached_.begin(), attached_.end(), name) == attached_.end())
    attached_.push_back(name);
  return endpoint.address;
}

RunningService ServiceHost::start(const ContainerOrder& order, const std::filesystem::path& netns,
                                  const OutputSink& sink, std::stop_token stop) {
  auto options = parse_container_options(order.options);
  auto image = images_.fetch(order.image, order.login, sink, stop);
  reserve(order.id);
  auto endpoint = network_.attach(prefix_ + "-" + order.id);
  auto id = prefix_ + "-" + order.id;
  auto spec = spec_of(order, image, options, id, directory_ / id);
  if (spec.argv.empty())
    fail(Fault::bad_input, "service '{}': the image '{}' has no command", order.id, order.image);
  if (spec.hostname.empty()) spec.hostname = order.id;
  spec.network = {.kind = container::NetworkChoice::Kind::joined, .path = endpoint.netns};

  auto& service = [this]() -> Running& {
    std::lock_guard lock(mutex_);
    return services_.emplace_back();
  }();
  service.id = id;
  service.endpoint = endpoint.name;
  group_->start([this, &service, spec](const std::stop_token& ended) {
    container::ContainerExit exit;
    try {
      container::RunIo io;
      io.sink = [&service](std::string_view bytes) {
        service.output.with([&](std::string& kept) {
          kept += bytes;
          if (kept.size() > kKeptOutput) kept.erase(0, kept.size() - kKeptOutput);
        });
      };
      exit = runtime_.run(spec, io, container::kAtOnce, ended, Deadline::never());
    } catch (const Error& error) {
      exit.reason = error.what();
      exit.exit.code = 127;
    } catch (const Cancelled&) {
      exit.reason = "stopped";
    }
    service.exit.with([&](auto& value) { value = exit; });
  });

  std::vector<PortMapping> ports;
  auto texts = order.ports;
  texts.insert(texts.end(), options.ports.begin(), options.ports.end());
  for (const auto& text : texts) {
    for (const auto& mapping : parse_ports(text)) ports.push_back(mapping);
  }
  RunningService running{
      .id = id, .network = network_.bridge(), .ports = publish(id, ports, endpoint.address, netns)};
  auto health = options.health;
  auto argv = health_argv(health, image);
  if (!argv.empty()) {
    auto checked = spec;
    checked.argv = argv;
    std::set<std::uint16_t> wanted;
    for (const auto& mapping : ports) {
      if (!mapping.udp) wanted.insert(mapping.container_port);
    }
    wait_until_healthy(service, order, health, wanted, checked, stop);
    sink(fmt::format("{} service is healthy.\n", order.id));
  }
  return running;
}

// As Docker counts: `retries` failures in a row, `interval` apart, after the start period. But we look more often, a tenth of the time
// it has taken so far apart: what is healthy sooner is used sooner. A check is a process that takes the processor from the service
// that starts: while none of the ports that the job wants is listened on, it is run no more often than Docker would, and only the table
// of open ports is looked at.
void ServiceHost::wait_until_healthy(Running& service, const ContainerOrder& order,
                                     const HealthCheck& health,
                                     const std::set<std::uint16_t>& ports,
                                     const container::ContainerSpec& spec, std::stop_token stop) {
  auto patience = health.start_period + health.interval * health.retries + health.timeout;
  auto deadline = Deadline::in(std::max(patience, std::chrono::milliseconds(1000)));
  auto began = Deadline::Clock::now();
  auto next_check = began + health.interval;
  bool is_awaited = !ports.empty();  // that somebody listens
  for (;;) {
    auto tenth =
        std::chrono::duration_cast<std::chrono::milliseconds>(Deadline::Clock::now() - began) / 10;
    auto pause =
        is_awaited ? kBetweenLooks
                   : std::max(kFirstChecks, std::min({tenth, health.interval, kMostBetweenChecks}));
    std::optional<container::ContainerExit> ended;
    bool has_ended = service.exit.wait(
        stop, Deadline::in(pause).sooner(deadline),
        [](const auto& exit) { return exit.has_value(); }, [&](const auto& exit) { ended = exit; });
    if (stop.stop_requested()) throw Cancelled();
    auto lines = last_lines_of(service.output.read([](const auto& text) { return text; }));
    if (has_ended) {
      fail(Fault::failed, "service '{}' ({}) ended: {}{}{}", order.id, order.image,
           ended->reason.empty() ? os::to_string(ended->exit) : ended->reason,
           lines.empty() ? "" : "\n", lines);
    }
    auto now = Deadline::Clock::now();
    if (is_awaited && listens(spec.network.path, ports)) {
      is_awaited = false;
      began = now;  // a server that has opened its port needs little more time
    }
    if (is_awaited && now < next_check && !deadline.passed()) continue;
    next_check = now + health.interval;
    try {
      auto exit = runtime_.exec(
          service.id, {.argv = spec.argv, .env = spec.env, .cwd = spec.cwd, .user = spec.user}, {},
          stop, Deadline::in(health.timeout));
      if (exit.ok()) return;
    } catch (const Error&) {
      // Not running yet, or the check took too long: that is one failed check.
    }
    if (deadline.passed()) {
      fail(Fault::failed, "service '{}' ({}) is not healthy after {} checks{}{}", order.id,
           order.image, health.retries, lines.empty() ? "" : ":\n", lines);
    }
  }
}

std::uint16_t ServiceHost::free_port(std::uint16_t wanted) {
  auto port = wanted;
  while (taken_.contains(port))
    port = port == 65535 ? std::uint16_t{32768} : static_cast<std::uint16_t>(port + 1);
  return port;
}

std::map<std::string, std::string> ServiceHost::publish(const std::string& key,
                                                        const std::vector<PortMapping>& ports,
                                                        const std::string& address,
                                                        const std::filesystem::path& netns) {
  std::map<std::string, std::string> shown;
  std::vector<container::PortForward> own;
  std::lock_guard lock(mutex_);
  for (const auto& mapping : ports) {
    auto port = mapping.job_port != 0 ? mapping.job_port : free_port(mapping.container_port);
    if (mapping.job_port != 0 && taken_.contains(port)) {
      fail(Fault::conflict, "port {} is used by two services of the job", port);
    }
    taken_.insert(port);
    own.push_back({.listen_address = "0.0.0.0",
                   .listen_port = port,
                   .target_address = address,
                   .target_port = mapping.container_port,
                   .udp = mapping.udp});
    shown[fmt::format("{}{}", mapping.container_port, mapping.udp ? "/udp" : "")] =
        std::to_string(port);
  }
  if (own.empty()) return shown;
  network_.publish(key, own, netns);
  if (netns.empty()) published_.push_back(key);
  return shown;
}

}  // namespace slipway::workflow
