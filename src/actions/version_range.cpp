// SPDX-License-Identifier: Apache-2.0
#include "actions/version_range.hpp"

#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::actions {
namespace {

// A version whose last numbers may be left open ("20", "20.x").
struct Partial {
  Version numbers{};
  int given = 0;
};

std::optional<Partial> parse_partial(std::string_view text) {
  if (text.starts_with('v') || text.starts_with('=')) text.remove_prefix(1);
  Partial partial;
  auto parts = split(text, '.');
  if (parts.size() > 3) return std::nullopt;
  for (const auto& part : parts) {
    if (part == "x" || part == "X" || part == "*") break;
    auto number = to_integer(part);
    if (!number || *number < 0) return std::nullopt;
    partial.numbers[static_cast<std::size_t>(partial.given++)] = *number;
  }
  return partial;
}

// The first version past everything that agrees in the first `kept` numbers.
Version after(const Version& version, int kept) {
  if (kept == 0) return {1'000'000, 0, 0};
  Version next{};
  for (int i = 0; i < kept; ++i)
    next[static_cast<std::size_t>(i)] = version[static_cast<std::size_t>(i)];
  ++next[static_cast<std::size_t>(kept - 1)];
  return next;
}

// The numbers that a caret lets alone: up to the first that is not 0.
int caret_keeps(const Partial& partial) {
  for (int i = 0; i < partial.given; ++i) {
    if (partial.numbers[static_cast<std::size_t>(i)] != 0) return i + 1;
  }
  return std::max(partial.given, 1);
}

bool meets(const Version& version, std::string_view term) {
  static constexpr std::array<std::string_view, 8> kOperators = {">=", "<=", "~>", ">",
                                                                 "<",  "^",  "~",  "="};
  std::string_view op;
  for (auto candidate : kOperators) {
    if (term.starts_with(candidate)) {
      op = candidate;
      break;
    }
  }
  auto partial = parse_partial(trim(term.substr(op.size())));
  if (!partial) fail(Fault::bad_input, "'{}' is not a version range", term);
  const Version& low = partial->numbers;
  if (op == ">=") return version >= low;
  if (op == "<") return version < low;
  if (op == ">") return partial->given < 3 ? version >= after(low, partial->given) : version > low;
  if (op == "<=") return version < after(low, partial->given);
  int kept = partial->given;
  if (op == "^") kept = caret_keeps(*partial);
  if (op == "~" || op == "~>") kept = std::min(partial->given, 2);
  return version >= low && version < after(low, kept);
}

bool meets_all(const Version& version, std::string_view text) {
  std::string range(trim(text));
  if (auto at = range.find(" - "); at != std::string::npos) {
    return meets(version, ">=" + range.substr(0, at)) &&
           meets(version, "<=" + std::string(trim(range.substr(at + 3))));
  }
  for (const char* op : {">=", "<=", ">", "<", "^", "~", "="})
    range = replace_all(range, std::string(op) + " ", op);
  for (auto& word : split(replace_all(range, ",", " "), ' ')) {
    if (!word.empty() && !meets(version, word)) return false;
  }
  return true;
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  auto partial = parse_partial(trim(text));
  if (!partial || partial->given == 0) return std::nullopt;
  return partial->numbers;
}

bool satisfies(const Version& version, std::string_view range) {
  for (std::string_view rest = range;;) {
    auto at = rest.find("||");
    if (meets_all(version, rest.substr(0, at))) return true;
    if (at == std::string_view::npos) return false;
    rest.remove_prefix(at + 2);
  }
}

}  // namespace slipway::actions
