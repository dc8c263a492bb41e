// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <numeric>

#include "base/error.hpp"
#include "formats/json.hpp"

namespace slipway::formats {
namespace {

constexpr std::size_t kDepth = 200;

/// Keeps of each key the first place and the last value.
void drop_duplicates(Json::Object& object) {
  std::vector<std::size_t> order(object.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {},
                           [&](std::size_t i) -> const std::string& { return object[i].first; });
  std::vector<bool> dropped(object.size(), false);
  bool any = false;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && object[order[end]].first == object[order[i]].first)
      dropped[order[end++]] = any = true;
    if (end > i + 1) object[order[i]].second = std::move(object[order[end - 1]].second);
    i = end;
  }
  if (!any) return;
  std::size_t index = 0;
  std::erase_if(object, [&](const auto&) { return dropped[index++]; });
}

/// Builds a Json from Boost.JSON's events. Names and signatures are Boost's SAX concept.
struct Builder {
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);
  using Code = boost::system::error_code;
  using Text = boost::json::string_view;

  std::vector<Json> open;          // containers that are not closed yet
  std::vector<std::string> names;  // the key that each open object is at
  std::string text;                // a string or key so far
  std::string number;              // a number so far
  Json root;

  bool add(Json value) {
    if (open.empty()) {
      root = std::move(value);
    } else if (open.back().is_array()) {
      open.back().as_array().push_back(std::move(value));
    } else {
      open.back().as_object().emplace_back(std::move(names.back()), std::move(value));
    }
    return true;
  }
  bool close() {
    Json done = std::move(open.back());
    open.pop_back();
    return add(std::move(done));
  }
  std::string take_text(Text last) {
    text.append(last.data(), last.size());
    return std::exchange(text, {});
  }
  std::string take_number(Text last) {
    number.append(last.data(), last.size());
    return std::exchange(number, {});
  }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    open.emplace_back(Json::Object{});
    names.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Code&) {
    names.pop_back();
    drop_duplicates(open.back().as_object());
    return close();
  }
  bool on_array_begin(Code&) {
    open.emplace_back(Json::Array{});
    return true;
  }
  bool on_array_end(std::size_t, Code&) { return close(); }
  bool on_key_part(Text part, std::size_t, Code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text last, std::size_t, Code&) {
    names.back() = take_text(last);
    return true;
  }
  bool on_string_part(Text part, std::size_t, Code&) {
    text.append(part.data(), part.size());
    return true;
  }
  bool on_string(Text last, std::size_t, Code&) { return add(take_text(last)); }
  bool on_number_part(Text part, Code&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t value, Text, Code&) {
    number.clear();
    return add(value);
  }
  bool on_uint64(std::uint64_t value, Text, Code&) {
    number.clear();
    return add(value);
  }
  bool on_double(double value, Text last, Code&) {
    std::string digits =
        take_number(last);  // Boost 1.81's own value may be off by one unit in the last place
    double exact = value;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exact);
    return add(error == std::errc{} && end == digits.data() + digits.size() ? exact : value);
  }
  bool on_bool(bool value, Code&) { return add(value); }
  bool on_null(Code&) { return add(nullptr); }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }
};

[[noreturn]] void refuse(std::string_view text, std::size_t offset, std::string_view file,
                         std::string_view what) {
  std::string_view before = text.substr(0, offset);
  auto line_start = before.rfind('\n');
  std::string_view line =
      line_start == std::string_view::npos ? before : before.substr(line_start + 1);
  Diagnostic found;
  found.file = file;
  found.line = static_cast<int>(std::ranges::count(before, '\n')) + 1;
  found.column =
      static_cast<int>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; })) + 1;
  found.message = what;
  throw_diagnostics({found});
}

}  // namespace

Json parse_json(std::string_view text, std::string_view file) {
  boost::json::parse_options options;
  options.max_depth = kDepth;
  boost::json::basic_parser<Builder> parser(options);
  boost::system::error_code error;
  std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (error) {
    refuse(text, consumed, file,
           error == boost::json::error::incomplete ? "the JSON text ends too early"
           : error == boost::json::error::too_deep ? "the JSON text is nested too deep"
                                                   : "not JSON: " + error.message());
  }
  if (consumed < text.size()) refuse(text, consumed, file, "not JSON: something follows the value");
  return std::move(parser.handler().root);
}

}  // namespace slipway::formats
