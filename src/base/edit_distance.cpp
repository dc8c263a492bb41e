// SPDX-License-Identifier: Apache-2.0
#include "base/edit_distance.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"

namespace slipway {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j < row.size(); ++j) {
      std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string nearest_word(std::string_view word, std::span<const std::string> options,
                         bool minds_case) {
  const std::string wanted = minds_case ? std::string(word) : to_lower(word);
  std::string best;
  std::size_t least = 3;
  for (const auto& option : options) {
    auto distance = edit_distance(wanted, minds_case ? option : to_lower(option));
    if (distance == 0) return "";
    // Of two equally near the one with the same beginning: "RNU" is RUN sooner than ENV.
    bool begins_so = !best.empty() && distance == least && !wanted.empty() &&
                     option.starts_with(word.front()) && !best.starts_with(word.front());
    if (distance > least || (distance == least && !begins_so)) continue;
    least = distance;
    best = option;
  }
  if (minds_case) return best;
  return word == to_lower(word) ? to_lower(best) : word == to_upper(word) ? to_upper(best) : best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> options,
                         bool minds_case) {
  auto nearest = nearest_word(word, options, minds_case);
  return nearest.empty() ? "" : fmt::format(" (did you mean {}?)", nearest);
}

}  // namespace slipway
