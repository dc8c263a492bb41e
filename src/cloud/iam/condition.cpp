// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/condition.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/text.hpp"
#include "formats/time.hpp"

namespace slipway::cloud::iam {
namespace {

// Compares one value of the policy with one of the request.
using Compare = bool (*)(const std::string& wanted, const std::string& found);

struct Operator {
  std::string_view name;
  Compare compare;
  bool is_negated;  // true: met when no value of the policy matches, and when the key is absent
};

std::optional<double> number(const std::string& text) {
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (*end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> date(const std::string& text) {
  if (auto seconds = number(text)) return seconds;
  auto time = formats::parse_iso8601(text);
  if (!time) return std::nullopt;
  return formats::epoch_seconds(*time);
}

template <typename Read, typename Holds>
bool both(Read read, const std::string& wanted, const std::string& found, Holds holds) {
  auto a = read(wanted);
  auto b = read(found);
  return a && b && holds(*b, *a);
}

bool equal(const std::string& wanted, const std::string& found) { return wanted == found; }
bool equal_ignoring_case(const std::string& wanted, const std::string& found) {
  return equals_ignoring_case(wanted, found);
}
bool like(const std::string& wanted, const std::string& found) {
  return matches_pattern(wanted, found);
}

// Each of the six parts separately, so that a wildcard does not cross a colon but in the last.
bool arn_like(const std::string& wanted, const std::string& found) {
  auto parts_of = [](const std::string& text) {
    auto parts = split(text, ':');
    while (parts.size() > 6) {
      auto last = std::move(parts.back());
      parts.pop_back();
      parts.back() += ":" + last;
    }
    return parts;
  };
  auto a = parts_of(wanted);
  auto b = parts_of(found);
  if (a.size() == 1 && a[0] == "*") return b.size() == 6;
  if (a.size() != 6 || b.size() != 6) return false;
  for (std::size_t i = 0; i < 6; ++i) {
    if (!matches_pattern(a[i], b[i])) return false;
  }
  return true;
}

struct Address {
  int family = 0;
  std::array<unsigned char, 16> bytes{};
};

std::optional<Address> address(const std::string& text) {
  Address address;
  for (int family : {AF_INET, AF_INET6}) {
    if (::inet_pton(family, text.c_str(), address.bytes.data()) == 1) {
      address.family = family;
      return address;
    }
  }
  return std::nullopt;
}

bool in_network(const std::string& wanted, const std::string& found) {
  auto slash = wanted.find('/');
  auto network = address(wanted.substr(0, slash));
  auto host = address(found);
  if (!network || !host || network->family != host->family) return false;
  long long most = network->family == AF_INET ? 32 : 128;
  auto bits =
      slash == std::string::npos ? std::optional(most) : to_integer(wanted.substr(slash + 1));
  if (!bits || *bits < 0 || *bits > most) return false;
  for (long long bit = 0; bit < *bits; ++bit) {
    auto index = static_cast<std::size_t>(bit / 8);
    auto mask = static_cast<unsigned>(0x80U >> (bit % 8));
    if ((network->bytes[index] & mask) != (host->bytes[index] & mask)) return false;
  }
  return true;
}

constexpr std::array kOperators = {
    Operator{"StringEquals", equal, false},
    Operator{"StringNotEquals", equal, true},
    Operator{"StringEqualsIgnoreCase", equal_ignoring_case, false},
    Operator{"StringNotEqualsIgnoreCase", equal_ignoring_case, true},
    Operator{"StringLike", like, false},
    Operator{"StringNotLike", like, true},
    Operator{"NumericEquals",
             [](const std::string& w, const std::string& f) {
               return both(number, w, f, std::equal_to<double>());
             },
             false},
    Operator{"NumericNotEquals",
             [](const std::string& w, const std::string& f) {
               return both(number, w, f, std::equal_to<double>());
             },
             true},
    Operator{"NumericLessThan",
             [](const std::string& w, const std::string& f) {
               return both(number, w, f, std::less<double>());
             },
             false},
    Operator{"NumericLessThanEquals",
             [](const std::string& w, const std::string& f) {
               return both(number, w, f, std::less_equal<double>());
             },
             false},
    Operator{"NumericGreaterThan",
             [](const std::string& w, const std::string& f) {
               return both(number, w, f, std::greater<double>());
             },
             false},
    Operator{"NumericGreaterThanEquals",
             [](const std::string& w, const std::string& f) {
               return both(number, w, f, std::greater_equal<double>());
             },
             false},
    Operator{"DateEquals",
             [](const std::string& w, const std::string& f) {
               return both(date, w, f, std::equal_to<double>());
             },
             false},
    Operator{"DateNotEquals",
             [](const std::string& w, const std::string& f) {
               return both(date, w, f, std::equal_to<double>());
             },
             true},
    Operator{"DateLessThan",
             [](const std::string& w, const std::string& f) {
               return both(date, w, f, std::less<double>());
             },
             false},
    Operator{"DateLessThanEquals",
             [](const std::string& w, const std::string& f) {
               return both(date, w, f, std::less_equal<double>());
             },
             false},
    Operator{"DateGreaterThan",
             [](const std::string& w, const std::string& f) {
               return both(date, w, f, std::greater<double>());
             },
             false},
    Operator{"DateGreaterThanEquals",
             [](const std::string& w, const std::string& f) {
               return both(date, w, f, std::greater_equal<double>());
             },
             false},
    Operator{"Bool", equal_ignoring_case, false},
    Operator{"BinaryEquals", equal, false},
    Operator{"IpAddress", in_network, false},
    Operator{"NotIpAddress", in_network, true},
    Operator{"ArnEquals", arn_like, false},
    Operator{"ArnLike", arn_like, false},
    Operator{"ArnNotEquals", arn_like, true},
    Operator{"ArnNotLike", arn_like, true},
};

const Operator* find_operator(std::string_view name) {
  auto found = std::find_if(kOperators.begin(), kOperators.end(), [&](const Operator& each) {
    return equals_ignoring_case(each.name, name);
  });
  return found == kOperators.end() ? nullptr : &*found;
}

// Without wildcards the escapes of expand_variables() are the characters themselves.
std::string plain(std::string text) {
  return replace_all(replace_all(std::move(text), "\x01", "*"), "\x02", "?");
}

}  // namespace

bool LessIgnoringCase::operator()(std::string_view a, std::string_view b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return lower(x) < lower(y);
  });
}

std::optional<Condition> parse_operator(std::string_view written) {
  Condition condition;
  condition.written = written;
  auto base = written;
  if (base.starts_with("ForAnyValue:")) {
    condition.set = Condition::Set::any;
    base.remove_prefix(12);
  } else if (base.starts_with("ForAllValues:")) {
    condition.set = Condition::Set::all;
    base.remove_prefix(13);
  }
  if (base.ends_with("IfExists") && base != "IfExists") {
    condition.if_exists = true;
    base.remove_suffix(8);
  }
  if (equals_ignoring_case(base, "Null")) {
    if (condition.if_exists || condition.set != Condition::Set::none) return std::nullopt;
    condition.base = "Null";
    return condition;
  }
  const auto* found = find_operator(base);
  if (found == nullptr) return std::nullopt;
  condition.base = found->name;
  return condition;
}

bool is_met(const Condition& condition, const Context& context) {
  auto found = context.find(condition.key);
  bool exists = found != context.end() && !found->second.empty();
  if (condition.base == "Null") {
    return std::any_of(condition.values.begin(), condition.values.end(),
                       [&](const std::string& value) {
                         return equals_ignoring_case(value, exists ? "false" : "true");
                       });
  }
  const auto* compare = find_operator(condition.base);
  if (compare == nullptr) return false;
  if (!exists) {
    if (condition.if_exists || condition.set == Condition::Set::all) return true;
    return compare->is_negated && condition.set == Condition::Set::none;
  }
  bool is_like = condition.base.starts_with("StringLike") ||
                 condition.base.starts_with("StringNotLike") || condition.base.starts_with("Arn");
  auto matches_one = [&](const std::string& value) {
    return std::any_of(
        condition.values.begin(), condition.values.end(), [&](const std::string& wanted) {
          auto expanded = expand_variables(wanted, context);
          return expanded && compare->compare(is_like ? *expanded : plain(*expanded), value);
        });
  };
  const auto& values = found->second;
  auto holds = [&](const std::string& value) { return matches_one(value) != compare->is_negated; };
  if (condition.set == Condition::Set::all) return std::all_of(values.begin(), values.end(), holds);
  if (condition.set == Condition::Set::any) return std::any_of(values.begin(), values.end(), holds);
  // Without a set operator a negated one holds only when no value matches.
  return std::any_of(values.begin(), values.end(), matches_one) != compare->is_negated;
}

std::optional<std::string> expand_variables(std::string_view text, const Context& context) {
  std::string out;
  while (!text.empty()) {
    auto start = text.find("${");
    auto end = start == std::string_view::npos ? start : text.find('}', start);
    if (end == std::string_view::npos) return out + std::string(text);
    out += text.substr(0, start);
    auto name = text.substr(start + 2, end - start - 2);
    text.remove_prefix(end + 1);
    if (name == "*") {
      out += '\x01';
    } else if (name == "?") {
      out += '\x02';
    } else if (name == "$") {
      out += '$';
    } else {
      auto comma = name.find(',');
      auto found = context.find(trim(name.substr(0, comma)));
      if (found != context.end() && found->second.size() == 1) {
        // A value's own stars are text.
        out += replace_all(replace_all(found->second.front(), "*", "\x01"), "?", "\x02");
      } else if (comma != std::string_view::npos) {
        auto fallback = trim(name.substr(comma + 1));
        if (fallback.size() >= 2 && fallback.front() == '\'' && fallback.back() == '\'')
          fallback = fallback.substr(1, fallback.size() - 2);
        out += fallback;
      } else {
        return std::nullopt;
      }
    }
  }
  return out;
}

bool matches_pattern(std::string_view pattern, std::string_view text, bool ignoring_case) {
  auto same = [&](char wanted, char found) {
    if (wanted == '\x01')
      wanted = '*';
    else if (wanted == '\x02')
      wanted = '?';
    else if (wanted == '?')
      return true;
    if (wanted == found) return true;
    return ignoring_case &&
           to_lower(std::string_view(&wanted, 1)) == to_lower(std::string_view(&found, 1));
  };
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace slipway::cloud::iam
