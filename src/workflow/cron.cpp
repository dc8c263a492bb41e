// SPDX-License-Identifier: Apache-2.0
#include "workflow/cron.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace slipway::workflow {
namespace {

struct Field {
  int first = 0;
  int last = 0;
  std::vector<std::string_view> names;  // from `first` on
};

const std::vector<Field>& fields() {
  static const std::vector<Field> list = {
      {0, 59, {}},
      {0, 23, {}},
      {1, 31, {}},
      {1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
      {0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}};
  return list;
}

std::optional<int> number_of(std::string_view text, const Field& field) {
  auto lower = to_lower(std::string(text));
  auto named = std::find(field.names.begin(), field.names.end(), lower);
  if (named != field.names.end())
    return field.first + static_cast<int>(named - field.names.begin());
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  auto number = to_integer(text);
  if (!number || *number < field.first || *number > field.last) return std::nullopt;
  return static_cast<int>(*number);
}

bool is_range(std::string_view text, const Field& field) {
  if (text == "*") return true;
  auto ends = split(text, '-');
  if (ends.size() == 1) return number_of(text, field).has_value();
  if (ends.size() != 2) return false;
  auto from = number_of(ends[0], field);
  auto to = number_of(ends[1], field);
  return from && to && *from <= *to;
}

bool is_item(std::string_view text, const Field& field) {
  auto parts = split(text, '/');
  if (parts.size() > 2 || !is_range(parts[0], field)) return false;
  if (parts.size() == 1) return true;
  auto step = number_of(parts[1], Field{field.first, field.last, {}});
  return step && *step > 0;
}

std::vector<std::string> parts_of(std::string_view cron) {
  auto parts = split(cron, ' ');
  // Several blanks count as one; at the ends they are fields of their own.
  for (std::size_t i = parts.size(); i-- > 1;) {
    if (parts[i].empty() && i + 1 < parts.size())
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return parts;
}

}  // namespace

bool is_cron(std::string_view text) {
  auto parts = parts_of(text);
  if (parts.size() != fields().size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto items = split(parts[i], ',');
    if (!std::all_of(items.begin(), items.end(),
                     [&](const auto& item) { return is_item(item, fields()[i]); }))
      return false;
  }
  return true;
}

int shortest_interval(std::string_view cron) {
  std::vector<bool> minutes(60, false);
  for (const auto& item : split(parts_of(cron)[0], ',')) {
    auto halves = split(item, '/');
    auto ends = split(halves[0], '-');
    int from = halves[0] == "*" ? 0 : static_cast<int>(to_integer(ends[0]).value_or(0));
    int to = halves[0] == "*" || (ends.size() == 1 && halves.size() == 2)
                 ? 59
                 : static_cast<int>(to_integer(ends.back()).value_or(from));
    int step = halves.size() == 2 ? static_cast<int>(to_integer(halves[1]).value_or(1)) : 1;
    for (int minute = std::max(from, 0); minute <= std::min(to, 59); minute += std::max(step, 1)) {
      minutes[static_cast<std::size_t>(minute)] = true;
    }
  }
  std::vector<int> set;
  for (int i = 0; i < 60; ++i) {
    if (minutes[static_cast<std::size_t>(i)]) set.push_back(i);
  }
  if (set.size() < 2) return 60;
  int shortest = set.front() + 60 - set.back();
  for (std::size_t i = 1; i < set.size(); ++i) shortest = std::min(shortest, set[i] - set[i - 1]);
  return shortest;
}

}  // namespace slipway::workflow
