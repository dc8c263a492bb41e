// SPDX-License-Identifier: Apache-2.0
#include "workflow/expr_functions.hpp"

#include <map>
#include <variant>

#include "base/error.hpp"
#include "workflow/expr_memory.hpp"
#include "workflow/unicode.hpp"

namespace slipway::workflow {
namespace {

constexpr auto kNone = std::string::npos;

// Reads a format string into what it is made of: literal parts and numbers of arguments.
class FormatReader final {
 public:
  FormatReader(const std::string& format, std::size_t count) : format_(format), count_(count) {}

  std::vector<std::variant<std::string, std::size_t>> read() {
    while (at_ < format_.size()) {
      auto left = format_.find('{', at_);
      auto right = format_.find('}', at_);
      if (left != kNone && (right == kNone || right > left)) {
        read_left(left);
      } else if (right != kNone) {
        if (char_at(right + 1) != '}') invalid();
        text(right + 1);
        at_ = right + 2;
      } else {
        text(format_.size());
        at_ = format_.size();
      }
    }
    return std::move(parts_);
  }

 private:
  void read_left(std::size_t left) {
    if (char_at(left + 1) == '{') {
      text(left + 1);
      at_ = left + 2;
      return;
    }
    auto end = left + 1;
    std::size_t number = 0;
    while (char_at(end) >= '0' && char_at(end) <= '9') {
      if (number < 1000) number = number * 10 + static_cast<std::size_t>(char_at(end) - '0');
      ++end;
    }
    if (end == left + 1 || number > 255 || (char_at(end) != '}' && char_at(end) != ':')) invalid();
    auto close = end_of_specifiers(end);
    if (number >= count_) {
      fail(Fault::failed,
           "The following format string references more arguments than were supplied: {}", format_);
    }
    if (close > end + 1) {
      fail(Fault::failed, "The format specifiers '{}' are not valid",
           format_.substr(end + 1, close - end - 1));
    }
    text(left);
    parts_.emplace_back(number);
    at_ = close + 1;
  }

  // From "}" or ":…}" on to the brace that closes.
  [[nodiscard]] std::size_t end_of_specifiers(std::size_t from) const {
    if (char_at(from) == '}') return from;
    for (auto i = from + 1; i < format_.size(); ++i) {
      if (format_[i] != '}') continue;
      if (char_at(i + 1) != '}') return i;
      ++i;
    }
    invalid();
  }

  void text(std::size_t end) {
    if (end > at_) parts_.emplace_back(format_.substr(at_, end - at_));
  }
  [[nodiscard]] char char_at(std::size_t i) const { return i < format_.size() ? format_[i] : '\0'; }
  [[noreturn]] void invalid() const {
    fail(Fault::failed, "The following format string is invalid: {}", format_);
  }

  const std::string& format_;
  std::size_t count_;
  std::size_t at_ = 0;
  std::vector<std::variant<std::string, std::size_t>> parts_;
};

}  // namespace

bool contains_text(std::string_view text, std::string_view part) {
  return fold_case(text).find(fold_case(part)) != kNone;
}
bool starts_with_text(std::string_view text, std::string_view start) {
  return fold_case(text).starts_with(fold_case(start));
}
bool ends_with_text(std::string_view text, std::string_view end) {
  return fold_case(text).ends_with(fold_case(end));
}

std::string format_values(const std::string& format, std::size_t count, const Argument& argument) {
  auto parts = FormatReader(format, count).read();
  ResultMemory memory;
  std::map<std::size_t, std::string> known;
  for (const auto& part : parts) {
    if (const auto* text = std::get_if<std::string>(&part)) memory.add(*text);
  }
  std::string result;
  for (const auto& part : parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      result += *text;
      continue;
    }
    auto number = std::get<std::size_t>(part);
    auto at = known.find(number);
    if (at == known.end()) at = known.emplace(number, argument(number).to_string()).first;
    if (!at->second.empty()) memory.add(at->second);
    result += at->second;
  }
  return result;
}

std::string join_values(const std::vector<Value>& items, std::string_view separator) {
  ResultMemory memory;
  std::string result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) {
      memory.add(separator);
      result += separator;
    }
    auto text = items[i].to_string();
    memory.add(text);
    result += text;
  }
  return result;
}

Value value_from_json(const std::string& text) {
  try {
    return Value::from_json(formats::parse_json(text));
  } catch (const Error& error) {
    fail(Fault::failed, "Error parsing JSON when evaluating fromJson: {}", error.what());
  }
}

std::string value_to_json(const Value& value) {
  auto text = value.to_json_text();
  ResultMemory memory;
  memory.add(text);
  return text;
}

}  // namespace slipway::workflow
