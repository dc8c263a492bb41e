// SPDX-License-Identifier: Apache-2.0
#include "cloud/shapes.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/input.hpp"
#include "cloud/shape_tables.hpp"

namespace slipway::cloud {
namespace {

constexpr std::size_t kShown = 200;  // of a value in a message

struct Shape {
  std::string type;
  std::map<std::string, std::string> members;
  std::vector<std::string> required;
  std::string item, key, value;
  std::vector<std::string> values;  // of an enum
  std::optional<double> least, most;
  std::string pattern;
  bool is_sensitive = false;
};

Shape read_shape(const Json& json) {
  Shape shape{.type = json.get_string("t"),
              .members = {},
              .required = {},
              .item = json.get_string("i"),
              .key = json.get_string("k"),
              .value = json.get_string("v"),
              .values = {},
              .least = {},
              .most = {},
              .pattern = json.get_string("p"),
              .is_sensitive = json.get_bool("s")};
  if (const Json* members = json.find("m")) {
    for (const auto& [name, target] : members->as_object())
      shape.members[name] = target.as_string();
  }
  for (const auto& name : json.get_array("r")) shape.required.push_back(name.as_string());
  for (const auto& value : json.get_array("e")) shape.values.push_back(value.as_string());
  if (json.contains("n")) shape.least = json.get_number("n");
  if (json.contains("x")) shape.most = json.get_number("x");
  return shape;
}

// Java's \uXXXX is \x{XXXX} to RE2.
std::string for_re2(const std::string& pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern.compare(i, 2, "\\u") == 0 && i + 6 <= pattern.size()) {
      out += "\\x{" + pattern.substr(i + 2, 4) + "}";
      i += 5;
    } else {
      out += pattern[i];
    }
  }
  return out;
}

std::string small_first(const std::string& name) {
  std::string out = name;
  if (!out.empty() && out[0] >= 'A' && out[0] <= 'Z')
    out[0] = static_cast<char>(out[0] - 'A' + 'a');
  return out;
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

bool is_number_type(const std::string& type) {
  return type == "integer" || type == "long" || type == "double" || type == "float";
}

std::string article(const std::string& type) {
  if (type == "integer") return "an Integer";
  if (type == "long") return "a Long";
  if (type == "boolean") return "a Boolean";
  return type == "double" || type == "float" ? "a Double" : "a String";
}

std::string json_word(const Json& value) {
  return value.is_string() ? "STRING_VALUE"
         : value.is_bool() ? (value.as_bool() ? "TRUE_VALUE" : "FALSE_VALUE")
                           : "NUMBER_VALUE";
}

std::string number_text(double number) {
  return fmt::format("{}", static_cast<std::int64_t>(number));
}

}  // namespace

struct Shapes::Inside {
  std::map<std::string, std::string> operations;
  std::map<std::string, Shape> shapes;
  mutable std::mutex mutex;
  mutable std::map<std::string, std::unique_ptr<re2::RE2>> patterns;  // guarded by mutex

  struct Walk {
    const Inside& book;
    bool is_query;
    std::vector<Violation> found;

    void add(const std::string& path, const std::string& value, std::string constraint,
             const Shape& shape, bool is_enum = false) {
      found.push_back({path, value.substr(0, kShown), std::move(constraint), false, is_enum,
                       shape.is_sensitive});
    }
    void wrong_type(const std::string& path, std::string message) {
      found.push_back({path, "", fmt::format("{} (at '{}')", message, path), true, false, false});
    }

    void look(const std::string& path, const Shape& shape, const Json& value) {
      if (value.is_null()) return;
      if (shape.type == "structure") return structure(path, shape, value);
      if (shape.type == "list") return list(path, shape, value);
      if (shape.type == "map") return map(path, shape, value);
      scalar(path, shape, value);
    }

    void structure(const std::string& path, const Shape& shape, const Json& value) {
      if (!value.is_object())
        return wrong_type(path, value.is_array()
                                    ? "Start of list found where not expected"
                                    : "Expected a structure, found " + json_word(value));
      for (const auto& name : shape.required) {
        const Json* member = value.find(name);
        if (member == nullptr || member->is_null()) {
          found.push_back(
              {under(path, name), "null", "Member must not be null", false, false, false});
        }
      }
      for (const auto& [name, target] : shape.members) {
        if (const Json* member = value.find(name))
          look(under(path, name), book.shapes.at(target), *member);
      }
    }

    // A query client's empty list is an empty string; one with names of its own is an object around the list.
    void list(const std::string& path, const Shape& shape, const Json& value) {
      const Json* items = &value;
      if (is_query && value.is_string() && value.as_string().empty()) return;
      if (is_query && value.is_object() && value.size() == 1)
        items = &value.as_object().begin()->second;
      if (!items->is_array())
        return wrong_type(path, value.is_object()
                                    ? "Start of structure or map found where not expected."
                                    : "Expected list or null");
      length(path, shape, value.dump(), static_cast<double>(items->size()));
      std::size_t number = 0;
      for (const auto& item : items->as_array())
        look(fmt::format("{}.{}.member", path, ++number), book.shapes.at(shape.item), item);
    }

    void map(const std::string& path, const Shape& shape, const Json& value) {
      if (is_query && value.is_string() && value.as_string().empty()) return;
      if (!value.is_object())
        return wrong_type(path, value.is_array() ? "Start of list found where not expected"
                                                 : "Expected map or null");
      length(path, shape, value.dump(), static_cast<double>(value.size()));
      for (const auto& [name, item] : value.as_object()) {
        look(path, book.shapes.at(shape.key), Json(name));
        look(fmt::format("{}.{}.member", path, name), book.shapes.at(shape.value), item);
      }
    }

    void length(const std::string& path, const Shape& shape, const std::string& shown,
                double size) {
      if (shape.least && size < *shape.least)
        add(path, shown,
            "Member must have length greater than or equal to " + number_text(*shape.least), shape);
      if (shape.most && size > *shape.most)
        add(path, shown,
            "Member must have length less than or equal to " + number_text(*shape.most), shape);
    }

    void scalar(const std::string& path, const Shape& shape, const Json& value) {
      if (value.is_array()) return wrong_type(path, "Start of list found where not expected");
      if (value.is_object())
        return wrong_type(path, "Start of structure or map found where not expected.");
      if (is_number_type(shape.type)) return number(path, shape, value);
      if (shape.type == "boolean") {
        bool fits =
            value.is_bool() || (is_query && (equals_ignoring_case(value.as_string(), "true") ||
                                             equals_ignoring_case(value.as_string(), "false")));
        if (!fits) wrong_type(path, json_word(value) + " can not be converted to a Boolean");
        return;
      }
      if (shape.type == "timestamp") return;
      if (!value.is_string())
        return wrong_type(path, json_word(value) + " can not be converted to a String");
      if (shape.type == "string") text(path, shape, value.as_string());
    }

    void number(const std::string& path, const Shape& shape, const Json& value) {
      double given = 0;
      if (value.is_number()) {
        given = value.as_number();
      } else {
        auto whole = is_query ? to_integer(value.as_string()) : std::nullopt;
        if (!whole)
          return wrong_type(path, fmt::format("{} can not be converted to {}", json_word(value),
                                              article(shape.type)));
        given = static_cast<double>(*whole);
      }
      std::string shown = value.is_string() ? value.as_string() : value.dump();
      if (shape.least && given < *shape.least)
        add(path, shown,
            "Member must have value greater than or equal to " + number_text(*shape.least), shape);
      if (shape.most && given > *shape.most)
        add(path, shown, "Member must have value less than or equal to " + number_text(*shape.most),
            shape);
    }

    void text(const std::string& path, const Shape& shape, const std::string& value) {
      if (!shape.values.empty() &&
          std::find(shape.values.begin(), shape.values.end(), value) == shape.values.end()) {
        return add(
            path, value,
            fmt::format("Member must satisfy enum value set: [{}]", fmt::join(shape.values, ", ")),
            shape, true);
      }
      length(path, shape, value, static_cast<double>(characters(value)));
      if (!shape.pattern.empty() && !book.matches(shape.pattern, value))
        add(path, value, "Member must satisfy regular expression pattern: " + shape.pattern, shape);
    }

    static std::string under(const std::string& path, const std::string& name) {
      return path.empty() ? small_first(name) : path + "." + small_first(name);
    }
  };

  // Patterns that RE2 does not know (looking ahead) let everything through.
  [[nodiscard]] bool matches(const std::string& pattern, const std::string& value) const {
    std::lock_guard lock(mutex);
    auto& compiled = patterns[pattern];
    if (!compiled) compiled = std::make_unique<re2::RE2>(for_re2(pattern), re2::RE2::Quiet);
    return !compiled->ok() || re2::RE2::FullMatch(value, *compiled);
  }
};

Shapes::Shapes(std::string_view table) : inside_(std::make_unique<Inside>()) {
  Json json = formats::parse_json(table, "shapes");
  for (const auto& [name, target] : json.at("operations").as_object())
    inside_->operations[name] = target.as_string();
  for (const auto& [name, shape] : json.at("shapes").as_object())
    inside_->shapes.emplace(name, read_shape(shape));
}

Shapes::~Shapes() = default;

std::vector<Shapes::Violation> Shapes::check(const std::string& operation, const Json& input,
                                             bool is_query) const {
  auto found = inside_->operations.find(operation);
  if (found == inside_->operations.end()) return {};
  Inside::Walk walk{*inside_, is_query, {}};
  walk.look("", inside_->shapes.at(found->second), input);
  return std::move(walk.found);
}

const Shapes* ShapeTables::of(const std::string& signing_name) {
  std::lock_guard lock(mutex_);
  auto it = known_.find(signing_name);
  if (it == known_.end()) {
    auto table = shape_table(signing_name);
    it = known_.emplace(signing_name, table.empty() ? nullptr : std::make_unique<Shapes>(table))
             .first;
  }
  return it->second.get();
}

void ShapeTables::check(const Call& call, bool is_query) {
  const Shapes* shapes = of(call.service);
  if (shapes == nullptr) return;
  auto found = shapes->check(call.operation, call.input, is_query);
  for (const auto& violation : found) {
    if (violation.is_type)
      throw Refusal(is_query ? "MalformedInput" : "SerializationException", violation.constraint);
  }
  if (call.service == "ecs")
    std::erase_if(found, [](const auto& violation) { return !violation.is_enum; });
  if (found.empty()) return;
  if (call.service == "ecr") {
    const auto& first = found.front();
    std::string must = replace_all(replace_all(first.constraint, "Member must", "must"),
                                   "regular expression pattern: ", "regular expression '");
    if (must.find("regular expression '") != std::string::npos) must += "'";
    throw Refusal("InvalidParameterException",
                  fmt::format("Invalid parameter at '{}' failed to satisfy constraint: '{}'",
                              first.path, must));
  }
  std::string message =
      fmt::format("{} validation error{} detected: ", found.size(), found.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& one = found[i];
    std::string value = one.is_sensitive      ? ""
                        : one.value == "null" ? " null"
                                              : " '" + one.value + "'";
    message += fmt::format("{}Value{} at '{}' failed to satisfy constraint: {}", i == 0 ? "" : "; ",
                           value, one.path, one.constraint);
  }
  bool is_parameter = call.service == "ecs" || call.service == "logs";
  throw Refusal(call.service == "servicediscovery" ? "InvalidInput"
                : is_query                         ? "ValidationError"
                : is_parameter                     ? "InvalidParameterException"
                                                   : "ValidationException",
                message);
}

}  // namespace slipway::cloud
