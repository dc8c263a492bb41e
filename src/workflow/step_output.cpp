// SPDX-License-Identifier: Apache-2.0
#include "workflow/step_output.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "workflow/env_file.hpp"

namespace slipway::workflow {

void Reporter::emit(RunEvent event) const {
  event.run = run_;
  event.job = job_;
  event.at_ms = formats::now().time_since_epoch().count();
  sink_.on(event);
}

namespace {

constexpr std::size_t kLongestShownLine = 1U << 20;
constexpr std::size_t kLongestMessage = 4096;
constexpr std::size_t kLargestSummary = 1U << 20;
constexpr int kMostAnnotations = 10;

int line_number_of(const std::string& text) {
  auto number = to_integer(text);
  return number && *number > 0 && *number < 1'000'000'000 ? static_cast<int>(*number) : 0;
}

AnnotationPlace place_of(const LogCommand& command) {
  AnnotationPlace place{.title = command.property("title"),
                        .file = command.property("file"),
                        .line = line_number_of(command.property("line")),
                        .end_line = line_number_of(command.property("endLine")),
                        .column = line_number_of(command.property("col")),
                        .end_column = line_number_of(command.property("endColumn"))};
  if (place.line == 0 && place.end_line != 0) place.line = place.end_line;
  if (place.line == 0) place.column = place.end_column = 0;  // a column without a line says nothing
  return place;
}

}  // namespace

StepOutput::StepOutput(const Reporter& reporter, StepLabel label, Masker& masker, bool& echo,
                       StepOutputOptions options)
    : reporter_(reporter),
      label_(std::move(label)),
      masker_(masker),
      echo_(echo),
      options_(options) {
  if (options_.matchers) problems_.emplace(options_.matchers->matchers);
}

void StepOutput::report(RunEvent event) {
  event.step = label_.number;
  event.step_name = label_.name;
  event.step_id = label_.id;
  reporter_.emit(std::move(event));
}

void StepOutput::report_output(std::string_view text) {
  if (text.empty()) return;
  report({.kind = EventKind::output, .text = masker_.mask(text)});
}

void StepOutput::feed(std::string_view bytes) {
  std::lock_guard lock(mutex_);
  auto last = bytes.rfind('\n');
  if (last == std::string_view::npos) {
    partial_ += bytes;
    if (partial_.size() >= kLongestShownLine) cut_line();
    return;
  }
  auto whole = bytes.substr(0, last + 1);
  if (partial_.empty()) {
    feed_lines(whole);
  } else {
    partial_ += whole;
    feed_lines(std::exchange(partial_, {}));
  }
  partial_ = bytes.substr(last + 1);
}

// Not within a secret: its halves would not be masked.
void StepOutput::cut_line() {
  auto end = masker_.settled(partial_);
  if (end == 0 && partial_.size() < 4 * kLongestShownLine) return;
  if (end == 0) end = partial_.size();
  auto rest = partial_.substr(end);
  partial_.resize(end);
  partial_ += '\n';
  feed_lines(std::exchange(partial_, std::move(rest)));
}

void StepOutput::flush() {
  std::lock_guard lock(mutex_);
  if (!partial_.empty()) {
    partial_ += '\n';
    feed_lines(std::exchange(partial_, {}));
  }
  stop_token_.clear();
  while (open_groups_ > 0) end_group_locked();
}

// A block without any command, nearly every one, is masked and reported as a whole.
void StepOutput::feed_lines(std::string_view block) {
  bool is_watched = problems_ && !problems_->is_idle();
  if (!is_watched && stop_token_.empty() && !may_hold_command(block)) {
    report_output(block);
    return;
  }
  while (!block.empty()) {
    auto end = block.find('\n');
    feed_line(block.substr(0, end + 1));
    block.remove_prefix(end + 1);
  }
}

void StepOutput::feed_line(std::string_view line) {
  auto text = line;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (!stop_token_.empty()) {
    auto command = parse_command(text, {stop_token_});
    if (!command) return report_output(line);
    stop_token_.clear();
    return report_output(line);
  }
  auto command = parse_command(text, registered_commands());
  if (command) {
    line_ = text;
    obey(*command, line);
    line_ = {};
    return;
  }
  report_output(line);
  if (!problems_) return;
  if (auto problem = problems_->take(text)) tell_problem(*problem);
}

// The line itself is in the log already.
void StepOutput::tell_problem(const MatchedProblem& problem) {
  auto& count = annotations_[static_cast<std::size_t>(problem.severity)];
  if (++count > kMostAnnotations) return;
  AnnotationPlace place{.title = masker_.mask(problem.code),
                        .line = problem.line,
                        .column = problem.line > 0 ? problem.column : 0};
  if (!problem.file.empty())
    place.file = masker_.mask(options_.matchers->place_of(problem.file, problem.from_path));
  auto message = masker_.mask(problem.message);
  if (message.size() > kLongestMessage) message.resize(kLongestMessage);
  report({.kind = EventKind::annotation,
          .text = std::move(message),
          .severity = problem.severity,
          .place = std::move(place),
          .is_shown = true});
}

void StepOutput::change_matchers(const LogCommand& command, bool adds) {
  if (!options_.matchers) return fail_command("problem matchers are not known here");
  auto owner = adds ? "" : command.property("owner");
  auto path = std::string(trim(command.data));
  if (owner.empty() == path.empty()) {
    return annotate_locked(Severity::warning,
                           adds ? "File path must be specified."
                           : owner.empty()
                               ? "Either an owner name or a file path must be specified in "
                                 "##[remove-matcher] command."
                               : "Either specify an owner name or a file path in "
                                 "##[remove-matcher] command. Both values cannot be set.",
                           {});
  }
  try {
    if (!owner.empty()) return options_.matchers->matchers.remove(owner);
    auto json = formats::parse_json(options_.matchers->read(path), path);
    if (adds) {
      options_.matchers->matchers.add(read_matchers(json));
    } else {
      for (const auto& one : json.get_array("problemMatcher"))
        options_.matchers->matchers.remove(one.get_string("owner"));
    }
  } catch (const Error& error) {
    fail_command(fmt::format("The problem matcher cannot be used: {}", error.what()));
  }
}

void StepOutput::fail_command(const std::string& message) {
  annotate_locked(Severity::error,
                  fmt::format("Unable to process command '{}' successfully.", trim(line_)), {});
  annotate_locked(Severity::error, message, {});
  effects_.command_failed = true;
}

void StepOutput::obey(const LogCommand& command, std::string_view line) {
  auto name = to_lower(command.name);
  if (name == "error" || name == "warning" || name == "notice") {
    auto severity = name == "error"     ? Severity::error
                    : name == "warning" ? Severity::warning
                                        : Severity::notice;
    return annotate_locked(severity, command.data, place_of(command));
  }
  if (name == "group") {
    ++open_groups_;
    return report({.kind = EventKind::group_started, .text = masker_.mask(command.data)});
  }
  if (name == "endgroup") return end_group_locked();
  if (name == "debug") {
    if (options_.show_debug) say_locked("##[debug]" + command.data + "\n");
    return;
  }
  if (name == "add-mask") {
    if (trim(command.data).empty()) {
      return annotate_locked(Severity::warning,
                             "Can't add secret mask for empty string in ##[add-mask] command.", {});
    }
    masker_.add(command.data);
    if (echo_) report_output("::add-mask::***\n");
    return;
  }
  if (name == "stop-commands") return stop_commands(command, line);
  if (echo_) report_output(line);
  if (name == "add-matcher" || name == "remove-matcher")
    return change_matchers(command, name == "add-matcher");
  if (name == "echo") {
    auto wanted = to_lower(trim(command.data));
    if (wanted != "on" && wanted != "off") {
      return fail_command(
          fmt::format("Invalid echo command value. Possible values can be: 'on', 'off'. Current "
                      "value is: '{}'.",
                      command.data));
    }
    echo_ = wanted == "on";
  } else if (name == "set-output" || name == "save-state") {
    auto key = command.property("name");
    if (key.empty())
      return fail_command(fmt::format("Required field 'name' is missing in ##[{}] command.", name));
    if (name == "set-output") {
      effects_.outputs.emplace_back(key, command.data);
    } else {
      effects_.state[key] = command.data;
    }
    annotate_locked(Severity::warning,
                    fmt::format("The `{}` command is deprecated and will be disabled soon. Please "
                                "upgrade to using Environment "
                                "Files.",
                                name),
                    {});
  } else if (name == "set-env" || name == "add-path") {
    if (!options_.allow_unsecure_commands) {
      return fail_command(
          fmt::format("The `{}` command is disabled. Please upgrade to using Environment Files or "
                      "opt into unsecure "
                      "command execution by setting the `ACTIONS_ALLOW_UNSECURE_COMMANDS` "
                      "environment variable to "
                      "`true`.",
                      name));
    }
    if (name == "add-path") {
      if (command.data.empty()) return fail_command("the directory of ::add-path:: is missing");
      effects_.path.push_back(command.data);
      return;
    }
    auto variable = command.property("name");
    if (variable.empty())
      return fail_command("Required field 'name' is missing in ##[set-env] command.");
    if (equals_ignoring_case(variable, "NODE_OPTIONS")) {
      return annotate_locked(
          Severity::error,
          "Can't update NODE_OPTIONS environment variable using ::set-env:: command.", {});
    }
    effects_.env.emplace_back(variable, command.data);
  }
}

void StepOutput::stop_commands(const LogCommand& command, std::string_view line) {
  const auto& token = command.data;
  bool is_valid = !trim(token).empty() && !registered_commands().contains(token) &&
                  !equals_ignoring_case(token, "pause-logging");
  if (!is_valid && !options_.allow_any_stop_token) {
    return fail_command("Invoked ::stop-commands:: with token: [" + token +
                        "] which is not allowed. To opt into unsecure tokens, set "
                        "ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS=true");
  }
  if (token.empty()) return;
  stop_token_ = token;
  if (token.size() > 6) masker_.add(token);
  report_output(line);
}

void StepOutput::say(std::string_view text) {
  std::lock_guard lock(mutex_);
  say_locked(text);
}

void StepOutput::say_locked(std::string_view text) {
  if (text.empty()) return;
  std::string lines(text);
  if (lines.back() != '\n') lines += '\n';
  report_output(lines);
}

void StepOutput::group(std::string_view title) {
  std::lock_guard lock(mutex_);
  ++open_groups_;
  report({.kind = EventKind::group_started, .text = masker_.mask(title)});
}

void StepOutput::end_group() {
  std::lock_guard lock(mutex_);
  end_group_locked();
}

void StepOutput::end_group_locked() {
  if (open_groups_ == 0) return;
  --open_groups_;
  report({.kind = EventKind::group_ended});
}

void StepOutput::annotate(Severity severity, std::string message, AnnotationPlace place) {
  std::lock_guard lock(mutex_);
  annotate_locked(severity, std::move(message), std::move(place));
}

void StepOutput::annotate_locked(Severity severity, std::string message, AnnotationPlace place) {
  auto masked = masker_.mask(message);
  auto& count = annotations_[static_cast<std::size_t>(severity)];
  if (++count > kMostAnnotations) {
    say_locked(fmt::format("##[{}]{}", name_of(severity), masked));
    return;
  }
  if (masked.size() > kLongestMessage) masked.resize(kLongestMessage);
  place.title = masker_.mask(place.title);
  place.file = masker_.mask(place.file);
  report({.kind = EventKind::annotation,
          .text = std::move(masked),
          .severity = severity,
          .place = std::move(place)});
}

void StepOutput::summarise(std::string_view markdown) {
  std::lock_guard lock(mutex_);
  if (markdown.empty()) return;
  if (markdown.size() > kLargestSummary) {
    return annotate_locked(
        Severity::error,
        fmt::format(
            "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {}k, got {}k",
            kLargestSummary / 1024, markdown.size() / 1024),
        {});
  }
  report({.kind = EventKind::summary, .text = masker_.mask(markdown)});
}

namespace {

EnvFile read_pairs(std::string_view text, std::string_view context, StepOutput& output) {
  auto file = parse_env_file(text);
  if (file.problem) {
    output.annotate(Severity::error,
                    fmt::format("Unable to process file command '{}' successfully.", context));
    output.annotate(Severity::error, *file.problem);
    output.effects().command_failed = true;
  }
  return file;
}

}  // namespace

void read_env_file(std::string_view text, StepOutput& output) {
  for (auto& [name, value] : read_pairs(text, "env", output).entries) {
    if (equals_ignoring_case(name, "NODE_OPTIONS")) {
      output.annotate(
          Severity::error,
          fmt::format("Can't store {} output parameter using '$GITHUB_ENV' command.", name));
      continue;
    }
    output.effects().env.emplace_back(std::move(name), std::move(value));
  }
}

void read_output_file(std::string_view text, StepOutput& output) {
  for (auto& entry : read_pairs(text, "output", output).entries)
    output.effects().outputs.push_back(std::move(entry));
}

void read_state_file(std::string_view text, StepOutput& output) {
  for (auto& [name, value] : read_pairs(text, "state", output).entries)
    output.effects().state[name] = std::move(value);
}

void read_path_file(std::string_view text, StepOutput& output) {
  for (auto& path : parse_path_file(text)) output.effects().path.push_back(std::move(path));
}

void read_summary_file(std::string_view text, StepOutput& output) { output.summarise(text); }

}  // namespace slipway::workflow
