// SPDX-License-Identifier: Apache-2.0
#include "workflow/view_machine.hpp"

#include <signal.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "os/drain.hpp"
#include "os/file.hpp"
#include "workflow/image_machine.hpp"
#include "workflow/tool_socket.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHome = "/home/runner";
constexpr std::string_view kToolCache = "/opt/hostedtoolcache";
constexpr std::string_view kViewPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::string_view kViewBundle = "/etc/ssl/certs/ca-certificates.crt";

// How this machine reaches the network is no secret of its user's, and a job needs it as much as he does.
constexpr std::string_view kPassedOn[] = {
    "HTTP_PROXY",    "HTTPS_PROXY",         "NO_PROXY",           "ALL_PROXY",
    "http_proxy",    "https_proxy",         "no_proxy",           "all_proxy",
    "PIP_INDEX_URL", "NPM_CONFIG_REGISTRY", "npm_config_registry"};
// Programs that do not read the system's bundle by themselves.
constexpr std::string_view kBundleVariables[] = {"NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
                                                 "SSL_CERT_FILE",       "REQUESTS_CA_BUNDLE",
                                                 "CURL_CA_BUNDLE",      "PIP_CERT"};

MachinePaths paths_for(const std::string& repository) {
  auto work = std::string(kHome) + "/work";
  auto name = repository_name(repository);
  return {.workspace = work + "/" + name + "/" + name,
          .work = work + "/" + name,
          .temp = work + "/_temp",
          .tool_cache = std::string(kToolCache),
          .actions = work + "/_actions",
          .home = std::string(kHome)};
}

std::map<std::string, std::string> network_env() {
  std::map<std::string, std::string> env;
  auto own = os::environment();
  for (auto name : kPassedOn) {
    if (auto found = own.find(std::string(name)); found != own.end())
      env[found->first] = found->second;
  }
  return env;
}

std::map<std::string, std::string> view_env() {
  std::map<std::string, std::string> env{{"PATH", std::string(kViewPath)},
                                         {"HOME", std::string(kHome)},
                                         {"USER", "runner"},
                                         {"LANG", "C.UTF-8"},
                                         {"SHELL", "/bin/bash"},
                                         {"DEBIAN_FRONTEND", "noninteractive"},
                                         {"AGENT_TOOLSDIRECTORY", std::string(kToolCache)}};
  env.merge(network_env());
  if (fs::exists(kViewBundle)) {
    for (auto name : kBundleVariables) env[std::string(name)] = kViewBundle;
  }
  return env;
}

container::StopSteps view_steps_of(const StopLadder& ladder) {
  return {.after_interrupt = ladder.interrupt_grace, .after_terminate = ladder.terminate_grace};
}

/// A job in a view of this machine.
class ViewMachine final : public JobMachine {
 public:
  struct Parts {
    container::RuntimeOptions runtime_options;
    container::Runtime& runtime;
    container::Network& network;
    ImageSource& images;
    fs::path directory;  // the job's
    std::string id;      // of its container
    MachinePaths paths;
    container::Endpoint endpoint;
  };
  ViewMachine(Parts parts, const container::HostViewOptions& view,
              std::unique_ptr<ServiceHost> services)
      : parts_(std::move(parts)),
        services_(std::move(services)),
        env_(view_env()),
        view_(std::make_unique<container::HostView>(parts_.runtime_options, view)) {}
  ~ViewMachine() override {
    view_.reset();
    services_.reset();
    try {
      parts_.network.release(parts_.id);
    } catch (const Error&) {
      // The network goes as a whole at the end of the run.
    }
  }

  os::Exit exec(const MachineCommand& command, const OutputSink& sink,
                std::stop_token stop) override {
    container::RunIo io;
    io.sink = sink;
    io.stdin_fd = command.stdin_fd;
    io.stdout_fd = command.stdout_fd;
    io.on_left_open = [this](os::Fd output) { left_open_.take(std::move(output)); };
    return view_->exec({.argv = command.argv,
                        .env = command.env,
                        .cwd = command.cwd,
                        .stop_steps = view_steps_of(command.ladder)},
                       io, std::move(stop));
  }
  [[nodiscard]] std::optional<std::string> find_program(const std::string& name,
                                                        const std::string& path) const override {
    return view_->find_program(name, path);
  }
  [[nodiscard]] fs::path outside(const std::string& inside) const override {
    return view_->outside(inside);
  }
  [[nodiscard]] const MachinePaths& paths() const override { return parts_.paths; }
  [[nodiscard]] bool is_apart() const override { return true; }
  void kill() override {
    if (view_->pid() > 0) ::kill(view_->pid(), SIGKILL);
  }
  [[nodiscard]] std::optional<pid_t> first_process() const override { return view_->pid(); }
  [[nodiscard]] bool is_job_container() const override { return false; }
  [[nodiscard]] const std::map<std::string, std::string>& base_env() const override { return env_; }
  RunningService start_service(const ContainerOrder& order, const OutputSink& sink,
                               std::stop_token stop) override {
    return services_->start(order, parts_.endpoint.netns, sink, std::move(stop));
  }
  os::Exit run_container(const ContainerOrder& order, const std::vector<std::string>& entrypoint,
                         const std::vector<std::string>& args, const OutputSink& sink,
                         std::stop_token stop) override {
    return run_action_container(parts_.runtime, parts_.images, order, entrypoint, args,
                                parts_.id + "-" + uuid().substr(0, 8), parts_.directory,
                                parts_.endpoint.netns, *this, sink, std::move(stop));
  }

 private:
  Parts parts_;
  os::Drain left_open_;
  std::unique_ptr<ServiceHost> services_;
  std::map<std::string, std::string> env_;
  std::unique_ptr<container::HostView> view_;
};

// Container ids and network names are unique on the machine and short: a network namespace's name ends up in an interface's.
std::string id_of(const MachineOrder& order) {
  return fmt::format("run-{}-{}", order.run_id, formats::sha256_hex(order.job).substr(0, 6));
}

}  // namespace

ContainerMachines::ContainerMachines(MachineOptions options, container::Runtime& runtime,
                                     ImageSource& images, Log& log)
    : options_(std::move(options)),
      runtime_(runtime),
      images_(images),
      log_(log),
      network_({.state = options_.network.state, .name = options_.network.name, .transient = true}),
      servers_(std::stop_token{}) {
  dns_ = std::make_unique<container::DnsServer>(network_.gateway(), 53, options_.network.names,
                                                options_.network.upstream, log_);
  servers_.start([this](std::stop_token stop) { dns_->run(std::move(stop)); });
}

ContainerMachines::~ContainerMachines() {
  servers_.stop();
  try {
    servers_.join();
    network_.remove();
  } catch (const std::exception& error) {
    log_.warn("removing the run's network: {}", error.what());
  }
}

std::string ContainerMachines::host_address() const { return network_.gateway(); }

std::unique_ptr<JobMachine> ContainerMachines::make(const MachineOrder& order,
                                                    const OutputSink& sink, std::stop_token stop) {
  auto id = id_of(order);
  auto services = std::make_unique<ServiceHost>(runtime_, network_, images_, order.directory, id);
  if (options_.on_host)
    return std::make_unique<HostMachine>(order.directory, order.repository, std::move(services));
  auto container = order.container;
  for (const auto& label : order.labels) {
    auto image = options_.label_images.find(label);
    if (container || image == options_.label_images.end()) continue;
    container.emplace();
    container->image = image->second;
  }
  if (container) {
    os::make_dirs(options_.tool_cache);
    return make_image_machine({.runtime = runtime_,
                               .network = network_,
                               .images = images_,
                               .job = order,
                               .container = *container,
                               .id = id,
                               .tool_cache = options_.tool_cache,
                               .trusted_certificates = options_.trusted_certificates,
                               .env = network_env(),
                               .is_job_container = order.container.has_value()},
                              std::move(services), sink, stop);
  }
  for (const auto& label : order.labels) {
    auto lower = to_lower(label);
    if (lower.starts_with("windows") || lower.starts_with("macos")) {
      fail(Fault::unsupported, "'runs-on: {}' cannot run here: this machine is Linux", label);
    }
  }
  if (stop.stop_requested()) throw Cancelled();
  sink(fmt::format("Job machine: a copy-on-write view of this machine ({})\n", id));
  auto paths = paths_for(order.repository);
  auto work = order.directory / "work";
  os::make_dirs(work / "_temp");
  os::make_dirs(options_.tool_cache);
  auto endpoint = network_.attach(id);
  auto view_directory = order.directory / "view";
  os::make_dirs(view_directory);
  container::HostViewOptions view{
      .id = id,
      .directory = view_directory,
      .mounts = {{.kind = container::MountPoint::Kind::bind,
                  .source = work,
                  .target = std::string(kHome) + "/work"},
                 {.kind = container::MountPoint::Kind::bind,
                  .source = options_.tool_cache,
                  .target = paths.tool_cache}},
      .network = {.kind = container::NetworkChoice::Kind::joined, .path = endpoint.netns},
      .hosts = {},
      .nameserver = network_.gateway(),
      .trusted_certificates = options_.trusted_certificates,
      .programs = {},
      .keeps_changes = order.keeps};
  if (!order.tools.empty()) {
    view.mounts.push_back({.kind = container::MountPoint::Kind::bind,
                           .source = order.directory / "tools",
                           .target = kToolsInside});
  }
  for (const auto& tool : order.tools) {
    view.programs["/usr/local/bin/" + tool] =
        fmt::format("#!/bin/sh\nexec {} job-tool {} \"$@\"\n", container::kSlipwayInside, tool);
  }
  return std::make_unique<ViewMachine>(ViewMachine::Parts{.runtime_options = options_.runtime,
                                                          .runtime = runtime_,
                                                          .network = network_,
                                                          .images = images_,
                                                          .directory = order.directory,
                                                          .id = id,
                                                          .paths = paths,
                                                          .endpoint = endpoint},
                                       view, std::move(services));
}

}  // namespace slipway::workflow
