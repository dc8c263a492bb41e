// SPDX-License-Identifier: Apache-2.0
#include "formats/yaml.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace slipway;
using namespace slipway::formats;

namespace {

YamlNode read_yaml(std::string_view text) {
  YamlDocument document = parse_yaml(text, "f.yml");
  for (const Diagnostic& diagnostic : document.diagnostics) FAIL_CHECK(to_string(diagnostic));
  return document.root;
}

std::string yaml_refusal(std::string_view text, const YamlLimits& limits = {}) {
  YamlDocument document = parse_yaml(text, "f.yml", limits);
  return document.ok() ? "accepted" : to_string(document.diagnostics.front());
}

/// A plain scalar's value as JSON text.
std::string value(std::string_view scalar) {
  return yaml_to_json(read_yaml("- " + std::string(scalar))).at(std::size_t{0}).dump();
}

}  // namespace

TEST_CASE("a workflow becomes a tree with places in the text") {
  YamlNode root = read_yaml(
      "on: push\njobs:\n  test:\n    steps:\n      - run: |\n          make\n          make test\n "
      "     - {uses: 'a/b@v1'}\n");
  REQUIRE(root.is_mapping());
  CHECK(root.entries[0].key.value == "on");
  CHECK(root.entries[0].value.line == 1);
  CHECK(root.entries[0].value.column == 5);
  const YamlNode* steps = root.find("jobs")->find("test")->find("steps");
  REQUIRE(steps != nullptr);
  REQUIRE(steps->items.size() == 2);
  const YamlNode* run = steps->items[0].find("run");
  CHECK(run->value == "make\nmake test\n");
  CHECK(run->style == YamlStyle::literal);
  CHECK_FALSE(run->is_plain);
  CHECK(run->line == 5);
  CHECK(run->column == 14);
  CHECK(steps->items[1].find("uses")->style == YamlStyle::single_quoted);
  CHECK(root.find("absent") == nullptr);
}

TEST_CASE("plain scalars follow YAML 1.2's core schema") {
  for (const std::string text :
       {"yes", "no", "on",    "off", "y",        "n",          "1_000", "0b1", "1e",  ".",
        "+",   "0x", "1.2.3", "nan", "12:30:45", "2024-01-01", "=",     "<<",  "0o8", "+0x1"}) {
    CAPTURE(text);
    CHECK(value(text) == json_quote(text));
  }
  CHECK(value("true") == "true");
  CHECK(value("FALSE") == "false");
  CHECK(value("~") == "null");
  CHECK(value("") == "null");
  CHECK(value("3.10") == "3.1");
  CHECK(value("010") == "10");
  CHECK(value("0o10") == "8");
  CHECK(value("0xFF") == "255");
  CHECK(value("-12") == "-12");
  CHECK(value("1e3") == "1000");
  CHECK(value(".5") == "0.5");
  CHECK(value("5.") == "5");
  CHECK(value("'12'") == "\"12\"");
  CHECK(value("\"true\"") == "\"true\"");
  CHECK(value("99999999999999999999") == "1e+20");
  CHECK(std::isinf(yaml_scalar(read_yaml("-.inf"))->as_number()));
  CHECK(std::isnan(yaml_scalar(read_yaml(".nan"))->as_number()));
}

TEST_CASE("explicit tags are obeyed, and refused where they do not fit") {
  CHECK(value("!!str 12") == "\"12\"");
  CHECK(value("!!int 12") == "12");
  CHECK(value("!!float 12") == "12");
  CHECK_FALSE(yaml_scalar(read_yaml("!!int x")));
  CHECK_FALSE(yaml_scalar(read_yaml("!!bool 'true'")));
  CHECK_FALSE(yaml_scalar(read_yaml("!cancelled()")));
  CHECK_THROWS_WITH(
      yaml_to_json(read_yaml("if: !cancelled()"), "f.yml"),
      "f.yml:1:5: unknown tag '!cancelled()'; a text that begins with '!' needs quotes");
}

TEST_CASE("aliases stand for a copy, '<<' is an ordinary key") {
  YamlNode root = read_yaml("a: &x {k: [1, 2]}\nb: *x\nc: {<<: *x}\n");
  CHECK(yaml_to_json(root).dump() == R"({"a":{"k":[1,2]},"b":{"k":[1,2]},"c":{"<<":{"k":[1,2]}}})");
  CHECK(root.find("b")->line == 1);
  CHECK(yaml_to_json(read_yaml("[&a 1, *a, &a 2, *a]")).dump() == "[1,1,2,2]");
}

TEST_CASE("alias cycles, unknown aliases and alias bombs are refused") {
  CHECK(yaml_refusal("a: &x [1, *x]") == "f.yml:1:11: alias '*x' stands inside the value it names");
  CHECK(yaml_refusal("a: *y") == "f.yml:1:4: no anchor '&y' before this alias");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                        i - 1);
  }
  CHECK(yaml_refusal(bomb).find("more than 50000 values") != std::string::npos);
  std::string tower = "- &b0 [x]\n";
  for (int i = 1; i < 60; ++i) tower += fmt::format("- &b{} [*b{}]\n", i, i - 1);
  CHECK(yaml_refusal(tower).find("nested deeper than 50 levels") != std::string::npos);
}

TEST_CASE("limits hold for text, nesting and values") {
  CHECK(yaml_refusal(std::string(49, '[') + std::string(49, ']')) == "accepted");
  CHECK(yaml_refusal(std::string(51, '[') + std::string(51, ']')) ==
        "f.yml:1:51: nested deeper than 50 levels");
  CHECK(yaml_refusal(std::string(900'000, '[')).find("nested deeper") != std::string::npos);
  CHECK(yaml_refusal("[1, 2, 3]", {.nodes = 3}).find("more than 3 values") != std::string::npos);
  CHECK(yaml_refusal("[&a " + std::string(60000, 'x') + ", *a, *a]", {.result_bytes = 300000})
            .find("values of more than 300000 bytes") != std::string::npos);
  CHECK(yaml_refusal("[&a " + std::string(60000, 'x') + ", *a]", {.result_bytes = 300000}) ==
        "accepted");
  CHECK(yaml_refusal("abcdef", {.bytes = 5}) == "f.yml: the file is larger than 5 bytes");
}

TEST_CASE("broken text is refused at its place, with what to do") {
  CHECK(yaml_refusal("a:\n\t- b\n") ==
        "f.yml:2:1: while scanning for the next token: found character that cannot start any token "
        "(indent with spaces, not tabs)");
  CHECK(yaml_refusal("a: b: c\n").starts_with("f.yml:1:5: mapping values are not allowed"));
  CHECK(yaml_refusal("a: 'open\n") != "accepted");
  CHECK(yaml_refusal("a: [1\nb: 2") != "accepted");
  CHECK(yaml_refusal("a: 1\n---\nb: 2\n") ==
        "f.yml:2:1: only one document is allowed in this file; remove the '---'");
  CHECK(yaml_refusal("ok: 1\nx: \xff\n").starts_with("f.yml:2:4: "));
  CHECK(yaml_refusal("---\na: 1\n...\n") == "accepted");
  CHECK(yaml_refusal("") == "accepted");
  CHECK(yaml_to_json(read_yaml("\xEF\xBB\xBF"
                               "a: 1"))
            .dump() == R"({"a":1})");
  CHECK(yaml_scalar(read_yaml("# nothing\n"))->is_null());
}

TEST_CASE("duplicate keys are found at every depth, exactly or ignoring case") {
  YamlNode root = read_yaml("a: {x: 1, X: 2}\nb:\n  - k: 1\n    k: 2\n");
  auto exact = duplicate_keys(root, "f.yml", KeyComparison::exact);
  REQUIRE(exact.size() == 1);
  CHECK(to_string(exact[0]) == "f.yml:4:5: 'k' is already defined (line 3)");
  auto loose = duplicate_keys(root, "f.yml", KeyComparison::ignoring_case);
  REQUIRE(loose.size() == 2);
  CHECK(to_string(loose[0]) == "f.yml:1:11: 'X' is already defined (line 1)");
}
