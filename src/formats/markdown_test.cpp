// SPDX-License-Identifier: Apache-2.0
#include "formats/markdown.hpp"

#include <doctest/doctest.h>

using slipway::formats::markdown_for_terminal;

namespace {

// With <n>…</> for the attributes.
std::string shown(std::string_view markdown) {
  std::string text;
  auto rendered = markdown_for_terminal(markdown);
  for (std::size_t i = 0; i < rendered.size(); ++i) {
    if (rendered[i] != '\x1b') {
      text += rendered[i];
      continue;
    }
    auto end = rendered.find('m', i);
    auto code = rendered.substr(i + 2, end - i - 2);
    text += code == "0" ? "</>" : "<" + code + ">";
    i = end;
  }
  return text;
}

}  // namespace

TEST_CASE("Markdown on a terminal: headings, emphasis, code, links") {
  CHECK(shown("# Two *words*\n## sub\n") == "<1;4>Two words</>\n<1>sub</>\n");
  CHECK(shown("a **b** *c* _d_ ~~e~~ `f *g*` snake_case_name 2 * 3 * 4") ==
        "a <1>b</> <3>c</> <3>d</> <9>e</> <36>f *g*</> snake_case_name 2 * 3 * 4\n");
  CHECK(shown("see [the log](https://x.example/1) ![a badge](b.svg)") ==
        "see <4>the log</> (https://x.example/1) a badge\n");
  CHECK(shown("a \\*b\\* &lt;c&gt; <b>d</b> 1 < 2 `open **open") ==
        "a *b* <c> <1>d</> 1 < 2 `open **open\n");
}

TEST_CASE("Markdown on a terminal: lists, quotes, rules, code, HTML blocks") {
  CHECK(shown("- one\n  * two\n1. three\n- [ ] four\n- [x] five\n") ==
        "• one\n  • two\n1. three\n☐ four\n☑ five\n");
  CHECK(shown("> said\n\n---\n") == "│ said\n\n────────────────────\n");
  CHECK(shown("```sh\nmake **all**\n```\nafter") == "    make **all**\nafter\n");
  CHECK(shown("<details>\n<summary>More</summary>\ntext\n</details>\n") == "<1>More</>\n\ntext\n");
}

TEST_CASE("Markdown on a terminal: tables have columns") {
  CHECK(shown("| name | n |\n|:--|--:|\n| `a` | 10 |\n| größer | 7 |\nafter") ==
        "<1>name</>     <1>n</>\n──────  ──\n<36>a</>       10\ngrößer   7\nafter\n");
  CHECK(shown("a | b\n-|-\n1 | 2 | 3\n") == "<1>a</>  <1>b</>\n─  ─\n1  2\n");
}

TEST_CASE("Markdown on a terminal: the HTML that @actions/core writes") {
  CHECK(shown("<h2>Results</h2>\n<table><tr><th>file</th><th>n</th></tr><tr><td>a|b</td><td>1</td>"
              "</tr></table>\n<a href=\"https://x.example\">more</a><br><code>x < y</code>") ==
        "<1>Results</>\n\n<1>file</>  <1>n</>\n────  ─\na|b   1\n\n<4>more</> "
        "(https://x.example)\n<36>x < y</>\n");
  CHECK(shown("<pre><code>if (a &lt; b)\n  *c*</code></pre>") == "    if (a < b)\n      *c*\n");
  CHECK(shown("`<b>` stays, <b>this</b> not") == "<36><b></> stays, <1>this</> not\n");
  CHECK(shown("<ul><li>one</li><li>two</li></ul>") == "• one\n• two\n");
}

TEST_CASE("no control character of a summary reaches the terminal") {
  CHECK(shown("a\x1b[2Jb\x07\x7f\tc\r\n") == "a[2Jb    c\n");
}
