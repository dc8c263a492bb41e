// SPDX-License-Identifier: Apache-2.0
#include "cli/parse.hpp"

#include <CLI/CLI.hpp>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::cli {
namespace {

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--state", globals.state, "where state is kept")->type_name("DIR");
  app.add_flag("--json", globals.json, "machine-readable result");
  app.add_flag("-q,--quiet", globals.quiet, "no progress");
  app.add_flag("--no-color", globals.no_color, "no colours");
  app.add_option("--log-level", globals.log_level, "error, warn, info or debug")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}));
}

// "-f,--file" -> "--file"; "-f" -> "-f".
std::string long_name(const std::string& names) {
  auto parts = split(names, ',');
  for (const auto& part : parts) {
    if (part.starts_with("--")) return part;
  }
  return parts.front();
}

void add_option(CLI::App& app, const Option& option, Invocation& invocation) {
  std::string name = long_name(option.name);
  if (option.kind == Option::Kind::flag) {
    app.add_flag_function(
        option.name, [&invocation, name](std::int64_t) { invocation.given[name]; }, option.help);
    return;
  }
  bool is_list = option.kind == Option::Kind::list;
  app.add_option_function<std::vector<std::string>>(
         option.name,
         [&invocation, name](const std::vector<std::string>& values) {
           invocation.given[name] = values;
         },
         option.help)
      ->type_name(option.placeholder)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(is_list ? CLI::MultiOptionPolicy::TakeAll
                                    : CLI::MultiOptionPolicy::TakeLast);
}

void parse_verb(const Verb& verb, std::vector<std::string> words, Globals& globals,
                Invocation& invocation) {
  CLI::App app(verb.summary, "slipway " + verb.name);
  app.set_help_flag();
  app.allow_extras(false);
  add_globals(app, globals);
  for (const auto& option : verb.options) add_option(app, option, invocation);
  app.add_option("arguments", invocation.arguments)->expected(0, -1);
  for (auto& word : words) {
    if (word == "--") break;
    for (const auto& option : verb.options) {
      if (option.kind == Option::Kind::choice && word == long_name(option.name)) word += "=true";
    }
  }
  std::reverse(words.begin(), words.end());  // CLI11 takes its words from the back
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    fail(Fault::bad_input, "{}\nusage: slipway {} {}\nsee: slipway {} --help", error.what(),
         verb.name, verb.usage, verb.name);
  }
  auto count = static_cast<int>(invocation.arguments.size());
  if (count < verb.min_arguments || (verb.max_arguments >= 0 && count > verb.max_arguments)) {
    fail(Fault::bad_input, "{}\nusage: slipway {} {}",
         count < verb.min_arguments
             ? "an argument is missing"
             : fmt::format("too many arguments: '{}'", invocation.arguments.back()),
         verb.name, verb.usage);
  }
}

// The words before the verb: global options only. Returns where the verb stands, or words.size().
std::size_t parse_leading(const std::vector<std::string>& words, Globals& globals) {
  std::size_t at = 0;
  while (at < words.size() && words[at].starts_with("-")) {
    const auto& word = words[at];
    if (word == "-h" || word == "--help") return words.size();
    bool takes_value = word == "--state" || word == "--log-level";
    at += takes_value ? 2 : 1;
  }
  at = std::min(at, words.size());
  std::vector<std::string> leading(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
  Invocation none;
  Verb top{.name = "[global options]", .usage = "VERB …", .max_arguments = 0};
  if (!leading.empty()) parse_verb(top, leading, globals, none);
  return at;
}

}  // namespace

std::optional<std::string> Invocation::value(const std::string& name) const {
  auto it = given.find(name);
  if (it == given.end() || it->second.empty()) return std::nullopt;
  return it->second.back();
}

std::string Invocation::value_or(const std::string& name, std::string fallback) const {
  return value(name).value_or(std::move(fallback));
}

std::vector<std::string> Invocation::values(const std::string& name) const {
  auto it = given.find(name);
  return it == given.end() ? std::vector<std::string>{} : it->second;
}

std::variant<Parsed, ShowHelp> parse(int argc, const char* const* argv,
                                     std::span<const Verb> verbs) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (words == std::vector<std::string>{"--version"})
    words = {"version"};  // as most programs have it
  Parsed parsed;
  std::size_t at = parse_leading(words, parsed.globals);
  if (at == words.size() || words[at] == "help") {
    return ShowHelp{at + 1 < words.size() ? words[at + 1] : ""};
  }
  std::string name = words[at];
  std::vector<std::string> own(words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
  auto dashes = std::find(own.begin(), own.end(), "--");
  if (dashes != own.end()) {
    parsed.invocation.rest.assign(dashes + 1, own.end());
    own.erase(dashes, own.end());
  }
  for (const auto& verb : verbs) {
    if (verb.name != name) continue;
    if (std::find(own.begin(), own.end(), "--help") != own.end()) return ShowHelp{name};
    parsed.verb = &verb;
    parse_verb(verb, own, parsed.globals, parsed.invocation);
    return parsed;
  }
  // The verbs of the command line's contract that no room carries yet.
  static constexpr std::array kPlanned = {
      "lint",      "events",  "logs",     "runs",   "image",   "prune",  "registry",
      "bootstrap", "deploy",  "diff",     "verify", "promote", "resume", "exec",
      "task",      "audit",   "init",     "serve",  "approve", "shell",  "completion",
      "expr",      "plan",    "run",      "build",  "up",      "down",   "cloud",
      "status",    "history", "rollback", "tail",   "doctor"};
  if (std::find(kPlanned.begin(), kPlanned.end(), name) != kPlanned.end()) {
    fail(Fault::unsupported, "'{}' is not supported yet: this version of slipway has no such verb",
         name);
  }
  fail(Fault::bad_input, "no verb '{}'; see: slipway --help", name);
}

}  // namespace slipway::cli
