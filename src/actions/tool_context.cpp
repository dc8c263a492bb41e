// SPDX-License-Identifier: Apache-2.0
#include "actions/tool_context.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/fd.hpp"

namespace slipway::actions {

std::optional<std::string> ToolContext::input(std::string_view name) const {
  auto found = inputs_.find(to_lower(name));
  return found == inputs_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> ToolContext::route(std::string_view host) const {
  return call_.route ? call_.route(host) : std::nullopt;
}

std::string ToolContext::id_token(const std::string&) {
  fail(Fault::unsupported, "a tool has no OIDC token");
}

void ToolContext::log(std::string_view text) {
  os::write_all(call_.err, text);
  if (!text.ends_with('\n')) os::write_all(call_.err, "\n");
}

void ToolContext::notice(const std::string& message, const workflow::AnnotationPlace&) {
  log(message);
}
void ToolContext::warning(const std::string& message, const workflow::AnnotationPlace&) {
  log("WARNING: " + message);
}
void ToolContext::error(const std::string& message, const workflow::AnnotationPlace&) {
  log("ERROR: " + message);
}

os::Exit ToolContext::run(const std::vector<std::string>& argv,
                          const std::map<std::string, std::string>& more_env,
                          const std::string& cwd) {
  auto env = call_.env;
  for (const auto& [name, value] : more_env) env[name] = value;
  return call_.machine.exec(
      {.argv = argv, .env = std::move(env), .cwd = cwd.empty() ? call_.cwd : cwd, .ladder = {}},
      [this](std::string_view bytes) { os::write_all(call_.err, bytes); }, call_.stop);
}

std::string ToolContext::capture(const std::vector<std::string>& argv, os::Exit& exit) {
  std::string text;
  exit = call_.machine.exec(
      {.argv = argv, .env = call_.env, .cwd = call_.cwd, .ladder = {}},
      [&](std::string_view bytes) { text += bytes; }, call_.stop);
  return text;
}

std::string ToolContext::output(const std::string& name) const {
  auto found = outputs_.find(name);
  return found == outputs_.end() ? "" : found->second;
}

void ToolContext::print(std::string_view text) { os::write_all(call_.out, text); }

}  // namespace slipway::actions
