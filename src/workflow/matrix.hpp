// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "workflow/expr.hpp"
#include "workflow/model.hpp"

namespace slipway::workflow {

inline constexpr std::size_t kMaxLegs = 256;

/// One cell of a job's matrix; a job without a matrix has one leg.
struct Leg {
  Value matrix;        ///< object, or null without a matrix
  std::string suffix;  ///< " (3.11, ubuntu)": what is added to a job's default name
  int index = 0;
};

struct Strategy {
  std::vector<Leg> legs;
  bool fail_fast = true;
  int max_parallel = 0;  ///< the number of legs when the file does not say
  /// The `strategy` context of a leg.
  [[nodiscard]] Value context(int index) const;
};

/// Expands a job's strategy: product in declared order, exclude, include.
///   contexts  github, inputs, vars, needs
///   throws    Error{bad_input} with GitHub's text: empty vectors, more than 256 legs, values of a wrong kind
Strategy expand_strategy(const Job& job, const Contexts& contexts);
/// Keeps the legs whose matrix has all these values (as text); for --matrix K=V.
void select_legs(Strategy& strategy,
                 const std::vector<std::pair<std::string, std::string>>& wanted);
/// The job's name as GitHub shows it: `name` evaluated with matrix and strategy, else the id with the leg's suffix.
std::string job_title(const Job& job, const Leg& leg, const Contexts& contexts);

}  // namespace slipway::workflow
