// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/foreground.hpp"
#include "cli/job_images.hpp"
#include "cli/verbs.hpp"
#include "container/crun_runtime.hpp"
#include "container/leftovers.hpp"
#include "formats/json.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "workflow/job_runner.hpp"
#include "workflow/run_store.hpp"
#include "workflow/view_machine.hpp"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;
using formats::Json;

struct KeptJob {
  fs::path directory;  // STATE/runs/ID/kept/JOB
  Json about;
};

KeptJob find_kept(const workflow::RunStore& store, const std::string& run, const std::string& job) {
  if (!store.find(run)) fail(Fault::not_found, "there is no run '{}'; see: slipway runs", run);
  auto all = store.directory_of(run) / "kept";
  auto directory = all / workflow::file_name_of(job);
  auto about = os::read_file_if_exists(directory / "shell.json");
  if (about) return {directory, formats::parse_json(*about, "shell.json")};
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(all, none))
    names.push_back(entry.path().filename().string());
  fail(Fault::not_found, "run {} kept nothing of job '{}'{}", run, job,
       names.empty() ? ": jobs that fail are kept with slipway run --keep"
                     : ": it kept " + join(names, ", "));
}

workflow::MachineOptions options_of(const Surroundings& around, const std::string& name) {
  workflow::MachineOptions options{
      .runtime = {.state = around.state},
      .network = {.state = around.state, .name = name, .names = {}, .upstream = {}},
      .label_images = {},
      .tool_cache = around.state / "toolcache",
      .trusted_certificates = {}};
  if (auto cloud = local_cloud(around.state)) {
    options.trusted_certificates = os::read_file(cloud->get_string("ca_file"));
    if (auto gateway = cloud->get_string("gateway"); !gateway.empty())
      options.network.upstream = {gateway};
  }
  return options;
}

std::map<std::string, std::string> strings_of(const Json& object) {
  std::map<std::string, std::string> strings;
  for (const auto& [name, value] : object.as_object()) strings[name] = value.as_string();
  return strings;
}

std::optional<workflow::ContainerOrder> container_of(const KeptJob& job) {
  const auto* about = job.about.find("container");
  if (!about) return std::nullopt;
  workflow::ContainerOrder order{.image = about->get_string("image"),
                                 .env = strings_of(about->at("env")),
                                 .options = about->get_string("options")};
  for (const auto& volume : about->get_array("volumes"))
    order.volumes.push_back(volume.as_string());
  return order;
}

std::map<std::string, std::string> env_of(const KeptJob& job) {
  auto env = strings_of(job.about.at("env"));
  if (auto own = os::environment(); own.contains("TERM")) env["TERM"] = own["TERM"];
  env["PS1"] = fmt::format("[{}] \\w \\$ ", job.about.get_string("job"));
  return env;
}

int run_in_container(workflow::JobMachine& machine, const KeptJob& job,
                     const std::vector<std::string>& command, const std::stop_token& stop) {
  auto argv = command;
  if (argv.empty()) {
    auto bash = machine.find_program("bash", "/usr/local/bin:/usr/bin:/bin");
    argv = bash ? std::vector<std::string>{*bash, "--norc", "-i"}
                : std::vector<std::string>{"/bin/sh", "-i"};
  }
  return machine
      .exec(
          {.argv = argv,
           .env = env_of(job),
           .cwd = job.about.get_string("directory"),
           .ladder = {},
           .stdin_fd = STDIN_FILENO,
           .stdout_fd = STDOUT_FILENO,
           .stderr_fd = STDERR_FILENO,
           .terminal = has_terminal_input() && ::isatty(STDOUT_FILENO) == 1},
          [](std::string_view) {}, stop)
      .status();
}

// The namespaces of the machine's first process are the job's.
int run_inside(workflow::JobMachine& machine, const KeptJob& job,
               const std::vector<std::string>& given, const std::stop_token& stop) {
  if (machine.container()) return run_in_container(machine, job, given, stop);
  auto pid = machine.first_process();
  if (!pid) fail(Fault::unsupported, "this machine has no processes that can be joined");
  auto command = given.empty() ? std::vector<std::string>{"/bin/bash", "--norc", "-i"} : given;
  auto env = env_of(job);
  std::vector<std::string> argv = {"/usr/bin/nsenter",
                                   "--target",
                                   std::to_string(*pid),
                                   "--mount",
                                   "--uts",
                                   "--ipc",
                                   "--net",
                                   "--pid",
                                   "--root",
                                   "--wdns=" + job.about.get_string("directory"),
                                   "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  auto process = os::Process::spawn({.argv = argv,
                                     .env = env,
                                     .stdin_fd = STDIN_FILENO,
                                     .stdout_fd = STDOUT_FILENO,
                                     .stderr_fd = STDERR_FILENO});
  ForegroundTurn turn(process.pid());
  return process.run(stop, Deadline::never(), std::chrono::seconds(2)).status();
}

int shell(const Invocation& given, Surroundings& around) {
  workflow::RunStore store(around.state / "runs");
  auto run = given.arguments.at(0);
  if (auto all = store.list(); run == "latest" && !all.empty()) run = all.front().id;
  auto job = find_kept(store, run, given.arguments.at(1));
  if (given.has("--discard")) {
    os::remove_tree(job.directory);
    print(fmt::format("discarded what run {} kept of job {}\n", run, job.about.get_string("job")));
    return 0;
  }
  container::RuntimeOptions options{.state = around.state};
  container::sweep(options);
  auto runtime = container::make_crun_runtime(options);
  oci::BlobStore blobs(around.state / "images");
  oci::LayerCache layers(around.state / "images/layers");
  StoreImages images(blobs, layers, *runtime, around.state / "images", around.log);
  workflow::ContainerMachines machines(options_of(around, "shell-" + run), *runtime, images,
                                       around.log);
  workflow::MachineOrder order{.run_id = run,
                               .job = "shell-" + job.directory.filename().string(),
                               .labels = {},
                               .container = container_of(job),
                               .services = {},
                               .repository = job.about.get_string("repository"),
                               .directory = job.directory,
                               .tools = {},
                               .keeps = true};
  auto machine = machines.make(
      order, [](std::string_view) {}, around.stop);
  return run_inside(*machine, job, given.rest, around.stop);
}

}  // namespace

Verb shell_verb() {
  return {.name = "shell",
          .usage = "RUN JOB [--discard] [-- COMMAND…]",
          .summary = "a shell in the machine that a failed job left",
          .options = {{"--discard", Option::Kind::flag, "", "forget it"}},
          .min_arguments = 2,
          .max_arguments = 2,
          .run = shell};
}

}  // namespace slipway::cli
