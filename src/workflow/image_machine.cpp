// SPDX-License-Identifier: Apache-2.0
#include "workflow/image_machine.hpp"

#include <unistd.h>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "net/stream.hpp"
#include "os/drain.hpp"
#include "os/file.hpp"
#include "workflow/host_machine.hpp"

namespace slipway::workflow {
namespace {

namespace fs = std::filesystem;
using container::MountPoint;

constexpr std::string_view kBundle = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::string_view kLookUp =
    "IFS=:; for at in $PATH; do if [ -x \"$at/$1\" ] && [ ! -d \"$at/$1\" ]; then echo \"$at/$1\"; "
    "exit; fi; done";
// Of images that say none, as docker has it.
constexpr std::string_view kPlainPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

container::StopSteps steps_of(const StopLadder& ladder) {
  return {.after_interrupt = ladder.interrupt_grace, .after_terminate = ladder.terminate_grace};
}

// Where GitHub mounts a job's directories in its container.
//   source  actions/runner ContainerOperationProvider.cs; facts a.12
MachinePaths paths_in_container(const std::string& repository) {
  auto name = repository_name(repository);
  return {.workspace = "/__w/" + name + "/" + name,
          .work = "/__w/" + name,
          .temp = "/__w/_temp",
          .tool_cache = "/__t",
          .actions = "/__w/_actions",
          .home = "/github/home"};
}

/// The container lives as long as its first process, which does nothing; it runs on a thread of ours.
class ImageMachine final : public JobMachine {
 public:
  ImageMachine(const ImageMachineOrder& order, const container::ContainerSpec& spec,
               container::Endpoint endpoint, std::unique_ptr<ServiceHost> services)
      : runtime_(order.runtime),
        network_(order.network),
        images_(order.images),
        directory_(order.job.directory),
        id_(order.id),
        paths_(paths_in_container(order.job.repository)),
        env_(spec.env),
        user_(spec.user),
        mounts_(spec.mounts),
        container_(order.container),
        is_job_container_(order.is_job_container),
        endpoint_(std::move(endpoint)),
        services_(std::move(services)),
        group_(std::make_unique<TaskGroup>(std::stop_token{})) {
    group_->start([this, spec](std::stop_token stop) {
      std::string problem = "it ended";
      try {
        auto exit = runtime_.run(spec, {}, container::kAtOnce, std::move(stop), Deadline::never());
        problem = exit.reason.empty() ? os::to_string(exit.exit) : exit.reason;
      } catch (const Error& error) {
        problem = error.what();
      } catch (const Cancelled&) {
        problem = "it was stopped";
      }
      ended_.with([&](auto& ended) { ended = problem; });
    });
  }
  ~ImageMachine() override {
    group_.reset();
    services_.reset();
    try {
      if (!held_.empty()) network_.unpublish(id_);
      network_.release(endpoint_.name);
    } catch (const Error&) {
      // The network goes as a whole at the end of the run.
    }
  }

  // The container's ports on this machine's loopback, as Docker has them on the runner. A socket of ours keeps each from everybody
  // else while the container lives; no connection reaches it.
  void publish(const std::vector<std::string>& ports, const OutputSink& sink) {
    std::vector<container::PortForward> forwards;
    for (const auto& text : ports) {
      for (const auto& mapping : parse_ports(text)) {
        auto socket = net::listen_tcp(fmt::format("127.0.0.1:{}", mapping.job_port));
        auto port = net::local_port(socket);
        held_.push_back(std::move(socket));
        forwards.push_back({.listen_address = "127.0.0.1",
                            .listen_port = port,
                            .target_address = endpoint_.address,
                            .target_port = mapping.container_port,
                            .udp = mapping.udp});
        sink(fmt::format("port {} of the job's container is 127.0.0.1:{} here\n",
                         mapping.container_port, port));
      }
    }
    if (!forwards.empty()) network_.publish(id_, forwards);
  }

  // Until a first command runs in it, the container may still be starting.
  void wait_until_running(const std::stop_token& stop) {
    auto deadline = Deadline::in(std::chrono::seconds(30));
    for (;;) {
      std::string problem;
      ended_.wait(
          stop, Deadline::in(std::chrono::milliseconds(20)),
          [](const auto& ended) { return ended.has_value(); },
          [&](const auto& ended) { problem = *ended; });
      if (stop.stop_requested()) throw Cancelled();
      if (!problem.empty()) fail(Fault::failed, "the job's container did not start: {}", problem);
      try {
        if (runtime_
                .exec(id_, {.argv = {"/bin/sh", "-c", ":"}, .env = env_, .user = user_}, {}, stop,
                      deadline)
                .ok())
          return;
      } catch (const Error& error) {
        if (deadline.passed())
          throw Error(error.fault(),
                      fmt::format("the job's container did not start: {}", error.what()));
      }
    }
  }

  os::Exit exec(const MachineCommand& command, const OutputSink& sink,
                std::stop_token stop) override {
    container::RunIo io;
    io.sink = sink;
    io.stdin_fd = command.stdin_fd;
    io.stdout_fd = command.stdout_fd;
    io.stderr_fd = command.stderr_fd;
    io.on_left_open = [this](os::Fd output) { left_open_.take(std::move(output)); };
    container::ExecSpec exec{.argv = command.argv,
                             .env = command.env,
                             .cwd = command.cwd,
                             .user = user_,
                             .terminal = command.terminal,
                             .stop_steps = steps_of(command.ladder)};
    try {
      return runtime_.exec(id_, exec, io, std::move(stop), Deadline::never());
    } catch (const Cancelled&) {
      return {.code = 0, .signal = 15};
    }
  }
  [[nodiscard]] std::optional<std::string> find_program(const std::string& name,
                                                        const std::string& path) const override {
    if (name.find('/') != std::string::npos) return name;
    auto env = env_;
    env["PATH"] = path;
    std::string found;
    container::RunIo io;
    io.sink = [&](std::string_view bytes) { found += bytes; };
    // Not `command -v`: some shells name what they have built in instead of a path.
    auto exit = runtime_.exec(
        id_,
        {.argv = {"/bin/sh", "-c", std::string(kLookUp), "sh", name}, .env = env, .user = user_},
        io, {}, Deadline::in(std::chrono::seconds(30)));
    auto program = trim(found);
    if (!exit.ok() || !program.starts_with('/')) return std::nullopt;
    return std::string(program);
  }
  [[nodiscard]] fs::path outside(const std::string& inside) const override {
    const MountPoint* best = nullptr;
    for (const auto& mount : mounts_) {
      bool is_below = inside == mount.target ||
                      (inside.starts_with(mount.target) && inside[mount.target.size()] == '/');
      if (mount.kind == MountPoint::Kind::bind && is_below &&
          (!best || mount.target.size() > best->target.size()))
        best = &mount;
    }
    if (!best)
      fail(Fault::unsupported, "'{}' is inside the job's container, where slipway cannot reach it",
           inside);
    auto rest = inside.substr(best->target.size());
    return rest.empty() ? best->source : best->source / rest.substr(1);
  }
  [[nodiscard]] const MachinePaths& paths() const override { return paths_; }
  [[nodiscard]] bool is_apart() const override { return true; }
  void kill() override { group_->stop(); }
  [[nodiscard]] std::optional<ContainerOrder> container() const override { return container_; }
  [[nodiscard]] bool is_job_container() const override { return is_job_container_; }
  [[nodiscard]] std::optional<RunningService> job_container() const override {
    if (!is_job_container_) return std::nullopt;
    return RunningService{.id = id_, .network = network_.bridge(), .ports = {}};
  }
  [[nodiscard]] const std::map<std::string, std::string>& base_env() const override { return env_; }
  RunningService start_service(const ContainerOrder& order, const OutputSink& sink,
                               std::stop_token stop) override {
    return services_->start(order, endpoint_.netns, sink, std::move(stop));
  }
  os::Exit run_container(const ContainerOrder& order, const std::vector<std::string>& entrypoint,
                         const std::vector<std::string>& args, const OutputSink& sink,
                         std::stop_token stop) override {
    return run_action_container(runtime_, images_, order, entrypoint, args,
                                id_ + "-" + uuid().substr(0, 8), directory_, endpoint_.netns, *this,
                                sink, std::move(stop));
  }

 private:
  container::Runtime& runtime_;
  container::Network& network_;
  ImageSource& images_;
  fs::path directory_;
  std::string id_;
  MachinePaths paths_;
  std::map<std::string, std::string> env_;
  container::User user_;
  std::vector<MountPoint> mounts_;
  ContainerOrder container_;
  bool is_job_container_;
  container::Endpoint endpoint_;
  std::vector<os::Fd> held_;  // ports
  os::Drain left_open_;
  std::unique_ptr<ServiceHost> services_;
  Guarded<std::optional<std::string>> ended_;
  std::unique_ptr<TaskGroup> group_;
};

// The image's bundle and what the run trusts besides; mounted over the image's own.
void trust(const std::string& certificates, const fs::path& directory,
           container::ContainerSpec& spec) {
  auto system = os::read_file_if_exists(fs::path(kBundle)).value_or("");
  if (certificates.empty() && system.empty()) return;
  auto bundle = directory / "ca-bundle.crt";
  os::write_file(bundle, system + "\n" + certificates);
  spec.mounts.push_back({.kind = MountPoint::Kind::bind,
                         .source = bundle,
                         .target = std::string(kBundle),
                         .read_only = true});
  for (const char* name : {"NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE", "SSL_CERT_FILE",
                           "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}) {
    spec.env.try_emplace(name, kBundle);
  }
}

// What a job writes to is its user's, when its image or options name one.
void give_to(const container::User& user, const fs::path& directory, const std::string& name) {
  if (user.uid == 0) return;
  auto work = directory / "work";
  os::make_dirs(work / name / name);
  for (const auto& path : {work, work / "_temp", work / name, work / name / name,
                           work / "_temp/_github_workflow", directory / "home"}) {
    if (::lchown(path.c_str(), user.uid, user.gid) != 0)
      fail(Fault::unavailable, "giving '{}' to user {}: {}", path.string(), user.uid,
           std::generic_category().message(errno));
  }
}

// GitHub mounts its own node as /__e/node20; ours is what the tool cache has, by the same path.
void link_externals(const fs::path& tool_cache, const fs::path& externals) {
  os::make_dirs(externals);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(tool_cache / "node", none)) {
    auto version = entry.path().filename().string();
    for (const char* architecture : {"x64", "arm64"}) {
      if (!fs::exists(entry.path() / architecture / "bin/node", none)) continue;
      auto link = externals / ("node" + version.substr(0, version.find('.')));
      fs::remove(link, none);
      fs::create_symlink(fmt::format("/__t/node/{}/{}", version, architecture), link, none);
    }
  }
}

std::string moved(const std::string& value, const std::string& from, const std::string& to) {
  if (!value.starts_with(from) || (value.size() > from.size() && value[from.size()] != '/'))
    return value;
  return to + value.substr(from.size());
}

}  // namespace

std::unique_ptr<JobMachine> make_image_machine(const ImageMachineOrder& order,
                                               std::unique_ptr<ServiceHost> services,
                                               const OutputSink& sink, std::stop_token stop) {
  auto image = order.images.fetch(order.container.image, order.container.login, sink, stop);
  auto directory = order.job.directory / "container";
  auto spec = spec_of(order.container, image, parse_container_options(order.container.options),
                      order.id, directory);
  spec.rootfs.discard = !order.job.keeps;
  spec.argv = {"/bin/sh", "-c", "while :; do sleep 86400; done"};
  for (const auto& [name, value] : order.env) spec.env.try_emplace(name, value);
  spec.env.try_emplace("PATH", kPlainPath);
  spec.env["HOME"] = "/github/home";
  trust(order.trusted_certificates, directory, spec);

  auto work = order.job.directory / "work";
  const std::pair<fs::path, std::string> mounts[] = {
      {work, "/__w"},
      {order.tool_cache, "/__t"},
      {order.job.directory / "externals", "/__e"},
      {order.job.directory / "home", "/github/home"},
      {work / "_temp/_github_workflow", "/github/workflow"}};
  for (const auto& [source, target] : mounts) {
    os::make_dirs(source);
    spec.mounts.push_back({.kind = MountPoint::Kind::bind, .source = source, .target = target});
  }
  os::make_dirs(work / "_temp");
  link_externals(order.tool_cache, order.job.directory / "externals");
  give_to(spec.user, order.job.directory, repository_name(order.job.repository));
  auto endpoint = order.network.attach(order.id);
  spec.network = {.kind = container::NetworkChoice::Kind::joined, .path = endpoint.netns};
  spec.resolv_conf = "nameserver " + order.network.gateway() + "\n";
  std::string hosts = "127.0.0.1\tlocalhost\n";
  for (const auto& service : order.job.services)
    hosts += services->reserve(service.id) + "\t" + service.id + "\n";
  spec.hosts = hosts;
  auto machine = std::make_unique<ImageMachine>(order, spec, endpoint, std::move(services));
  auto ports = order.container.ports;
  auto more = parse_container_options(order.container.options).ports;
  ports.insert(ports.end(), more.begin(), more.end());
  machine->publish(ports, sink);
  machine->wait_until_running(stop);
  return machine;
}

os::Exit run_action_container(container::Runtime& runtime, ImageSource& images,
                              const ContainerOrder& order,
                              const std::vector<std::string>& entrypoint,
                              const std::vector<std::string>& args, const std::string& id,
                              const fs::path& directory, const fs::path& netns,
                              const JobMachine& machine, const OutputSink& sink,
                              std::stop_token stop) {
  auto image = order.dockerfile.empty() ? images.fetch(order.image, order.login, sink, stop)
                                        : images.build(order.dockerfile, sink, stop);
  auto spec = spec_of(order, image, parse_container_options(order.options), id, directory / id);
  const auto& program = entrypoint.empty() ? image.entrypoint : entrypoint;
  const auto& rest = args.empty() && entrypoint.empty() ? image.command : args;
  spec.argv = program;
  spec.argv.insert(spec.argv.end(), rest.begin(), rest.end());
  spec.network = {.kind = container::NetworkChoice::Kind::joined, .path = netns};
  const auto& paths = machine.paths();
  // The longer paths first: /…/_temp/_github_home is below /…/_temp.
  const std::pair<std::string, std::string> places[] = {
      {paths.workspace, "/github/workspace"},
      {paths.temp + "/_github_workflow", "/github/workflow"},
      {paths.temp + "/_runner_file_commands", "/github/file_commands"},
      {paths.temp + "/_github_home", "/github/home"},
      {paths.temp, "/github/runner_temp"}};
  for (const auto& [inside, target] : places) {
    auto source = machine.outside(inside);
    os::make_dirs(source);
    spec.mounts.push_back({.kind = MountPoint::Kind::bind, .source = source, .target = target});
    for (auto& [name, value] : spec.env) {
      if (name.starts_with("GITHUB_") || name.starts_with("RUNNER_"))
        value = moved(value, inside, target);
    }
  }
  spec.env["HOME"] = "/github/home";
  // The job's PATH means the job's machine, not the image.
  spec.env["PATH"] = image.env.contains("PATH") ? image.env.at("PATH") : std::string(kPlainPath);
  spec.cwd = "/github/workspace";
  container::RunIo io;
  io.sink = sink;
  auto exit = runtime.run(spec, io, steps_of({}), std::move(stop), Deadline::never());
  os::remove_tree(directory / id);
  if (!exit.reason.empty()) fail(Fault::failed, "container {}: {}", order.image, exit.reason);
  return exit.exit;
}

}  // namespace slipway::workflow
