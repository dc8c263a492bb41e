// SPDX-License-Identifier: Apache-2.0
#include "workflow/read_workflow.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "workflow/cases.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

// A template as the official cases write it: literals as they are, {type, expr}, {type, seq}, {type, map}.
Json to_case_json(const Template& value) {
  switch (value.kind) {
    case Template::Kind::boolean:
      return value.boolean;
    case Template::Kind::number:
      if (!std::isfinite(value.number)) return format_number(value.number);
      return Value(value.number).to_json();
    case Template::Kind::string:
      return value.text;
    case Template::Kind::expression:
      return Json::object({{"type", 3}, {"expr", value.expression.text()}});
    case Template::Kind::sequence: {
      Json items = Json::array();
      for (const auto& item : value.items) items.push_back(to_case_json(item));
      return Json::object({{"type", 1}, {"seq", items}});
    }
    case Template::Kind::mapping: {
      Json entries = Json::array();
      for (const auto& entry : value.entries) {
        entries.push_back(
            Json::object({{"Key", to_case_json(entry.key)}, {"Value", to_case_json(entry.value)}}));
      }
      return Json::object({{"type", 2}, {"map", entries}});
    }
    case Template::Kind::absent:
    case Template::Kind::null:
      break;
  }
  return nullptr;
}

// NaN and the infinities are strings in the cases; a value with its source is reduced to the value.
Json normal(const Json& value) {
  if (value.is_array()) {
    Json items = Json::array();
    for (const auto& item : value.as_array()) items.push_back(normal(item));
    return items;
  }
  if (!value.is_object()) return value;
  for (const char* key : {"lit", "bool", "num"}) {
    if (value.contains("type") && value.contains(key)) return value.at(key);
  }
  if (value.contains("type") && value.at("type") == Json(7)) return nullptr;
  Json members = Json::object();
  for (const auto& [key, member] : value.as_object()) {
    if (key == "line" || key == "col" || key == "file") continue;
    members[key] = normal(member);
  }
  return members;
}

void put(Json& into, const char* key, const Template& value) {
  if (!value.is_absent()) into[key] = to_case_json(value);
}

Json step_json(const Step& step) {
  Json json = Json::object({{"id", step.id}});
  put(json, "name", step.name);
  json["if"] = Json::object({{"type", 3}, {"expr", step.condition.expression.text()}});
  put(json, "continue-on-error", step.continue_on_error);
  put(json, "timeout-minutes", step.timeout_minutes);
  put(json, "env", step.env);
  put(json, "working-directory", step.working_directory);
  put(json, "shell", step.shell);
  put(json, "run", step.run);
  put(json, "with", step.with);
  if (!step.uses.empty()) json["uses"] = step.uses;
  return json;
}

Json job_json(const Job& job) {
  Json json = Json::object(
      {{"type", job.is_call() ? "reusableWorkflowJob" : "job"}, {"id", job.id}, {"name", job.id}});
  if (!job.name.literal().empty()) put(json, "name", job.name);
  for (const auto& need : job.needs) json["needs"].push_back(need);
  json["if"] = Json::object({{"type", 3}, {"expr", job.condition.expression.text()}});
  put(json, "strategy", job.strategy);
  put(json, "continue-on-error", job.continue_on_error);
  put(json, "timeout-minutes", job.timeout_minutes);
  put(json, "cancel-timeout-minutes", job.cancel_timeout_minutes);
  put(json, "container", job.container);
  put(json, "services", job.services);
  put(json, "concurrency", job.concurrency);
  put(json, "env", job.env);
  put(json, "environment", job.environment);
  put(json, "outputs", job.outputs);
  put(json, "runs-on", job.runs_on);
  for (const auto& step : job.steps) json["steps"].push_back(step_json(step));
  if (job.is_call()) json["ref"] = job.uses;
  put(json, "input-values", job.inputs);
  if (job.secrets.inherit) json["inherit-secrets"] = true;
  put(json, "secret-values", job.secrets.map);
  if (job.callee) {
    for (const auto& inner : job.callee->jobs) json["jobs"].push_back(job_json(inner));
  }
  return json;
}

// What of a case's job this reader keeps elsewhere or leaves to others.
constexpr std::string_view kNotCompared[] = {
    "defaults",           "permissions",         "snapshot",  "input-definitions",
    "secret-definitions", "outputs-definitions", "file-table"};

void check_job(const Json& expected, const Json& actual) {
  const Json wanted = normal(expected);
  for (const auto& member : wanted.as_object()) {
    const auto& key = member.first;
    const auto& value = member.second;
    if (key == "jobs") {
      for (std::size_t i = 0; i < value.size(); ++i)
        check_job(value.at(i), actual.at("jobs").at(i));
      continue;
    }
    if (std::find(std::begin(kNotCompared), std::end(kNotCompared), key) != std::end(kNotCompared))
      continue;
    if (value.is_array() && value.empty()) continue;
    // A called workflow's outputs, env and concurrency stand in the call job there.
    if (actual.contains("ref") &&
        (key == "outputs" || key == "env" || key == "embedded-concurrency"))
      continue;
    CAPTURE(key);
    CAPTURE(value.dump());
    REQUIRE(actual.contains(key));
    CAPTURE(actual.at(key).dump());
    CHECK(normal(actual.at(key)) == value);
  }
}

std::string github_text(const Diagnostic& one) {
  return fmt::format("{} (Line: {}, Col: {}): {}", one.file, one.line, one.column, one.message);
}

// Where this reader, or GitHub of today, is known to answer otherwise, and why.
const std::map<std::string, std::string>& other_answers() {
  static const std::map<std::string, std::string> reasons = {
      {"errors-anchor-tag.yml", "anchors are allowed since August 2025"},
      {"errors-max-result-size.yml", "the service's limit on its own memory"},
      {"errors-reusable-workflow-max-result-size.yml", "the service's limit on its own memory"},
      {"errors-max-job-limit-with-reusable-workflow.yml", "a limit of a customer's plan"},
  };
  return reasons;
}

bool is_yaml_error(const std::string& message) {
  return message.find("(Line:") == std::string::npos;
}

void check_errors(const Json& one, const ReadResult& result) {
  std::string got;
  for (const auto& diagnostic : result.diagnostics) got += github_text(diagnostic) + "\n";
  CAPTURE(got);
  CHECK_FALSE(result.ok());
  std::set<std::string> wanted;
  for (const auto& error : one.at("expected").at("errors").as_array()) {
    const auto& message = error.at("Message").as_string();
    wanted.insert(message);
    CAPTURE(message);
    if (is_yaml_error(message)) {
      // The service gives such errors no position of their own: it is in the text.
      REQUIRE(!result.diagnostics.empty());
      CHECK(message.find(fmt::format("on line {} ", result.diagnostics[0].line)) !=
            std::string::npos);
      return;
    }
    // Long texts are cut after 500 characters, and newer scopes are not in the cases.
    auto start = message.substr(0, message.find("is requesting"));
    CHECK(got.find(start) != std::string::npos);
  }
  CHECK(result.diagnostics.size() == wanted.size());
}

// "line:column message" of every diagnostic of a workflow that has these lines for `on` and these jobs.
std::string refused(const std::string& text) {
  std::string all;
  for (const auto& one : read_workflow(text, "w.yml").diagnostics)
    all += fmt::format("{}:{} {}\n", one.line, one.column, one.message);
  return all;
}

TEST_CASE("schedule takes five fields of numbers, names, lists, ranges and steps") {
  auto is_refused = [](const std::string& cron) {
    return !refused("on: {schedule: [{cron: '" + cron + "'}]}\njobs: {a: {runs-on: x, steps: []}}")
                .empty();
  };
  for (const char* good : {"* * * * *", "0 0 * * *", "*/15 1-5 1,15 jan-mar MON", "5/10 0 * * 0-6",
                           "0  12 * * *", "1-30/2 * * * *"}) {
    CAPTURE(good);
    CHECK_FALSE(is_refused(good));
  }
  for (const char* bad : {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",
                          "* * * 13 *", "* * * * 7", "@daily", "*/0 * * * *", "5-1 * * * *",
                          "1, * * * *", "a * * * *", "1-2-3 * * * *", "1/2/3 * * * *"}) {
    CAPTURE(bad);
    CHECK(is_refused(bad));
  }
}

TEST_CASE(
    "inputs of workflow_dispatch: choices are listed and only there, a boolean starts as one") {
  auto with = [](const std::string& input) {
    return refused("on:\n  workflow_dispatch:\n    inputs:\n      a:\n        " + input +
                   "\njobs: {a: {runs-on: x, steps: []}}");
  };
  CHECK(with("type: choice") == "5:9 Missing 'options' for choice input\n");
  CHECK(with("options: [x]") == "5:9 Input type is not 'choice', but 'options' is defined\n");
  CHECK(with("{type: boolean, default: x}").starts_with("5:34 "));
  CHECK(with("{type: choice, options: [x], default: x}").empty());
  CHECK(with("{type: boolean, default: true}").empty());
}

TEST_CASE("a snapshot's version is a major one") {
  auto job = [](const std::string& snapshot) {
    return refused("on: push\njobs: {a: {runs-on: x, steps: [], snapshot: " + snapshot + "}}");
  };
  CHECK(job("{image-name: i, version: 2.*}").empty());
  CHECK(job("{image-name: i, version: '2'}") ==
        "2:45 Expected format '{major-version}.*' Actual '2'\n");
  CHECK(job("{image-name: i, if: secrets.A}").find("Unrecognized named-value: 'secrets'") !=
        std::string::npos);
}

TEST_CASE("wait and cancel name steps before them; a parallel group is of run and uses steps") {
  auto with = [](const std::string& steps) {
    return refused("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n" + steps);
  };
  CHECK(with("      - {id: a, run: x, background: true}\n      - wait: a\n").empty());
  CHECK(with("      - wait: a\n      - {id: a, run: x, background: true}\n") ==
        "6:15 Step references unknown step ID 'a'\n");
  CHECK(with("      - {id: w, wait: w}\n") == "6:23 Step 'w' cannot reference itself\n");
  CHECK(with("      - cancel: __x\n").find("IDs starting with '__' are reserved") !=
        std::string::npos);
  CHECK(with("      - wait-all: false\n").starts_with("6:19 "));
  CHECK(with("      - parallel: [{run: x}, {run: y}]\n").empty());
  CHECK(with("      - parallel: [{run: x, background: true}]\n")
            .starts_with("6:9 'background' is not allowed"));
  CHECK(with("      - parallel: [{wait-all: }]\n").starts_with("6:9 'wait-all' is not allowed"));
}

TEST_CASE("workflows: GitHub's own cases are read or refused as there") {
  auto cases = known_cases("workflow/wfparser_cases.json");
  if (!cases) {
    MESSAGE("skipped: no workflow/wfparser_cases.json");
    return;
  }
  for (const auto& one : cases->at("cases").as_array()) {
    const auto& id = one.at("id").as_string();
    if (other_answers().contains(id)) continue;
    CAPTURE(id);
    const auto& options = one.at("options");
    ReadOptions read_options;
    if (!options.get_bool("skip-reusable-workflows")) {
      read_options.loader = [&](const std::string& uses) -> std::optional<std::string> {
        const auto* text = one.at("files").find(uses);
        if (text == nullptr) return std::nullopt;
        return text->as_string();
      };
    }
    read_options.default_permissions_are_limited =
        options.get_string("permissions-policy") == "LimitedRead";
    if (options.contains("max-nested-reusable-workflows-depth")) {
      read_options.max_call_depth =
          static_cast<int>(options.get_int("max-nested-reusable-workflows-depth")) + 1;
    }
    auto file = ".github/workflows/" + id;
    auto result = read_workflow(one.at("input").as_string(), file, read_options);
    if (one.at("is_error_case").as_bool()) {
      check_errors(one, result);
      continue;
    }
    for (const auto& diagnostic : result.diagnostics) {
      auto text = github_text(diagnostic);
      CAPTURE(text);
      CHECK(result.ok());
    }
    const auto& jobs = one.at("expected").get_array("jobs");
    REQUIRE(result.workflow.jobs.size() == jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i)
      check_job(jobs[i], job_json(result.workflow.jobs[i]));
  }
}

TEST_CASE(
    "a called workflow's jobs have their own permissions, else its own, else the calling job's") {
  auto caller = [](const std::string& permissions) {
    return "on: push\njobs:\n  call:\n" + permissions + "    uses: ./.github/workflows/mid.yml\n";
  };
  std::string leaf_permissions;
  ReadOptions options;
  options.loader = [&](const std::string& uses) -> std::optional<std::string> {
    if (uses == "./.github/workflows/mid.yml")
      return "on: workflow_call\njobs:\n  mid:\n    uses: ./.github/workflows/leaf.yml\n";
    return "on: workflow_call\n" + leaf_permissions +
           "jobs:\n  leaf:\n    runs-on: x\n    steps: [{run: x}]\n";
  };
  auto leaf_of = [](const ReadResult& read) {
    return read.workflow.jobs.at(0).callee->jobs.at(0).callee->jobs.at(0).permissions;
  };
  auto granted = read_workflow(caller("    permissions: {id-token: write}\n"), "w.yml", options);
  REQUIRE(granted.ok());
  CHECK(leaf_of(granted).of("id-token", Access::none) == Access::write);
  CHECK(leaf_of(granted).of("contents", Access::none) == Access::none);

  leaf_permissions = "permissions: {contents: read}\n";
  auto lowered = read_workflow(caller("    permissions: write-all\n"), "w.yml", options);
  REQUIRE(lowered.ok());
  CHECK(leaf_of(lowered).of("contents", Access::none) == Access::read);
  CHECK(leaf_of(lowered).of("id-token", Access::none) == Access::none);

  leaf_permissions = "permissions: {id-token: write}\n";
  auto refused = read_workflow(caller("    permissions: {contents: read}\n"), "w.yml", options);
  REQUIRE(refused.diagnostics.size() == 1);
  CHECK(refused.diagnostics[0].message ==
        "Error calling workflow './.github/workflows/leaf.yml'. The workflow "
        "'./.github/workflows/leaf.yml' is requesting 'id-token: write', but is only allowed "
        "'id-token: none'.");
}

}  // namespace
}  // namespace slipway::workflow
