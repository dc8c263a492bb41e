// SPDX-License-Identifier: Apache-2.0
#include "workflow/builtin_context.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/run_spans.hpp"

namespace slipway::workflow {

BuiltinContext::BuiltinContext(JobState& job, StepCall& call, const Variables& inputs,
                               ActionState& state)
    : job_(job),
      call_(call),
      inputs_(inputs),
      state_(state),
      env_(process_env(job, call)),
      github_(call.contexts.values.at("github").to_json()) {}

std::optional<std::string> BuiltinContext::input(std::string_view name) const {
  auto found = inputs_.find(to_lower(name));
  if (found == inputs_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::string> BuiltinContext::state(const std::string& name) const {
  auto found = state_.saved.find(name);
  if (found == state_.saved.end()) return std::nullopt;
  return found->second;
}

std::string BuiltinContext::trace_parent() const {
  return formats::print_traceparent(
      step_span(job_.order.facts.trace, job_.reporter.job(), call_.output.label().number));
}

std::optional<std::string> BuiltinContext::route(std::string_view host) const {
  return job_.services.route ? job_.services.route(host) : std::nullopt;
}

std::string BuiltinContext::id_token(const std::string& audience) {
  if (!job_.grant || job_.grant->token.empty() || !job_.services.toolkit) {
    fail(Fault::denied,
         "Credentials could not be loaded, please check your action inputs: the job has no OIDC "
         "token; it needs "
         "'permissions: id-token: write'");
  }
  auto token = job_.services.toolkit->id_token(*job_.grant, audience);
  job_.masker.add(token);
  return token;
}

void BuiltinContext::set_output(const std::string& name, const std::string& value) {
  call_.output.effects().outputs.emplace_back(name, value);
}
void BuiltinContext::set_env(const std::string& name, const std::string& value) {
  call_.output.effects().env.emplace_back(name, value);
}
void BuiltinContext::add_path(const std::string& directory) {
  call_.output.effects().path.push_back(directory);
}
void BuiltinContext::save_state(const std::string& name, const std::string& value) {
  state_.saved[name] = value;
}
void BuiltinContext::mask(const std::string& value) { job_.masker.add(value); }
void BuiltinContext::log(std::string_view text) { call_.output.say(text); }
void BuiltinContext::group(std::string_view title) { call_.output.group(title); }
void BuiltinContext::end_group() { call_.output.end_group(); }
void BuiltinContext::notice(const std::string& message, const AnnotationPlace& place) {
  call_.output.annotate(Severity::notice, message, place);
}
void BuiltinContext::warning(const std::string& message, const AnnotationPlace& place) {
  call_.output.annotate(Severity::warning, message, place);
}
void BuiltinContext::error(const std::string& message, const AnnotationPlace& place) {
  call_.output.annotate(Severity::error, message, place);
}
void BuiltinContext::summary(std::string_view markdown) { call_.output.summarise(markdown); }

os::Exit BuiltinContext::run(const std::vector<std::string>& argv,
                             const std::map<std::string, std::string>& more_env,
                             const std::string& cwd) {
  auto env = env_;
  for (const auto& [name, value] : more_env) env[name] = value;
  call_.output.say("[command]" + join(argv, " "));
  std::string partial;
  auto exit = job_.machine->exec(
      {.argv = argv,
       .env = std::move(env),
       .cwd = cwd.empty() ? job_.machine->paths().workspace : cwd,
       .ladder = job_.ladder},
      [&](std::string_view bytes) {
        partial += bytes;
        auto end = partial.rfind('\n');
        if (end == std::string::npos) return;
        call_.output.say(std::string_view(partial).substr(0, end + 1));
        partial.erase(0, end + 1);
      },
      call_.stop);
  call_.output.say(partial);
  return exit;
}

std::string BuiltinContext::capture(const std::vector<std::string>& argv, os::Exit& exit) {
  std::string text;
  exit = job_.machine->exec(
      {.argv = argv, .env = env_, .cwd = job_.machine->paths().workspace, .ladder = job_.ladder},
      [&](std::string_view bytes) { text += bytes; }, call_.stop);
  return text;
}

}  // namespace slipway::workflow
