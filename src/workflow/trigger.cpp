// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/text.hpp"
#include "workflow/filter.hpp"

namespace slipway::workflow {
namespace {

TriggerDecision no(std::string reason) { return {false, std::move(reason)}; }
TriggerDecision yes(std::string reason) { return {true, std::move(reason)}; }

// [skip ci] and its like, or the trailer.
std::optional<std::string> skip_request(const Event& event) {
  if (event.name != "push" && event.name != "pull_request") return std::nullopt;
  auto message = to_lower(event.commit_message);
  for (std::string_view mark :
       {"[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"}) {
    if (message.find(mark) != std::string::npos) return std::string(mark);
  }
  for (auto line : lines_of(message)) {
    if (trim(line) == "skip-checks: true" || trim(line) == "skip-checks:true")
      return "skip-checks: true";
  }
  return std::nullopt;
}

std::string quoted(const std::vector<std::string>& patterns) {
  return "'" + join(patterns, "', '") + "'";
}

// Why a pair of lists keeps the inputs out; nothing when it lets them in.
std::optional<std::string> kept_out(const FilterPair& pair, const std::string& kind,
                                    const std::vector<std::string>& inputs,
                                    const std::string& what) {
  if (pair.has_only && only_filter_skips(pair.only, inputs)) {
    auto start = inputs.size() == 1 && kind != "paths" ? what + " matches none of"
                                                       : "none of " + what + " matches";
    return fmt::format("{} {}: {}", start, kind, quoted(pair.only));
  }
  if (pair.has_ignore && ignore_filter_skips(pair.ignore, inputs)) {
    return fmt::format("{}{} is in {}-ignore: {}", kind == "paths" ? "every one of " : "", what,
                       kind, quoted(pair.ignore));
  }
  return std::nullopt;
}

std::optional<std::string> kept_out_by_paths(const Trigger& trigger, const Event& event) {
  // Not known, and more than a thousand commits or no comparison at all: the workflow runs.
  if (!trigger.paths.is_given() || !event.changed_files) return std::nullopt;
  auto files = *event.changed_files;
  if (files.size() > 300) files.resize(300);  // no more are looked at
  return kept_out(trigger.paths, "paths", files,
                  fmt::format("{} changed file{}", files.size(), files.size() == 1 ? "" : "s"));
}

TriggerDecision decide_push(const Trigger& trigger, const Event& event) {
  auto what = fmt::format("{} '{}'", event.ref_type(), event.ref_name());
  const auto& own = event.is_tag() ? trigger.tags : trigger.branches;
  const auto& other = event.is_tag() ? trigger.branches : trigger.tags;
  if (!own.is_given() && other.is_given()) {
    return no(fmt::format("{}: on.push names {} only", what, event.is_tag() ? "branches" : "tags"));
  }
  if (auto why = kept_out(own, event.is_tag() ? "tags" : "branches", {event.ref_name()}, what))
    return no(*why);
  if (event.payload.get_bool("deleted")) return no(what + " was deleted");
  if (!event.is_tag()) {
    if (auto why = kept_out_by_paths(trigger, event)) return no(*why);
  }
  return yes("push to " + what);
}

TriggerDecision decide_pull_request(const Trigger& trigger, const Event& event) {
  auto what = fmt::format("base branch '{}'", event.base_ref);
  if (auto why = kept_out(trigger.branches, "branches", {event.base_ref}, what)) return no(*why);
  if (auto why = kept_out_by_paths(trigger, event)) return no(*why);
  return yes(fmt::format("{} to '{}'", event.name, event.base_ref));
}

TriggerDecision decide_workflow_run(const Trigger& trigger, const Event& event) {
  const auto* run = event.payload.find("workflow_run");
  if (run == nullptr) return yes("workflow_run");
  auto name = run->get_string("name");
  const auto& names = trigger.workflows;
  if (!names.empty() && only_filter_skips(names, {name})) {
    return no(fmt::format("workflow '{}' is none of {}", name, quoted(names)));
  }
  auto branch = run->get_string("head_branch");
  if (auto why =
          kept_out(trigger.branches, "branches", {branch}, fmt::format("branch '{}'", branch)))
    return no(*why);
  return yes("workflow_run of '" + name + "'");
}

// Why the event's action is none that the trigger names; nothing when it is, or the event has none.
std::optional<std::string> wrong_type(const Trigger& trigger, const Event& event) {
  auto action = event.payload.is_object() ? event.payload.get_string("action") : "";
  if (action.empty()) return std::nullopt;
  auto types = trigger.types;
  if (types.empty() && (event.name == "pull_request" || event.name == "pull_request_target")) {
    types = {"opened", "synchronize", "reopened"};
  }
  if (types.empty() || std::find(types.begin(), types.end(), action) != types.end())
    return std::nullopt;
  return fmt::format("action '{}' is none of types: {}", action, quoted(types));
}

}  // namespace

TriggerDecision decide(const Workflow& workflow, const Event& event) {
  const auto* trigger = workflow.find_trigger(event.name);
  if (trigger == nullptr) {
    std::vector<std::string> names;
    for (const auto& one : workflow.triggers) names.push_back(one.event);
    return no(fmt::format("it runs on {}, not on {}", join(names, ", "), event.name));
  }
  if (auto mark = skip_request(event))
    return no(fmt::format("the commit message says '{}'", *mark));
  if (auto why = wrong_type(*trigger, event)) return no(*why);
  if (event.name == "push") return decide_push(*trigger, event);
  if (event.name == "pull_request" || event.name == "pull_request_target")
    return decide_pull_request(*trigger, event);
  if (event.name == "workflow_run") return decide_workflow_run(*trigger, event);
  if (event.name == "schedule") {
    auto cron = event.payload.is_object() ? event.payload.get_string("schedule") : "";
    if (!cron.empty() &&
        std::find(trigger->crons.begin(), trigger->crons.end(), cron) == trigger->crons.end()) {
      return no(fmt::format("schedule '{}' is not its", cron));
    }
  }
  return yes(event.name);
}

}  // namespace slipway::workflow
