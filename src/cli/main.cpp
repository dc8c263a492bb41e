// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/pages.hpp"
#include "cli/parse.hpp"
#include "cli/verbs.hpp"
#include "container/crun_runtime.hpp"
#include "container/host_view.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/user_namespace.hpp"
#include "workflow/tool_socket.hpp"

namespace slipway::cli {
namespace {

// In the order in which they are listed.
std::vector<Verb> all_verbs() {
  return {up_verb(),       down_verb(),    run_verb(),    plan_verb(),      lint_verb(),
          expr_verb(),     runs_verb(),    events_verb(), approve_verb(),   shell_verb(),
          logs_verb(),     build_verb(),   image_verb(),  registry_verb(),  prune_verb(),
          status_verb(),   deploy_verb(),  diff_verb(),   verify_verb(),    history_verb(),
          rollback_verb(), promote_verb(), resume_verb(), tail_verb(),      exec_verb(),
          task_verb(),     audit_verb(),   cloud_verb(),  bootstrap_verb(), init_verb(),
          doctor_verb(),   version_verb()};
}

int exit_code_of(Fault fault) {
  switch (fault) {
    case Fault::bad_input:
    case Fault::unsupported:
      return 2;
    case Fault::unavailable:
      return 3;
    case Fault::not_found:
    case Fault::denied:
    case Fault::conflict:
    case Fault::failed:
      break;
  }
  return 1;
}

std::string variable(const char* name) {
  const char* value =
      std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  return value ? value : "";
}

std::filesystem::path current_directory() {
  std::error_code error;
  auto path = std::filesystem::current_path(error);
  if (error)
    fail(Fault::bad_input,
         "the directory that slipway was started in is gone ({}); cd to another one",
         error.message());
  return path;
}

std::filesystem::path state_dir(const Globals& globals) {
  std::filesystem::path path;
  if (globals.state) {
    path = *globals.state;
  } else if (auto own = variable("SLIPWAY_STATE"); !own.empty()) {
    path = own;
  } else if (auto xdg = variable("XDG_STATE_HOME"); !xdg.empty()) {
    path = std::filesystem::path(xdg) / "slipway";
  } else if (auto home = variable("HOME"); !home.empty()) {
    path = std::filesystem::path(home) / ".local/state/slipway";
  } else {
    fail(Fault::bad_input, "no place for state: give --state DIR, or set SLIPWAY_STATE or HOME");
  }
  if (path.is_relative()) path = current_directory() / path;
  path = path.lexically_normal();
  os::make_dirs(path);
  return path;
}

Level level_of(const std::string& name) {
  return name == "error"   ? Level::error
         : name == "info"  ? Level::info
         : name == "debug" ? Level::debug
                           : Level::warn;
}

std::string overview(const std::vector<Verb>& verbs) {
  std::string text =
      "slipway: push to deploy, from a GitHub Actions workflow to ECS Fargate\n\nusage: slipway "
      "VERB [options]\n\n";
  for (const auto& verb : verbs) text += fmt::format("  {:<10} {}\n", verb.name, verb.summary);
  return text +
         "\nslipway VERB --help explains a verb.\n"
         "Everywhere: --state DIR, --json, -q/--quiet, --no-color, --log-level LEVEL\n";
}

int show_help(const ShowHelp& help, const std::vector<Verb>& verbs) {
  if (help.verb.empty()) {
    print(overview(verbs));
    return 0;
  }
  for (const auto& verb : verbs) {
    if (verb.name != help.verb) continue;
    if (auto text = page(verb.name)) {
      print(*text);
      return 0;
    }
    std::string text = fmt::format("slipway {} {}\n\n{}\n", verb.name, verb.usage, verb.summary);
    for (const auto& option : verb.options) {
      text += fmt::format("  {:<28} {}\n", option.name + " " + option.placeholder, option.help);
    }
    print(text);
    return 0;
  }
  fail(Fault::bad_input, "no verb '{}'; see: slipway --help", help.verb);
}

// Ctrl-C and SIGTERM ask everything to stop; they reach us through a signalfd on a thread of their own, so that no code
// runs in a signal's context.
class Interrupts final {
 public:
  Interrupts() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGPIPE);  // a broken pipe is an error of the write
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    sigdelset(&signals, SIGPIPE);
    fd_ = os::Fd(::signalfd(-1, &signals, SFD_CLOEXEC));
    thread_ = std::thread([this] { watch(); });
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts() {
    end_.write.reset();
    thread_.join();
  }
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] std::stop_token second() const { return second_.get_token(); }

 private:
  // Until the write end of end_ is closed.
  void watch() {
    for (;;) {
      std::array<pollfd, 2> fds = {{{fd_.get(), POLLIN, 0}, {end_.read.get(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[1].revents != 0) return;
      signalfd_siginfo info{};
      if (::read(fd_.get(), &info, sizeof info) > 0 && !source_.request_stop())
        second_.request_stop();
    }
  }

  std::stop_source source_;
  std::stop_source second_;
  os::Fd fd_;
  os::Pipe end_ = os::make_pipe();
  std::thread thread_;
};

int run(int argc, char** argv) {
  auto verbs = all_verbs();
  auto parsed = parse(argc, argv, verbs);
  if (auto* help = std::get_if<ShowHelp>(&parsed)) return show_help(*help, verbs);
  auto& command = std::get<Parsed>(parsed);
  Interrupts interrupts;
  FdLog log(STDERR_FILENO, level_of(command.globals.log_level));
  bool terminal = ::isatty(STDERR_FILENO) != 0;
  Surroundings around{
      .state = state_dir(command.globals),
      .cwd = current_directory(),
      .json = command.globals.json,
      .quiet = command.globals.quiet,
      .color = terminal && !command.globals.no_color && variable("NO_COLOR").empty(),
      .terminal = terminal,
      .log = log,
      .server_url = variable("GITHUB_SERVER_URL"),
      .stop = interrupts.token(),
      .hurry = interrupts.second()};
  try {
    return command.verb->run(command.invocation, around);
  } catch (const Cancelled&) {
    print_error("slipway: cancelled\n");
    return 130;
  }
}

// The verb that an ordinary user's namespace is enough for.
bool is_build(int argc, char** argv) {
  bool wants_help = std::any_of(argv + 1, argv + argc, [](std::string_view word) {
    return word == "--help" || word == "-h";
  });
  if (wants_help) return false;
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--state" || word == "--log-level") {
      ++i;  // its value
    } else if (!word.starts_with('-')) {
      return word == "build";
    }
  }
  return false;
}

}  // namespace

void print(std::string_view text) { os::write_all(STDOUT_FILENO, text); }
void print_error(std::string_view text) { os::write_all(STDERR_FILENO, text); }

}  // namespace slipway::cli

int main(int argc, char** argv) {
  using namespace slipway;
  // Containers' supervisors and the first process of a job's machine are this program too.
  std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "container-shim") return container::run_shim(argc, argv);
  if (role == "container-init") return container::run_init(argc, argv);
  if (role == os::kWhenTold && argc > 2) return os::run_when_told(argv + 2);
  try {
    if (::geteuid() != 0 && cli::is_build(argc, argv))
      os::enter_user_namespace();  // while there is one thread
    if (role == "job-tool" && argc > 2)
      return workflow::call_job_tool(argc - 2, argv + 2);  // a program of a job's machine
    return cli::run(argc, argv);
  } catch (const Error& error) {
    std::cerr << "slipway: " << error.what() << '\n';
    return cli::exit_code_of(error.fault());
  } catch (const std::exception& error) {
    std::cerr << "slipway: internal error: " << error.what() << '\n';
    return 3;
  }
}
