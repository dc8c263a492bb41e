// SPDX-License-Identifier: Apache-2.0
#include "workflow/expr.hpp"

#include <cmath>
#include <fstream>
#include <iostream>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/verbs.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

using formats::Json;
using workflow::Value;

// Outside a run nothing has failed and nothing was cancelled.
class Calm final : public workflow::ExpressionHost {
 public:
  [[nodiscard]] bool success(const std::vector<std::string>&) const override { return true; }
  [[nodiscard]] bool failure(const std::vector<std::string>&) const override { return false; }
  [[nodiscard]] bool cancelled() const override { return false; }
};

struct Outcome {
  Value value;
  std::string error_kind;  // "parsing", "evaluation"; empty when there is a value
  std::string error;
};

Outcome evaluate_text(std::string_view text, const Json& context_values) {
  Calm host;
  workflow::Contexts contexts;
  contexts.host = &host;
  workflow::Availability available;
  available.functions = {{"always", 0, 0},
                         {"cancelled", 0, 0},
                         {"failure", 0, 255},
                         {"success", 0, 255},
                         {"hashFiles", 1, 255}};
  for (const auto& [name, value] : context_values.as_object()) {
    contexts.values.emplace(name, Value::from_json(value));
    available.contexts.push_back(name);
  }
  auto parsed = workflow::parse_expression(text, available);
  if (const auto* error = std::get_if<workflow::ExpressionError>(&parsed))
    return {Value(), "parsing", error->message};
  try {
    return {workflow::evaluate(std::get<workflow::Expression>(parsed), contexts), "", ""};
  } catch (const Error& error) {
    return {Value(), "evaluation", error.what()};
  }
}

Json outcome_json(const Outcome& outcome) {
  if (!outcome.error_kind.empty()) {
    return Json::object(
        {{"error", Json::object({{"kind", outcome.error_kind}, {"message", outcome.error}})}});
  }
  const auto& value = outcome.value;
  Json json = Json::object({{"kind", std::string(value.kind_name())}, {"value", value.to_json()}});
  // NaN and the infinities have no form in JSON: the value prints as null.
  if (value.is_number() && !std::isfinite(value.number())) json["number_text"] = value.to_string();
  return json;
}

Json read_contexts(const Json* contexts) {
  if (contexts == nullptr || contexts->is_null()) return Json::object();
  if (!contexts->is_object())
    fail(Fault::bad_input, "the contexts are {}, an object was expected", contexts->kind_name());
  return *contexts;
}

// One line of a batch; its answer ends with a newline.
std::string answer(std::string_view line) {
  auto one = formats::parse_json(line);
  return outcome_json(
             evaluate_text(one.at("expr").as_string(), read_contexts(one.find("contexts"))))
             .dump() +
         "\n";
}

// Answers go out in blocks, but never wait for input: whoever asks line by line gets each answer at once.
int run_batch(std::istream& input, const std::string& file) {
  std::string results;
  std::string line;
  for (int number = 1; std::getline(input, line); ++number) {
    if (trim(line).empty()) continue;
    results += while_doing(fmt::format("{}:{}", file, number), [&] { return answer(line); });
    if (results.size() < 65536 && input.rdbuf()->in_avail() > 0) continue;
    print(results);
    results.clear();
  }
  print(results);
  return 0;
}

int run_batch(const std::string& file) {
  if (file == "-") {
    std::ios::sync_with_stdio(false);
    return run_batch(std::cin, file);
  }
  std::ifstream input(file);
  if (!input) fail(Fault::bad_input, "'{}' cannot be read", file);
  return run_batch(input, file);
}

// The text of one expression, with or without `${{ }}` around it.
std::string_view without_marks(std::string_view text) {
  text = trim(text);
  if (text.starts_with("${{") && text.ends_with("}}")) text = text.substr(3, text.size() - 5);
  return text;
}

int run_expr(const Invocation& given, Surroundings& around) {
  if (auto batch = given.value("--batch")) return run_batch(*batch);
  if (given.arguments.size() != 1)
    fail(Fault::bad_input, "give one expression, in quotes, or --batch FILE");
  Json contexts = Json::object();
  if (auto file = given.value("--context")) {
    auto read = formats::parse_json(os::read_file(*file), *file);
    contexts = read_contexts(&read);
  }
  auto outcome = evaluate_text(without_marks(given.arguments[0]), contexts);
  if (around.json) {
    print(outcome_json(outcome).dump() + "\n");
    return outcome.error_kind.empty() ? 0 : 2;
  }
  if (!outcome.error_kind.empty()) fail(Fault::bad_input, "{}", outcome.error);
  print(outcome.value.to_json().pretty() + "\n");
  return 0;
}

}  // namespace

Verb expr_verb() {
  return {.name = "expr",
          .usage = "EXPRESSION [--context FILE] | --batch FILE",
          .summary = "evaluates an expression of the workflow language",
          .options = {{"--context", Option::Kind::value, "FILE",
                       "JSON object: the contexts by name (github, env, …)"},
                      {"--batch", Option::Kind::value, "FILE",
                       "one JSON object a line: expr, contexts; - reads stdin"}},
          .max_arguments = 1,
          .run = run_expr};
}

}  // namespace slipway::cli
