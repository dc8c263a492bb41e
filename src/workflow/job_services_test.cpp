// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "base/guarded.hpp"
#include "workflow/engine_bench.hpp"

using namespace slipway;
using namespace slipway::workflow;
using namespace slipway::workflow::testing;

namespace {

/// Stands in for what starts while the services do: tells that it has run.
class Early final : public Action {
 public:
  explicit Early(Guarded<bool>& ran) : ran_(ran) {}
  std::vector<ActionInput> inputs() const override {
    return {{.name = "port", .standard = std::nullopt}};
  }
  bool is_apart_from_services() const override { return true; }
  void run(ActionContext& context) override {
    context.log("early " + context.text("port"));
    ran_.with([](bool& ran) { ran = true; });
  }

 private:
  Guarded<bool>& ran_;
};

class EarlyCatalog final : public ActionCatalog {
 public:
  Action* find(std::string_view name, std::string_view) override {
    return name == "test/early" ? &early : nullptr;
  }
  Guarded<bool> ran{false};
  Early early{ran};
};

/// A service that is healthy once `is_healthy` holds; nothing runs.
class ServiceMachine final : public HostMachine {
 public:
  ServiceMachine(const MachineOrder& order, Guarded<bool>& is_healthy)
      : HostMachine(order.directory, order.repository, nullptr), is_healthy_(is_healthy) {}
  RunningService start_service(const ContainerOrder& order, const OutputSink& sink,
                               std::stop_token stop) override {
    sink(order.image + " starts\n");
    bool healthy = is_healthy_.wait(
        stop, Deadline::in(std::chrono::seconds(order.image == "sick" ? 0 : 20)),
        [](bool value) { return value; }, [](bool) {});
    if (!healthy) fail(Fault::failed, "service '{}' is not healthy", order.id);
    return {.id = "c1", .network = "n1", .ports = {{"5432", "6000"}}};
  }

 private:
  Guarded<bool>& is_healthy_;
};

class ServiceFactory final : public MachineFactory {
 public:
  explicit ServiceFactory(Guarded<bool>& is_healthy) : is_healthy_(is_healthy) {}
  std::unique_ptr<JobMachine> make(const MachineOrder& order, const OutputSink&,
                                   std::stop_token) override {
    return std::make_unique<ServiceMachine>(order, is_healthy_);
  }

 private:
  Guarded<bool>& is_healthy_;
};

}  // namespace

TEST_CASE("steps that meet no service run while the services start, the others wait for them") {
  EarlyCatalog catalog;
  ServiceFactory machines(catalog.ran);  // healthy once the action has run: waiting first fails
  Bench bench;
  bench.machines = &machines;
  bench.builtins = &catalog;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: x
    services: {db: {image: "db:1"}}
    steps:
      - uses: test/early@v1
      - run: echo "port ${{ job.services.db.ports['5432'] }}"
      - {uses: test/early@v1, with: {port: "${{ job.services.db.ports['5432'] }}"}}
)");
  CHECK(result.conclusion == Conclusion::success);
  CHECK(bench.recorder.says("port 6000"));
  CHECK(bench.recorder.says("early 6000"));
  std::vector<std::pair<int, std::string>> steps;
  for (const auto& event : bench.recorder.events) {
    if (event.kind == EventKind::step_finished) steps.emplace_back(event.step, event.step_name);
  }
  REQUIRE(steps.size() == 5);
  CHECK(steps[1] == std::pair(3, std::string("Run test/early@v1")));
  CHECK(steps[2] == std::pair(2, std::string("Initialize containers")));
}

TEST_CASE(
    "an early step that asks for a service's port has to wait, and a sick service skips all but "
    "always()") {
  EarlyCatalog catalog;
  ServiceFactory machines(catalog.ran);
  Bench bench;
  bench.machines = &machines;
  bench.builtins = &catalog;
  auto result = bench.run(R"(
on: push
jobs:
  one:
    runs-on: x
    services: {db: {image: sick}}
    steps:
      - {uses: test/early@v1, with: {port: "${{ job.services.db.ports['5432'] }}"}}
      - {run: echo cleaned, if: always()}
)");
  CHECK(result.conclusion == Conclusion::failure);
  CHECK(bench.recorder.says("service 'db' is not healthy"));
  CHECK(bench.recorder.conclusion_of_step("Initialize containers") == "failure");
  CHECK(bench.recorder.conclusion_of_step("Run test/early@v1") == "skipped");
  CHECK(bench.recorder.says("cleaned"));
}
