// SPDX-License-Identifier: Apache-2.0
#include "aws/client.hpp"
#include "aws/session.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/aws_access.hpp"
#include "cli/environment_access.hpp"
#include "cli/raw_terminal.hpp"
#include "cli/verbs.hpp"
#include "deploy/exec_session.hpp"
#include "ledger/ledger.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

// Where a session's output goes: as it comes on a terminal, with plain line ends elsewhere, into the result with --json.
class Screen final {
 public:
  Screen(bool is_terminal, bool keeps) : is_terminal_(is_terminal), keeps_(keeps) {}
  void show(std::string text) {
    if (!is_terminal_) {
      text = std::exchange(held_, {}) + text;
      if (text.ends_with('\r')) {
        held_ = "\r";
        text.pop_back();
      }
      text = replace_all(std::move(text), "\r\n", "\n");
    }
    if (keeps_) {
      kept_ += text;
    } else if (!text.empty()) {
      print(text);
    }
  }
  [[nodiscard]] const std::string& kept() const { return kept_; }

 private:
  bool is_terminal_;
  bool keeps_;
  std::string held_;
  std::string kept_;
};

// The cluster of a service: where this machine deployed it, else where the repository says that it is.
std::string cluster_of(const Surroundings& around, const ledger::Ledger& ledger,
                       const std::string& environment, const std::string& service) {
  if (auto release = ledger.latest(environment, service)) return release->cluster;
  std::optional<EnvironmentView> view;
  try {
    view = read_environment(around, environment, "");
  } catch (const Error& error) {
    fail(Fault::not_found, "no service '{}' was deployed to '{}' from here, and {}", service,
         environment, error.what());
  }
  for (const auto& one : view->need.services) {
    if (one.name == service) return view->need.cluster;
  }
  fail(Fault::not_found, "the environment '{}' has no service '{}'", environment, service);
}

int exec(const Invocation& given, Surroundings& around) {
  const std::string& environment = given.arguments[0];
  const std::string& service = given.arguments[1];
  ledger::Ledger ledger(around.state / "ledger.db");
  std::string cluster = cluster_of(around, ledger, environment, service);
  aws::Client client(aws_access(around.state));
  deploy::ClientCalls calls(client);
  bool at_terminal = is_at_terminal() && !around.json;
  bool is_marked = !given.rest.empty() && !given.has("--plain");
  deploy::MarkedCommand command(given.rest, at_terminal);
  std::string line = is_marked            ? command.line()
                     : given.rest.empty() ? "/bin/sh"
                                          : deploy::quote_words(given.rest);
  auto opened = deploy::open_session(calls, cluster, service, given.value_or("--task", ""),
                                     given.value_or("--container", ""), line, around.stop);
  ledger.append("exec",
                Json::object({{"environment", environment},
                              {"service", service},
                              {"task", opened.task},
                              {"command", given.rest.empty() ? line : join(given.rest, " ")},
                              {"who", user_name()}}));
  Screen screen(at_terminal, around.json);
  aws::SessionEnds ends;
  ends.input_fd = 0;
  if (!at_terminal) ends.end_of_input = "\x04";
  ends.window = window_size;
  ends.takes_input = [&] { return !is_marked || command.has_begun(); };
  ends.output = [&](std::string_view bytes) {
    screen.show(is_marked ? command.take(bytes) : std::string(bytes));
  };
  std::optional<RawTerminal> raw;
  if (at_terminal) raw.emplace();
  std::string said = aws::run_session(client.config(), opened.session, ends, around.stop);
  bool was_seen_to_end = !is_marked || command.exit_code().has_value();
  if (!was_seen_to_end) screen.show(command.rest());
  raw.reset();
  if (!said.empty()) print_error("slipway: the session ended: " + said + "\n");
  int code = is_marked ? command.exit_code().value_or(1) : said.empty() ? 0 : 1;
  if (around.json) {
    Json out = Json::object({{"task", opened.task},
                             {"container", opened.container},
                             {"exitCode", nullptr},
                             {"output", screen.kept()}});
    if (is_marked && was_seen_to_end) out["exitCode"] = code;
    print(out.dump() + "\n");
  }
  return code;
}

}  // namespace

Verb exec_verb() {
  return {
      .name = "exec",
      .usage = "ENV SERVICE [--task ID] [--container NAME] [--plain] [-- CMD]",
      .summary = "a shell in a running task",
      .options = {{"--task", Option::Kind::value, "ID", "default: the newest that runs"},
                  {"--container", Option::Kind::value, "NAME", "default: the task's only one"},
                  {"--plain", Option::Kind::flag, "",
                   "CMD as it is, without the container's /bin/sh; its exit code stays unknown"}},
      .min_arguments = 2,
      .max_arguments = 2,
      .run = exec};
}

}  // namespace slipway::cli
