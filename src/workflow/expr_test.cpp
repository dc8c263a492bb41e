// SPDX-License-Identifier: Apache-2.0
#include "workflow/expr.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/text.hpp"
#include "workflow/cases.hpp"

namespace slipway::workflow {
namespace {

struct Answer {
  Value value;
  std::string error_kind;
  std::string error;
};

Contexts contexts_of(const formats::Json& json) {
  Contexts contexts;
  for (const auto& [name, value] : json.as_object())
    contexts.values.emplace(name, Value::from_json(value));
  return contexts;
}

Answer answer(const std::string& text, const Contexts& contexts) {
  Availability available;
  for (const auto& [name, value] : contexts.values) available.contexts.push_back(name);
  auto parsed = parse_expression(text, available);
  if (const auto* error = std::get_if<ExpressionError>(&parsed))
    return {Value(), "parsing", error->message};
  try {
    return {evaluate(std::get<Expression>(parsed), contexts), "", ""};
  } catch (const Error& error) {
    return {Value(), "evaluation", error.what()};
  }
}

Value value_of(const std::string& text, const Contexts& contexts = {}) {
  auto got = answer(text, contexts);
  REQUIRE_MESSAGE(got.error.empty(), got.error);
  return got.value;
}

std::string error_of(const std::string& text, const Contexts& contexts = {}) {
  return answer(text, contexts).error;
}

// NaN and the infinities stand as strings in JSON.
bool is_expected(const Value& value, const formats::Json& result) {
  if (value.kind_name() != result.at("kind").as_string()) return false;
  const auto& expected = result.at("value");
  if (value.is_number() && !expected.is_number()) {
    return expected.is_null() ? !std::isfinite(value.number())
                              : value.to_string() == expected.as_string();
  }
  return value.to_json() == expected;
}

void check_cases(const std::string& file) {
  auto cases = known_cases(file);
  if (!cases) {
    MESSAGE("skipped: no " << file);
    return;
  }
  std::size_t checked = 0;
  for (const auto& one : cases->at("cases").as_array()) {
    const auto& text = one.at("expr").as_string();
    auto got = answer(text, contexts_of(one.at("contexts")));
    CAPTURE(one.at("id").as_string());
    CAPTURE(text);
    CAPTURE(got.value.to_json_text());
    CAPTURE(got.error);
    if (const auto* error = one.find("err")) {
      auto kind = error->at("kind").as_string();
      CHECK(got.error_kind == (kind == "lexing" ? "parsing" : kind));
    } else {
      CHECK(got.error_kind.empty());
      CHECK(is_expected(got.value, one.at("result")));
    }
    ++checked;
  }
  CHECK(checked == static_cast<std::size_t>(cases->at("count").as_int()));
}

TEST_CASE("expressions: GitHub's own cases") { check_cases("workflow/expr_cases.json"); }
TEST_CASE("expressions: cases of other engines, answered by GitHub's evaluator") {
  check_cases("workflow/expr_extra_oracle_cases.json");
}

TEST_CASE("an error names the symbol and its place in GitHub's words") {
  CHECK(error_of("1 <") ==
        "Unexpected end of expression: '<'. Located at position 3 within expression: 1 <");
  CHECK(error_of("nope.x") ==
        "Unrecognized named-value: 'nope'. Located at position 1 within expression: nope.x");
  CHECK(error_of("'é' == @") ==
        "Unexpected symbol: '@'. Located at position 8 within expression: 'é' == @");
  CHECK(error_of("foo()") ==
        "Unrecognized function: 'foo'. Located at position 1 within expression: foo()");
  CHECK(error_of("\"hello\"").starts_with("Unexpected symbol: '\"hello\"'"));
}

TEST_CASE(
    "an expression of more than 21000 characters or 50 levels is refused, 21000 brackets do no "
    "harm") {
  CHECK(error_of(std::string(21001, ' ')) == "Exceeded max expression length 21000");
  CHECK(error_of(std::string(50, '!') + "true") == "Exceeded max expression depth 50");
  CHECK(error_of(std::string(49, '!') + "true").empty());
  CHECK(error_of(std::string(10499, '(') + "1" + std::string(10499, ')')).empty());
  CHECK(error_of(std::string(20999, '!') + "1") == "Exceeded max expression depth 50");
}

TEST_CASE("a wrong name is an error even where it would never be evaluated") {
  CHECK(error_of("true || nope").starts_with("Unrecognized named-value"));
  CHECK(error_of("true || contains('a')").starts_with("Too few parameters supplied"));
  CHECK(error_of("case(true, 1, 2, 3)").starts_with("Even number of parameters supplied"));
}

TEST_CASE("arrays and objects are equal to themselves only") {
  auto contexts = contexts_of(formats::parse_json(R"({"a":{"x":[1]},"b":{"x":[1]}})"));
  CHECK(value_of("a.x == a.x", contexts).boolean());
  CHECK_FALSE(value_of("a.x == b.x", contexts).boolean());
  CHECK_FALSE(value_of("fromJSON('[]') == fromJSON('[]')").boolean());
}

TEST_CASE("keys are found in any case, those of an exact object only as written") {
  Contexts contexts;
  contexts.values["vars"] = Value::object({{"Name", "x"}});
  contexts.values["env"] = Value::object({{"Name", "x"}}, KeyCase::exact);
  CHECK(value_of("vars.NAME", contexts).to_string() == "x");
  CHECK(value_of("env.NAME", contexts).is_null());
  CHECK(value_of("env.Name", contexts).to_string() == "x");
}

TEST_CASE("&& and || give the operand that decided") {
  CHECK(value_of("'' || 0 || 'x'").to_string() == "x");
  CHECK(value_of("'a' && 0 && 'x'").number() == 0);
}

TEST_CASE(
    "the list of a `.*` stays one through &&, ||, case() and brackets: what follows applies to "
    "each item") {
  Contexts contexts;
  contexts.values["vars"] = Value::from_json(formats::parse_json(R"({"a": [{"x": 1}, {"x": 2}]})"));
  for (const char* list :
       {"(vars.a.*)", "(vars.a.* || 1)", "(true && vars.a.*)", "case(true, vars.a.*, 1)"}) {
    CAPTURE(list);
    CHECK(value_of(fmt::format("join({}.x)", list), contexts).to_string() == "1,2");
  }
  CHECK(value_of("(vars.nothing.* || 1).x", contexts).is_array());
  CHECK(value_of("(vars.a || 1).x", contexts).is_null());
}

TEST_CASE(
    "numbers print as GitHub's evaluator prints them; in a file they have 15 digits, as .NET has "
    "it") {
  CHECK(format_number(0.1 + 0.2) == "0.3");
  CHECK(format_number(1e20) == "100000000000000000000");
  CHECK(format_number(-1.5e21) == "-1.5e+21");
  CHECK(format_number(1e-7) == "1e-7");
  CHECK(format_number(1e-16) == "0");
  CHECK(format_number(123456789012345) == "123456789012345");
  CHECK(format_number(1234567.25) == "1234567.25");
  CHECK(format_number(-0.0) == "0");
  CHECK(format_number_g15(0.1 + 0.2) == "0.3");
  CHECK(format_number_g15(1e20) == "1E+20");
  CHECK(format_number_g15(1e-7) == "1E-07");
}

TEST_CASE("more than a mebibyte of values is refused, whichever function makes it") {
  Contexts contexts;
  contexts.values["env"] = Value::object({{"BIG", std::string(300000, 'x')}});
  CHECK(error_of("format('{0}{0}', env.BIG)", contexts) ==
        "The maximum allowed memory size was exceeded");
  CHECK(error_of("join(fromJSON(format('[1,\"{0}\"]', env.BIG)), env.BIG)", contexts) ==
        "The maximum allowed memory size was exceeded");
  CHECK(error_of("env.BIG == 'x'", contexts).empty());
}

TEST_CASE("a condition gets success() unless a status function is called somewhere in it") {
  Availability available{{"github", "vars"}, {{"success", 0, 255}, {"always", 0, 0}}};
  auto condition = [&](const char* text) {
    return std::get<Expression>(parse_condition(text, available)).text();
  };
  CHECK(condition("") == "success()");
  CHECK(condition("  ") == "success()");
  CHECK(condition("always()") == "always()");
  CHECK(condition("${{ !ALWAYS() }}") == "!ALWAYS()");
  CHECK(condition("${{ github.ref == 'x' }}") == "success() && (github.ref == 'x')");
  CHECK(condition("vars.foo || success()") == "vars.foo || success()");
  CHECK(condition("true || 'success()'") == "success() && (true || 'success()')");
  CHECK(std::holds_alternative<ExpressionError>(parse_condition("secrets.X", available)));
}

}  // namespace
}  // namespace slipway::workflow
