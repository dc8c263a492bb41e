// SPDX-License-Identifier: Apache-2.0
#include "deploy/verdict.hpp"

#include <csignal>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/task_definition.hpp"

namespace slipway::deploy {
namespace {

using formats::Json;

std::string one_line(std::string text, std::size_t most = 300) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  text = std::string(trim(text));
  if (text.size() <= most) return text;
  text.resize(most);
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80)
    text.pop_back();  // not inside a character
  return text + "…";
}

std::string signal_name(int number) {
  const char* brief = sigabbrev_np(number);
  return brief ? fmt::format("signal {} (SIG{})", number, brief) : fmt::format("signal {}", number);
}

std::string who(const Cause& cause) {
  return cause.container.empty() ? std::string("the task")
                                 : fmt::format("container '{}'", cause.container);
}

std::string happened(const Cause& cause) {
  switch (cause.kind) {
    case Cause::Kind::exited:
      if (cause.signal != 0)
        return fmt::format("{} was ended by {}, exit code {}", who(cause),
                           signal_name(cause.signal), *cause.exit_code);
      if (cause.exit_code)
        return fmt::format("{} exited with code {}", who(cause), *cause.exit_code);
      return fmt::format("{} ended", who(cause));
    case Cause::Kind::out_of_memory:
      return fmt::format("{} ran out of memory{}", who(cause),
                         cause.exit_code ? fmt::format(" (exit code {})", *cause.exit_code) : "");
    case Cause::Kind::unhealthy:
      return fmt::format("{} failed its health check", who(cause));
    case Cause::Kind::target_unhealthy:
      return fmt::format("{} failed the load balancer's health check", who(cause));
    case Cause::Kind::cannot_pull:
      return fmt::format("{} has an image that cannot be pulled", who(cause));
    case Cause::Kind::cannot_start:
      return fmt::format("{} cannot be started", who(cause));
    case Cause::Kind::resource:
      return "the task cannot get what it needs";
    case Cause::Kind::dependency:
      return fmt::format("{} was waited for in vain", who(cause));
    case Cause::Kind::placement:
      return "the task cannot be placed";
    case Cause::Kind::refused:
      return "the cloud refused it";
    case Cause::Kind::replaced:
      return "another deployment took its place";
    case Cause::Kind::stuck:
      return "it did not become stable";
    case Cause::Kind::unknown:
      break;
  }
  return "the task stopped";
}

bool detail_tells(const Cause& cause) {
  return !cause.detail.empty() && cause.kind != Cause::Kind::unhealthy &&
         cause.kind != Cause::Kind::out_of_memory;
}

std::string describe(const Cause& cause) {
  std::string text = happened(cause);
  if (cause.tasks > 1) text += fmt::format(" ({} tasks)", cause.tasks);
  if (detail_tells(cause)) text += ": " + one_line(cause.detail);
  if (!cause.last_line.empty())
    text += fmt::format(", last log line: {}", one_line(cause.last_line));
  return text;
}

void put(Json& into, std::string_view key, const std::string& value) {
  if (!value.empty()) into[key] = value;
}

}  // namespace

std::string_view name_of(Cause::Kind kind) {
  switch (kind) {
    case Cause::Kind::exited:
      return "exited";
    case Cause::Kind::out_of_memory:
      return "out_of_memory";
    case Cause::Kind::unhealthy:
      return "unhealthy";
    case Cause::Kind::target_unhealthy:
      return "target_unhealthy";
    case Cause::Kind::cannot_pull:
      return "cannot_pull";
    case Cause::Kind::cannot_start:
      return "cannot_start";
    case Cause::Kind::resource:
      return "resource";
    case Cause::Kind::dependency:
      return "dependency";
    case Cause::Kind::placement:
      return "placement";
    case Cause::Kind::refused:
      return "refused";
    case Cause::Kind::replaced:
      return "replaced";
    case Cause::Kind::stuck:
      return "stuck";
    case Cause::Kind::unknown:
      break;
  }
  return "unknown";
}

std::string to_line(const Verdict& verdict) {
  std::string text;
  if (verdict.ok()) {
    text = "succeeded";
  } else if (!verdict.causes.empty()) {
    text = describe(verdict.causes.front());
  }
  if (!verdict.note.empty()) text += (text.empty() ? "" : "; ") + one_line(verdict.note);
  if (text.empty()) text = "the cause is not known";
  if (!verdict.rolled_back_to.empty())
    text += fmt::format("; rolled back to {}", brief_task_definition(verdict.rolled_back_to));
  if (!verdict.ok() && verdict.fewest >= 0 && verdict.desired > 0) {
    text += verdict.fewest >= verdict.desired
                ? fmt::format("; users did not notice: never fewer than {} of {} tasks ran",
                              verdict.desired, verdict.desired)
                : fmt::format("; users may have noticed: at worst {} of {} tasks ran",
                              verdict.fewest, verdict.desired);
  }
  return text;
}

Json to_json(const Verdict& verdict) {
  Json out = Json::object({{"verdict", ledger::name_of(verdict.outcome)},
                           {"reason", to_line(verdict)},
                           {"tookMs", verdict.took.count()}});
  put(out, "rolledBackTo", verdict.rolled_back_to);
  if (verdict.fewest >= 0) {
    out["desired"] = verdict.desired;
    out["fewestRunning"] = verdict.fewest;
  }
  if (verdict.causes.empty()) return out;
  Json causes = Json::array();
  for (const auto& cause : verdict.causes) {
    Json item =
        Json::object({{"kind", name_of(cause.kind)}, {"task", cause.task}, {"tasks", cause.tasks}});
    put(item, "container", cause.container);
    if (cause.exit_code) item["exitCode"] = *cause.exit_code;
    if (cause.signal != 0) item["signal"] = cause.signal;
    put(item, "stopCode", cause.stop_code);
    put(item, "detail", cause.detail);
    put(item, "lastLine", cause.last_line);
    causes.push_back(std::move(item));
  }
  out["causes"] = std::move(causes);
  return out;
}

}  // namespace slipway::deploy
