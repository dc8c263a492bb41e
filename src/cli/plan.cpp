// SPDX-License-Identifier: Apache-2.0
#include "workflow/plan.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/verbs.hpp"
#include "git/git.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

std::vector<std::pair<std::string, std::string>> pairs_of(const Invocation& given,
                                                          const std::string& option) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& text : given.values(option)) {
    auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      fail(Fault::bad_input, "{} takes KEY=VALUE, not '{}'", option, text);
    pairs.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return pairs;
}

workflow::EventRequest request_of(const Invocation& given) {
  workflow::EventRequest request;
  request.name = given.value_or("--event", "push");
  request.ref = given.value_or("--ref", "");
  request.sha = given.value_or("--sha", "");
  request.dirty = given.has("--dirty");
  request.may_be_new = true;
  for (auto& [name, value] : pairs_of(given, "--input")) request.inputs[name] = value;
  if (auto file = given.value("--payload"))
    request.payload = formats::parse_json(os::read_file(*file), *file);
  return request;
}

int run_plan(const Invocation& given, Surroundings& around) {
  auto request = request_of(given);
  request.server_url = around.server_url;
  auto top = git::top_level(around.cwd, around.stop);
  auto workflows = workflow::load_workflows(top.value_or(around.cwd), given.arguments);
  auto event = top ? workflow::make_event(*top, request, around.stop)
                   : workflow::make_event_without_repository(request);
  workflow::Selectors selectors;
  selectors.jobs = given.values("--job");
  selectors.matrix = pairs_of(given, "--matrix");
  for (auto& [name, value] : pairs_of(given, "--var")) selectors.vars[name] = value;
  auto plan = workflow::plan(workflows, event, selectors);
  print(around.json ? workflow::to_json(plan).pretty() + "\n" : workflow::to_text(plan));
  return 0;
}

}  // namespace

Verb plan_verb() {
  return {.name = "plan",
          .usage = "[WORKFLOW…] [options]",
          .summary = "shows what an event would run, and why not the rest",
          .options = {{"--event", Option::Kind::value, "NAME",
                       "push (default), pull_request, workflow_dispatch, …"},
                      {"--payload", Option::Kind::value, "FILE",
                       "the event's JSON, as GitHub would send it"},
                      {"--ref", Option::Kind::value, "REF",
                       "branch, tag or full ref (default: what is checked out)"},
                      {"--sha", Option::Kind::value, "SHA", "the commit (default: the ref's)"},
                      {"--job", Option::Kind::list, "ID", "this job and what it needs"},
                      {"--matrix", Option::Kind::list, "K=V", "only legs with this value"},
                      {"--input", Option::Kind::list, "K=V", "an input of workflow_dispatch"},
                      {"--var", Option::Kind::list, "K=V",
                       "a configuration variable (the vars context)"},
                      {"--dirty", Option::Kind::flag, "",
                       "path filters see changes that are not committed, too"}},
          .run = run_plan};
}

}  // namespace slipway::cli
