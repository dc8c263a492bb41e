// SPDX-License-Identifier: Apache-2.0
// Scripts and processes of steps, and the files by which they speak to the runner.
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "workflow/shell.hpp"
#include "workflow/step_files.hpp"
#include "workflow/step_runner.hpp"

namespace slipway::workflow {
namespace {

struct FileKind {
  std::string_view prefix;
  std::string_view context;  // member of `github`
  void (*read)(std::string_view text, StepOutput& output);
};
// In the order in which GitHub reads them.
constexpr FileKind kFileKinds[] = {{"add_path_", "path", read_path_file},
                                   {"set_env_", "env", read_env_file},
                                   {"step_summary_", "step_summary", read_summary_file},
                                   {"save_state_", "state", read_state_file},
                                   {"set_output_", "output", read_output_file}};

void show_header(StepCall& call, const std::string& script, const std::vector<std::string>& argv,
                 const Variables& env) {
  call.output.group(
      call.title.starts_with("Run ")
          ? call.title
          : "Run " + std::string(lines_of(script).empty() ? "" : lines_of(script).front()));
  std::string text = script;
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += "shell: " + join(argv, " ") + "\n";
  if (!env.empty()) {
    text += "env:\n";
    for (const auto& [name, value] : env) text += fmt::format("  {}: {}\n", name, value);
  }
  call.output.say(text);
  call.output.end_group();
}

}  // namespace

StepFiles::StepFiles(JobMachine& machine, StepCall& call) {
  auto inside = machine.paths().temp + "/_runner_file_commands";
  auto directory = machine.outside(inside);
  os::make_dirs(directory);
  auto suffix = uuid();
  auto& github = call.contexts.values["github"];
  for (const auto& kind : kFileKinds) {
    auto name = std::string(kind.prefix) + suffix;
    paths_.push_back(directory / name);
    os::write_file(paths_.back(), "", 0666);
    // Whatever our umask: a container's user writes to them, too.
    std::filesystem::permissions(paths_.back(), static_cast<std::filesystem::perms>(0666));
    github = github.with(kind.context, inside + "/" + name);
  }
}

StepFiles::~StepFiles() {
  std::error_code ignored;  // the machine may be gone
  for (const auto& path : paths_) std::filesystem::remove(path, ignored);
}

void StepFiles::read(StepOutput& output) const {
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    if (auto text = os::read_file_if_exists(paths_[i])) kFileKinds[i].read(*text, output);
  }
}

os::Exit StepRunner::execute(StepCall& call, std::vector<std::string> argv, Variables env,
                             const std::string& cwd) {
  MachineCommand command{
      .argv = std::move(argv), .env = std::move(env), .cwd = cwd, .ladder = job_.ladder};
  auto exit = job_.machine->exec(
      command, [&](std::string_view bytes) { call.output.feed(bytes); }, call.stop);
  call.output.flush();
  return exit;
}

Conclusion StepRunner::run_script(StepCall& call) {
  const auto& step = *call.step;
  auto& machine = *job_.machine;
  auto script = evaluate_text(step.run, call.contexts);
  auto shell = evaluate_text(step.shell, call.contexts);
  auto directory = evaluate_text(step.working_directory, call.contexts);
  if (!call.scope.is_composite) {
    if (shell.empty()) shell = job_.default_shell;
    if (directory.empty()) directory = job_.default_directory;
  }
  StepFiles files(machine, call);
  auto env = process_env(job_, call);
  auto path = env["PATH"];
  auto plan = plan_shell(shell, machine.is_job_container(), [&](std::string_view name) {
    return machine.find_program(std::string(name), path).has_value();
  });
  auto program = machine.find_program(plan.argv.front(), path);
  if (!program) fail(Fault::not_found, "{}: command not found", plan.argv.front());
  plan.argv.front() = *program;

  auto name = uuid() + plan.extension;
  auto inside = machine.paths().temp + "/" + name;
  auto outside = machine.outside(inside);
  os::write_file(outside, plan.before + script + (script.ends_with('\n') ? "" : "\n") + plan.after,
                 0755);
  Variables shown = job_.env;
  for (const Variables* layer :
       std::initializer_list<const Variables*>{&call.scope.env, &call.env}) {
    for (const auto& [key, value] : *layer) shown[key] = value;
  }
  show_header(call, script, plan.argv, shown);
  auto cwd = directory.empty()            ? machine.paths().workspace
             : directory.starts_with('/') ? directory
                                          : machine.paths().workspace + "/" + directory;
  auto kept_env = job_.services.keep_failed ? env : Variables{};
  auto exit = execute(call, with_script(plan, inside), std::move(env), cwd);
  files.read(call.output);
  std::error_code ignored;
  std::filesystem::remove(outside, ignored);
  if (exit.ok()) return Conclusion::success;
  if (call.stop.stop_requested()) return Conclusion::cancelled;
  auto message = fmt::format("Process completed with exit code {}.", exit.status());
  call.output.annotate(Severity::error, message);
  note_error(fmt::format("{}: {}", call.title, message));
  job_.failed_env = std::move(kept_env);
  job_.failed_directory = cwd;
  return Conclusion::failure;
}

}  // namespace slipway::workflow
