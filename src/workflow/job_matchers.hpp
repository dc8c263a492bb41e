// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "workflow/job_machine.hpp"
#include "workflow/step_output.hpp"

namespace slipway::workflow {

/// Problem matchers of a job on a machine.
class JobMatchers final : public MatcherHost {
 public:
  explicit JobMatchers(const JobMachine& machine) : machine_(machine) {}
  [[nodiscard]] std::string read(const std::string& path) const override;
  [[nodiscard]] std::string place_of(const std::string& file,
                                     const std::string& from_path) const override;

 private:
  [[nodiscard]] std::string inside(const std::string& path) const;
  const JobMachine& machine_;
};

}  // namespace slipway::workflow
