// SPDX-License-Identifier: Apache-2.0
#include "image/build_view.hpp"

#include <doctest/doctest.h>

namespace slipway::image {
namespace {

using namespace std::chrono_literals;
using Kind = Progress::Kind;
using Lines = std::vector<std::string>;

const BuildView::Time kStart{};

TEST_CASE("steps show their times and states, running ones the end of their output") {
  BuildView view(kStart);
  view.take({.kind = Kind::cached, .step = 1, .name = "[1/3] COPY a b"}, kStart + 100ms);
  view.take({.kind = Kind::started, .step = 2, .name = "[2/3] RUN npm ci"}, kStart + 200ms);
  view.take({.kind = Kind::output, .step = 2, .name = "one\ntwo\nthr"}, kStart + 300ms);
  CHECK(view.frame({.columns = 41, .rows = 24}, kStart + 1700ms) ==
        Lines{"[+] Building 1.7s (1/2)", " => CACHED [1/3] COPY a b           0.0s",
              " => [2/3] RUN npm ci                1.5s", " => => # one", " => => # two",
              " => => # thr"});
  view.take({.kind = Kind::done, .step = 2, .name = "[2/3] RUN npm ci", .took = 2500ms},
            kStart + 2700ms);
  view.take({.kind = Kind::message, .name = "pushed r/a:1", .took = 400ms}, kStart + 3100ms);
  CHECK(view.end({.columns = 41}, kStart + 3200ms) ==
        Lines{"[+] Building 3.2s (2/2) FINISHED", " => CACHED [1/3] COPY a b           0.0s",
              " => [2/3] RUN npm ci                2.5s",
              " => pushed r/a:1                    0.4s"});
}

TEST_CASE("a frame fits its screen: running steps before ended ones, long lines cut") {
  BuildView view(kStart);
  for (int i = 1; i <= 50; ++i)
    view.take({.kind = Kind::cached, .step = i, .name = "done " + std::to_string(i)}, kStart);
  for (int i = 51; i <= 53; ++i) {
    view.take({.kind = Kind::started, .step = i, .name = std::string(200, 'x')}, kStart);
    view.take({.kind = Kind::output, .step = i, .name = std::string(300, 'y') + "\n"}, kStart);
  }
  auto frame = view.frame({.columns = 30, .rows = 10}, kStart + 1s);
  CHECK(frame.size() == 9);
  int running = 0;
  for (const auto& line : frame) {
    std::size_t width = 0;
    for (char c : line) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    CHECK(width < 30);
    running += line.starts_with(" => xxx") ? 1 : 0;
  }
  CHECK(running == 3);
  CHECK(frame[1].starts_with(" => CACHED done 49"));
  CHECK(view.frame({.columns = 1, .rows = 1}, kStart).size() <= 2);
  CHECK(view.end({.columns = 30, .rows = 10}, kStart).size() == 51);
}

TEST_CASE("what a failed step wrote is told in the end") {
  BuildView view(kStart);
  view.take({.kind = Kind::started, .step = 1, .name = "[1/1] RUN x"}, kStart);
  view.take({.kind = Kind::output, .step = 1, .name = "cannot\nfind it"}, kStart);
  view.take({.kind = Kind::failed, .step = 1, .name = "[1/1] RUN x"}, kStart + 1s);
  auto lines = view.end({.columns = 30}, kStart + 1s);
  CHECK(Lines(lines.begin() + 1, lines.end()) == Lines{" => ERROR [1/1] RUN x    1.0s", "------",
                                                       " > [1/1] RUN x:", "cannot", "find it",
                                                       "------"});
}

TEST_CASE("nothing that a step writes moves the terminal") {
  CHECK(printable_line("a\x1b[2J\x1b[31mb\x1b]0;title\x07"
                       "c\x1b"
                       "7d\x08\x7f") == "abcd");
  CHECK(printable_line("10%\r20%\r100%\r") == "100%");
  CHECK(printable_line("\tx") == "    x");
  CHECK(printable_line("gr\xc3\xbc\xc3\x9f\xff\xc2\x9b"
                       "1m\xe2\x82") == "grüß?1m??");
  CHECK(printable_line("\x1b[") == "");
  CHECK(fit("grüße", 5) == "grüße");
  CHECK(fit("grüße", 4) == "grü…");
  CHECK(fit("abc", 0) == "");
}

}  // namespace
}  // namespace slipway::image
