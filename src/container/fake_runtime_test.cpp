// SPDX-License-Identifier: Apache-2.0
#include "container/fake_runtime.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "container/log_file.hpp"
#include "os/file.hpp"

using namespace slipway;
using namespace slipway::container;
using namespace std::chrono_literals;

TEST_CASE("the fake runtime keeps containers as a test tells it") {
  os::TempDir directory;
  FakeRuntime runtime(directory.path());
  ContainerSpec spec{.id = "a", .argv = {"app"}, .annotations = {{"k", "v"}}};
  CHECK(runtime.start(spec).phase == ContainerState::Phase::running);
  CHECK_THROWS_AS(runtime.start(spec), Error);
  runtime.log("a", "hello");
  CHECK(last_lines(runtime.state("a")->log, 1).at(0).text == "hello");
  CHECK_FALSE(runtime.wait("a", {}, Deadline::in(1ms)).has_value());
  CHECK_FALSE(runtime.kill("a", 1) == false);
  CHECK(stop_container(runtime, "a", 15, 1s, {}).exit.signal == 15);
  CHECK_FALSE(runtime.kill("a", 15));
  runtime.remove("a");
  CHECK(runtime.list().empty());
  runtime.on_run = [](const ContainerSpec& run, const OutputSink& sink) {
    sink(run.argv.at(0));
    return os::Exit{2, 0};
  };
  std::string output;
  auto exit = runtime.run(spec, {.sink = [&](std::string_view bytes) { output += bytes; }}, {}, {},
                          Deadline::never());
  CHECK(exit.exit.code == 2);
  CHECK(output == "app");
  CHECK(runtime.started().size() == 2);
}
