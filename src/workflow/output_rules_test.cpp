// SPDX-License-Identifier: Apache-2.0
// Masks, commands and environment files against the official runner's own cases (shared/cases/workflow).
#include <doctest/doctest.h>

#include <cstdlib>

#include "formats/json.hpp"
#include "os/file.hpp"
#include "workflow/command.hpp"
#include "workflow/env_file.hpp"
#include "workflow/mask.hpp"

using namespace slipway;
using namespace slipway::workflow;

namespace {

std::optional<formats::Json> cases(const std::string& name) {
  const char* root = std::getenv("SLIPWAY_CASES");
  auto path = std::filesystem::path(root ? root : "../shared/cases") / "workflow" / name;
  auto text = os::read_file_if_exists(path);
  if (!text) {
    MESSAGE("skipped: no " << path.string());
    return std::nullopt;
  }
  return formats::parse_json(*text, name);
}

}  // namespace

TEST_CASE("masks: the official runner's cases") {
  auto file = cases("mask_cases.json");
  if (!file) return;
  for (const auto& test : file->at("cases").as_array()) {
    Masker masker;
    for (const auto& secret : test.at("secrets").as_array()) masker.add(secret.as_string());
    CHECK(masker.mask(test.at("input").as_string()) == test.at("expected").as_string());
  }
}

TEST_CASE("commands: the official runner's cases") {
  auto file = cases("command_parse_cases.json");
  if (!file) return;
  for (const auto& test : file->at("cases").as_array()) {
    CommandNames known;
    for (const auto& name : test.at("registered").as_array()) known.insert(name.as_string());
    const auto& line = test.at("line").as_string();
    CAPTURE(line);
    auto command = parse_command(line, known);
    REQUIRE(command);
    CHECK(command->name == test.at("command").as_string());
    CHECK(command->data == test.at("data").as_string());
    CHECK(command->properties.size() == test.at("properties").size());
    for (const auto& [key, value] : test.at("properties").as_object())
      CHECK(command->property(key) == value.as_string());
  }
}

TEST_CASE("environment files: the official runner's cases") {
  auto file = cases("filecmd_cases.json");
  if (!file) return;
  for (const auto& test : file->at("cases").as_array()) {
    CAPTURE(test.at("id").as_string());
    std::string text = test.get_bool("bom") ? "\xEF\xBB\xBF" : "";
    text += test.get_string("content");
    auto read = parse_env_file(text);
    if (auto wanted = test.get_string("error_contains"); !wanted.empty()) {
      REQUIRE(read.problem);
      CHECK(read.problem->find(wanted) != std::string::npos);
      continue;
    }
    CHECK(!read.problem);
    formats::Json got = formats::Json::object();
    for (const auto& [name, value] : read.entries) got[name] = value;
    CHECK(got.dump() == test.at("expected").dump());
  }
}

TEST_CASE("a mask hides each line of a value, base64 inside a longer text, and merges neighbours") {
  Masker masker;
  masker.add("first line\nsecond line");
  masker.add("s3cretpassword");
  CHECK(masker.mask("<second line>") == "<***>");
  CHECK(masker.mask("s3cretpasswords3cretpassword") == "***");
  CHECK(masker.mask("user:s3cretpassword and more").find("s3cret") == std::string::npos);
  // base64("s3cretpassword\n"): the text after the secret changes the last characters only
  CHECK(masker.mask("czNjcmV0cGFzc3dvcmQK").find("czNjcmV0") == std::string::npos);
  CHECK(masker.hides_something_in("x s3cretpassword"));
  CHECK(!masker.hides_something_in("x S3CRETPASSWORD"));
}

TEST_CASE("a mask of every byte value") {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  all += '\0';
  PatternSet patterns({all});
  CHECK(patterns.replace("ab" + all + "cd") == "ab***cd");
  CHECK(patterns.replace("nothing") == "nothing");
}

TEST_CASE("a longer secret that begins before shorter ones hides them all") {
  PatternSet patterns({"bc", "de", "abcdef"});
  CHECK(patterns.replace("xabcdefx") == "x***x");
  CHECK(patterns.replace("xabcdex") == "xa***x");
  CHECK(patterns.replace("xbcxdex") == "x***x***x");
}

TEST_CASE("a line is a command only when its name is registered") {
  CHECK(!parse_command("::no-such-thing::x", registered_commands()));
  CHECK(!parse_command("text ::warning::x", registered_commands()));
  CHECK(parse_command("  ::WARNING::x", registered_commands()));
  CHECK(parse_command("text ##[add-matcher]file.json", registered_commands())->data == "file.json");
  CHECK(parse_command("::warning file=a%3Ab,line=1::100%25 a%0Ab", registered_commands())
            ->property("FILE") == "a:b");
  CHECK(parse_command("::warning::%250A", registered_commands())->data == "%0A");
}

TEST_CASE("an environment file keeps what came before its mistake") {
  auto read = parse_env_file("A=1\nB<<C=D\nx\nC=D\nbroken");
  CHECK(read.entries == std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", "x"}});
  CHECK(read.problem == "Invalid format 'broken'");
  CHECK(parse_env_file("A=b<<c\r\n").entries.at(0).second == "b<<c\r");
  CHECK(parse_env_file("<<EOF\nx\nEOF\n").problem);
  CHECK(parse_path_file("/a\n\n/b") == std::vector<std::string>{"/a", "/b"});
}
