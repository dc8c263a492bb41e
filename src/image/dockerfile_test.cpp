// SPDX-License-Identifier: Apache-2.0
#include "image/dockerfile.hpp"

#include <doctest/doctest.h>

#include "image/expand.hpp"
#include "image/heredoc.hpp"
#include "image/json_array.hpp"

using namespace slipway;
using namespace slipway::image;

namespace {

Dockerfile parsed(std::string_view text) { return parse_dockerfile(text, "Dockerfile"); }

Instruction only(std::string_view text) {
  auto file = parsed(text);
  CHECK(file.diagnostics.empty());
  REQUIRE(file.instructions.size() == 1);
  return file.instructions.front();
}

std::optional<std::string> some(std::string_view name) {
  if (name == "a") return "one";
  if (name == "path") return "/usr/local/lib.tar.gz";
  if (name == "spaced") return "x y";
  if (name == "empty") return "";
  return std::nullopt;
}

std::string expanded(std::string_view text) {
  auto result = expand(text, some);
  return result.error ? "error: " + *result.error : result.text;
}

}  // namespace

TEST_CASE("instructions are upper case, flags come off, words split") {
  auto copy = only("copy --from=build --link  a b /dst/\n");
  CHECK(copy.keyword == "COPY");
  REQUIRE(copy.flags.size() == 2);
  CHECK(copy.flags[0] == Flag{"from", "build"});
  CHECK(copy.flags[1] == Flag{"link", std::nullopt});
  CHECK(copy.words == std::vector<std::string>{"a", "b", "/dst/"});
}

TEST_CASE("a continuation goes on over comments and blank lines") {
  auto file = parsed("FROM x\nRUN a \\\n  # comment\n\n  && b\nUSER c\n");
  REQUIRE(file.instructions.size() == 3);
  CHECK(file.instructions[1].rest == "a   && b");
  CHECK(file.instructions[1].lines == Span{2, 5});
  CHECK(file.instructions[2].lines == Span{6, 6});
  CHECK(file.warnings.size() == 1);
}

TEST_CASE("the escape directive changes continuations and must come first") {
  auto file = parsed("# escape=`\nFROM x\nRUN dir C:\\ `\n  /s\n");
  CHECK(file.directives.escape == '`');
  REQUIRE(file.instructions.size() == 2);
  CHECK(file.instructions[1].rest == "dir C:\\   /s");
  CHECK(parsed("FROM x\n# escape=`\n").directives.escape == '\\');
  CHECK(parsed("# escape=x\nFROM x\n").diagnostics.size() == 1);
  CHECK(parsed("# what=this\n# escape=`\nFROM x\n").directives.escape == '\\');
  CHECK(parsed("#syntax=docker/dockerfile:1\n#escape=\\\n#escape=`\nFROM x")
            .diagnostics.front()
            .line == 3);
}

TEST_CASE("an invalid exec form is the shell form, other JSON is an error") {
  auto exec = only("CMD [\"a\", \"b\\n\\u00e9\"]");
  CHECK(exec.is_json);
  CHECK(exec.words == std::vector<std::string>{"a", "b\n\xC3\xA9"});
  CHECK_FALSE(only("CMD ['a', 'b']").is_json);
  CHECK_FALSE(only("CMD [\"a\",]").is_json);
  CHECK_FALSE(only("RUN [ -f x ] && y").is_json);
  CHECK(parsed("CMD [\"a\", 1]").diagnostics.size() == 1);
  CHECK(parsed("HEALTHCHECK CMD [1]").diagnostics.size() == 1);
  CHECK(read_exec_form("[[[1]]]").kind == ExecForm::Kind::other);
  CHECK(print_exec_form({"a\"b", "c"}) == "[\"a\\\"b\" \"c\"]");
}

TEST_CASE("heredocs are taken after the instruction") {
  auto file = parsed(
      "FROM x\nRUN <<EOF cat - <<-'END'\none\nEOF\n\ttwo $a\n\tEND\nCOPY <<\"a.txt\" <<b "
      "/d/\nx\na.txt\ny\nb\nUSER u\n");
  CHECK(file.diagnostics.empty());
  REQUIRE(file.instructions.size() == 4);
  const auto& run = file.instructions[1].heredocs;
  REQUIRE(run.size() == 2);
  CHECK(run[0].content == "one\n");
  CHECK(run[0].expands);
  CHECK(run[1].name == "END");
  CHECK_FALSE(run[1].expands);
  CHECK(heredoc_text(run[1]) == "two $a\n");
  CHECK(file.instructions[2].heredocs.size() == 2);
  CHECK(file.instructions[3].lines == Span{12, 12});
  CHECK(parsed("FROM x\nRUN <<EOF\nno end\n")
            .diagnostics.front()
            .message.find("unterminated heredoc") == 0);
  CHECK(only("RUN cat <<< word").heredocs.empty());
  CHECK(only("RUN [\"a\", \"<<EOF\"]").heredocs.empty());
  CHECK(heredoc_of("3<<-EOF")->descriptor == 3);
  auto spaced = parsed("FROM x\nRUN cat << EOF > /o\nin\nEOF\nRUN <<\tA\nb\nA\nUSER u\n");
  CHECK(spaced.diagnostics.empty());
  REQUIRE(spaced.instructions.size() == 4);
  CHECK(spaced.instructions[1].heredocs.at(0).content == "in\n");
  CHECK(heredoc_of(spaced.instructions[2].rest)->name == "A");
}

TEST_CASE("ENV and LABEL have a form with = and an old one") {
  CHECK(only("ENV a=b c=\"d e\" f=g\\ h").words ==
        std::vector<std::string>{"a", "b", "c", "\"d e\"", "f", "g\\ h"});
  CHECK(only("ENV a b   c").words == std::vector<std::string>{"a", "b   c"});
  CHECK(parsed("ENV a").diagnostics.front().message == "ENV must have two arguments");
  CHECK(parsed("ENV a=b c").diagnostics.size() == 1);
  CHECK(only("ARG a=1 b").words == std::vector<std::string>{"a=1", "b"});
}

TEST_CASE("an unknown instruction names its line") {
  auto file = parsed("FROM x\n\nFOOBAR baz\n");
  REQUIRE(file.diagnostics.size() == 1);
  CHECK(to_string(file.diagnostics[0]) == "Dockerfile:3: unknown instruction: FOOBAR");
  CHECK(parsed("FROM x\ncpoy a b\n").diagnostics[0].message ==
        "unknown instruction: cpoy (did you mean copy?)");
  auto shown = with_source(file.diagnostics[0], "FROM x\n\nFOOBAR baz\n");
  CHECK(shown.find("   3 | >>> FOOBAR baz") != std::string::npos);
  CHECK(parsed("# nothing\n").diagnostics.size() == 1);
}

TEST_CASE("variables are expanded with every modifier") {
  CHECK(expanded("$a ${a}b $nope|") == "one oneb |");
  CHECK(expanded("${nope:-w} ${nope-w} ${empty:-w} ${empty-w}|") == "w w w |");
  CHECK(expanded("${a:+w} ${nope:+w}| ${empty+w} ${empty:+w}|") == "w | w |");
  CHECK(expanded("${nope:?must be given}") == "error: nope: must be given");
  CHECK(expanded("${empty?x}|") == "|");
  CHECK(expanded("${path##*/} ${path#*/}") == "lib.tar.gz usr/local/lib.tar.gz");
  CHECK(expanded("${path%.*} ${path%%.*}") == "/usr/local/lib.tar /usr/local/lib");
  CHECK(expanded("${path/l/L} ${path//l/L} ${path//l*b/_}") ==
        "/usr/Local/lib.tar.gz /usr/LocaL/Lib.tar.gz /usr/_.tar.gz");
  CHECK(expanded("${nope:-${a:+deep}}") == "deep");
  CHECK(expanded("${empty:?} ") == "error: empty: is not allowed to be empty");
  auto accented = [](std::string_view) -> std::optional<std::string> {
    return "\xC3\xA9"
           "a";
  };
  CHECK(expand("${x#?}", accented).text == "a");
  CHECK(expand("${x%a}${x/?/b}", accented).text ==
        "\xC3\xA9"
        "ba");
}

TEST_CASE("quotes and escapes are taken away as a shell does") {
  CHECK(expanded("'$a' \"$a\" \\$a") == "$a one $a");
  CHECK(expanded("\"a\\\"b\\c\"") == "a\"b\\c");
  CHECK(expanded("a\\ b") == "a b");
  CHECK(expanded("'open").find("error: ") == 0);
  CHECK(expanded("${a").find("error: ") == 0);
  CHECK(expanded("${}").find("error: ") == 0);
  CHECK(expanded("${a*x}").find("error: unsupported modifier") == 0);
  CHECK(expanded("cost: 5$") == "cost: 5$");
  CHECK(expand("$spaced '$spaced' \"$spaced\" p\\ q", some).words ==
        std::vector<std::string>{"x", "y", "$spaced", "x y", "p q"});
}
