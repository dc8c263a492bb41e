// SPDX-License-Identifier: Apache-2.0
#include "workflow/job_services.hpp"

#include <fmt/format.h>

#include "workflow/job_state.hpp"
#include "workflow/step_output.hpp"

namespace slipway::workflow {

JobServices::JobServices(JobMachine& machine, std::vector<ContainerOrder> orders,
                         std::stop_token stop)
    : orders_(std::move(orders)), starts_(orders_.size()), group_(std::move(stop)) {
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    group_.start([this, &machine, i](const std::stop_token& ended) {
      starts_[i].service = machine.start_service(
          orders_[i], [this, i](std::string_view text) { starts_[i].log += text; }, ended);
    });
  }
}

Value JobServices::wait(StepOutput& output) {
  try {
    group_.join();
  } catch (...) {
    tell(output);
    throw;
  }
  tell(output);
  std::vector<Value::Member> running;
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    const auto& started = *starts_[i].service;
    running.emplace_back(orders_[i].id, Value::object({{"id", started.id},
                                                       {"network", started.network},
                                                       {"ports", to_value(started.ports)}}));
  }
  return Value::object(std::move(running));
}

void JobServices::tell(StepOutput& output) const {
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    output.group(fmt::format("Starting {} service container", orders_[i].id));
    output.say(starts_[i].log);
    output.end_group();
  }
}

}  // namespace slipway::workflow
