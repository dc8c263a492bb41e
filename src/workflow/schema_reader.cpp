// SPDX-License-Identifier: Apache-2.0
#include "workflow/schema_reader.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "workflow/unicode.hpp"

namespace slipway::workflow {
namespace {

constexpr std::string_view kOpenMap = "${{";

Availability merged(const Availability& around, const Availability& own) {
  Availability result = around;
  for (const auto& name : own.contexts) {
    if (std::find(result.contexts.begin(), result.contexts.end(), name) == result.contexts.end()) {
      result.contexts.push_back(name);
    }
  }
  for (const auto& function : own.functions) {
    if (std::find(result.functions.begin(), result.functions.end(), function) ==
        result.functions.end()) {
      result.functions.push_back(function);
    }
  }
  return result;
}

bool is_empty(const Availability& available) {
  return available.contexts.empty() && available.functions.empty();
}

// A literal between its quotes, when the whole expression is one string.
std::optional<std::string> only_string(std::string_view expression) {
  std::string text;
  bool inside = false;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] == '\'') {
      inside = !inside;
      if (inside && i != 0) text += '\'';
    } else if (!inside) {
      return std::nullopt;
    } else {
      text += expression[i];
    }
  }
  return text;
}

struct Segment {
  bool is_expression = false;
  std::string text;
};

// Where the expression that opens at `from` ends: behind its "}}"; npos when it does not.
std::size_t end_of_expression(std::string_view text, std::size_t from) {
  bool quoted = false;
  for (auto i = from + kOpenMap.size(); i < text.size(); ++i) {
    if (text[i] == '\'') {
      quoted = !quoted;
    } else if (!quoted && text[i] == '}' && text[i - 1] == '}') {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

bool is_insert_directive(std::string_view expression) { return expression == "insert"; }

std::string as_format_call(const std::vector<Segment>& segments) {
  std::string format;
  std::string arguments;
  std::size_t number = 0;
  for (const auto& segment : segments) {
    if (segment.is_expression) {
      format += fmt::format("{{{}}}", number++);
      arguments += ", " + segment.text;
    } else {
      format +=
          replace_all(replace_all(replace_all(segment.text, "'", "''"), "{", "{{"), "}", "}}");
    }
  }
  return fmt::format("format('{}'{})", format, arguments);
}

Template literal_string(std::string text, Place place) {
  Template result;
  result.kind = Template::Kind::string;
  result.text = std::move(text);
  result.place = place;
  return result;
}

class Reader final {
 public:
  explicit Reader(Findings& findings) : findings_(findings) {}

  Template read(const formats::YamlNode& node, const Definition& definition,
                const Availability& around) {
    if (is_empty(definition.available)) return read_here(node, definition, around);
    return read_here(node, definition, merged(around, definition.available));
  }

 private:
  using Kind = Definition::Kind;

  Template read_here(const formats::YamlNode& node, const Definition& definition,
                     const Availability& available) {
    if (node.is_scalar()) return read_scalar(node, definition, available);
    if (node.is_sequence()) return read_sequence(node, definition, available);
    return read_mapping(node, definition, available);
  }

  static Place place_of(const formats::YamlNode& node) { return {node.line, node.column}; }

  // The definition itself or its choices of one kind.
  static std::vector<const Definition*> of_kind(const Definition& definition, Kind kind) {
    std::vector<const Definition*> found;
    if (definition.kind == kind || definition.kind == Kind::any) found.push_back(&definition);
    for (const auto* choice : definition.choices) {
      if (choice->kind == kind || choice->kind == Kind::any) found.push_back(choice);
    }
    return found;
  }

  // A YAML scalar by its tag and core type, not looked at for expressions yet.
  //   refused  set when its tag and its text do not fit together, which is told here
  Template literal(const formats::YamlNode& node, bool* refused = nullptr) {
    Template result;
    result.place = place_of(node);
    auto value = formats::yaml_scalar(node);
    if (!value) {
      refuse_tag(node);
      if (refused != nullptr) *refused = true;
      return literal_string(node.value, result.place);
    }
    if (value->is_null()) {
      result.kind = Template::Kind::null;
    } else if (value->is_bool()) {
      result.kind = Template::Kind::boolean;
      result.boolean = value->as_bool();
      result.text = result.boolean ? "true" : "false";
    } else if (value->is_number()) {
      result.kind = Template::Kind::number;
      result.number = value->as_number();
      result.text = format_number_g15(result.number);
    } else {
      result.kind = Template::Kind::string;
      result.text = value->as_string();
    }
    return result;
  }

  void refuse_tag(const formats::YamlNode& node) {
    if (!node.is_plain && node.tag.starts_with("tag:yaml.org,2002:")) {
      findings_.add(place_of(node),
                    fmt::format("a scalar in quotes is not valid with the tag '{}'", node.tag));
    } else if (node.tag.starts_with("!")) {
      findings_.add(
          place_of(node),
          fmt::format("the tag '{}' is not known; a text that starts with '!' needs quotes, or "
                      "'${{{{ }}}}' around it",
                      node.tag));
    } else {
      findings_.add(place_of(node), fmt::format("the value '{}' is invalid for the type '{}'",
                                                node.value, node.tag));
    }
  }

  static bool matches(const Definition& definition, const Template& scalar) {
    switch (definition.kind) {
      case Kind::null:
        return scalar.kind == Template::Kind::null;
      case Kind::boolean:
        return scalar.kind == Template::Kind::boolean;
      case Kind::number:
        return scalar.kind == Template::Kind::number;
      case Kind::any:
        return true;
      case Kind::string:
        break;
      default:
        return false;
    }
    if (!scalar.is_string()) return false;
    if (definition.non_empty && scalar.text.empty()) return false;
    const auto& words = definition.words;
    return words.empty() || std::find(words.begin(), words.end(), scalar.text) != words.end();
  }

  static bool matches_any(const Definition& definition, const Template& scalar) {
    if (matches(definition, scalar)) return true;
    return std::any_of(definition.choices.begin(), definition.choices.end(),
                       [&](const Definition* choice) { return matches(*choice, scalar); });
  }

  // Holds a scalar against its definition; a number, boolean or null where text is wanted becomes text.
  void validate(Template& scalar, const Definition& definition, const Availability& available) {
    if (scalar.is_expression()) {
      if (is_empty(available))
        findings_.add(scalar.place, "A template expression is not allowed in this context");
      return;
    }
    if (matches_any(definition, scalar)) return;
    if (!scalar.is_string()) {
      auto text = literal_string(scalar.text, scalar.place);
      if (matches_any(definition, text)) {
        scalar = std::move(text);
        return;
      }
    }
    findings_.add(scalar.place, fmt::format("Unexpected value '{}'", scalar.text));
  }

  Template read_scalar(const formats::YamlNode& node, const Definition& definition,
                       const Availability& available) {
    bool refused = false;
    Template scalar = literal(node, &refused);
    if (refused) return scalar;
    if (scalar.is_string()) {
      bool is_insert = false;
      scalar = parse_text(scalar.text, scalar.place, available, findings_, &is_insert);
      if (is_insert) {
        findings_.add(scalar.place, fmt::format("Unexpected value '{}'", node.value));
        return scalar;
      }
    }
    validate(scalar, definition, available);
    return scalar;
  }

  Template read_sequence(const formats::YamlNode& node, const Definition& definition,
                         const Availability& available) {
    Template result;
    result.kind = Template::Kind::sequence;
    result.place = place_of(node);
    auto definitions = of_kind(definition, Kind::sequence);
    if (definitions.empty()) {
      findings_.add(result.place, "A sequence was not expected");
      return result;
    }
    const auto* item = definitions[0]->kind == Kind::any ? definitions[0] : definitions[0]->item;
    for (const auto& child : node.items) result.items.push_back(read(child, *item, available));
    return result;
  }

  Template read_mapping(const formats::YamlNode& node, const Definition& definition,
                        const Availability& available) {
    Template result;
    result.kind = Template::Kind::mapping;
    result.place = place_of(node);
    auto definitions = of_kind(definition, Kind::mapping);
    if (definitions.empty()) {
      findings_.add(result.place, "A mapping was not expected");
      return result;
    }
    MappingState state{definitions, {}, false};
    for (const auto& entry : node.entries) read_entry(entry, state, available, result);
    check_complete(state, result);
    return result;
  }

  struct MappingState {
    std::vector<const Definition*> definitions;  // those that fit the keys so far
    std::set<std::string, IgnoringCase> keys;
    bool has_expression_key = false;
  };

  void read_entry(const formats::YamlEntry& entry, MappingState& state,
                  const Availability& available, Template& into) {
    if (!entry.key.is_scalar()) {
      findings_.add(place_of(entry.key), "a key must be text");
      return;
    }
    Template key = literal(entry.key);
    bool is_insert = false;
    if (key.is_string()) key = parse_text(key.text, key.place, available, findings_, &is_insert);
    const auto& any = workflow_schema().at("any");
    if (key.is_expression() || is_insert) {
      state.has_expression_key = true;
      if (is_empty(available)) {
        findings_.add(key.place, "A template expression is not allowed in this context");
        return;
      }
      const auto* loose =
          state.definitions[0]->properties.empty() ? state.definitions[0]->loose_value : nullptr;
      // An inserted value is a whole mapping.
      const auto& type = is_insert || loose == nullptr ? any : *loose;
      into.entries.push_back({std::move(key), read(entry.value, type, available), is_insert});
      return;
    }
    if (!key.is_string()) key = literal_string(key.text, key.place);
    if (!state.keys.insert(key.text).second) {
      findings_.add(key.place, fmt::format("'{}' is already defined", key.text));
      return;
    }
    const auto* type = type_of(key, state);
    if (type == nullptr) {
      findings_.add(key.place, fmt::format("Unexpected value '{}'", key.text));
      return;
    }
    auto value = read(entry.value, *type, available);
    into.entries.push_back({std::move(key), std::move(value), false});
  }

  const Definition* type_of(Template& key, MappingState& state) {
    const Definition* type = nullptr;
    std::vector<const Definition*> fitting;
    for (const auto* definition : state.definitions) {
      if (definition->kind == Kind::any) return definition;
      const auto* property = definition->find(key.text);
      if (property == nullptr) continue;
      if (type == nullptr) type = property->type;
      fitting.push_back(definition);
    }
    if (type != nullptr) {
      state.definitions = std::move(fitting);
      return type;
    }
    const auto& first = *state.definitions[0];
    if (first.loose_value == nullptr) return nullptr;
    validate(key, *first.loose_key, {});
    return first.loose_value;
  }

  void check_complete(const MappingState& state, const Template& mapping) {
    if (state.definitions.size() > 1) {
      std::map<std::string, int> counts;
      for (const auto* definition : state.definitions) {
        for (const auto& property : definition->properties) ++counts[property.key];
      }
      std::vector<std::string> telling;
      for (const auto& [key, count] : counts) {
        // GitHub does not offer what is hardly ever meant: the steps that only steer background steps.
        bool is_rare = key == "wait" || key == "wait-all" || key == "cancel";
        if (count == 1 && !is_rare) telling.push_back(key);
      }
      findings_.add(mapping.place, fmt::format("There's not enough info to determine what you "
                                               "meant. Add one of these properties: {}",
                                               join(telling, ", ")));
      return;
    }
    if (state.has_expression_key) return;
    for (const auto& property : state.definitions[0]->properties) {
      if (property.required && !state.keys.contains(property.key)) {
        findings_.add(mapping.place, fmt::format("Required property is missing: {}", property.key));
      }
    }
  }

  Findings& findings_;
};

}  // namespace

Template parse_text(std::string_view text, Place place, const Availability& available,
                    Findings& findings, bool* is_insert) {
  auto whole = [&] { return literal_string(std::string(text), place); };
  auto open = text.find(kOpenMap);
  if (open == std::string_view::npos) return whole();
  std::vector<Segment> segments;
  std::size_t at = 0;
  while (at < text.size()) {
    if (at != open) {
      auto end = std::min(open, text.size());
      segments.push_back({false, std::string(text.substr(at, end - at))});
      at = end;
      continue;
    }
    auto end = end_of_expression(text, open);
    if (end == std::string_view::npos) {
      findings.add(place,
                   "The expression is not closed. An unescaped ${{ sequence was found, but the "
                   "closing }} sequence was "
                   "not found.");
      return whole();
    }
    auto inside =
        trim_unicode(text.substr(open + kOpenMap.size(), end - open - kOpenMap.size() - 2));
    if (inside.empty()) {
      findings.add(place, "An expression was expected");
      return whole();
    }
    if (is_insert_directive(inside)) {
      if (open == 0 && end == text.size() && is_insert != nullptr) {
        *is_insert = true;
        return whole();
      }
      findings.add(place,
                   "The directive 'insert' is not allowed in this context. Directives are not "
                   "supported for expressions "
                   "that are embedded within a string. Directives are only supported when the "
                   "entire value is an "
                   "expression.");
      return whole();
    }
    auto parsed = parse_expression(inside, available);
    if (auto* error = std::get_if<ExpressionError>(&parsed)) {
      findings.add(place, error->message);
      return whole();
    }
    segments.push_back({true, std::string(inside)});
    at = end;
    open = text.find(kOpenMap, at);
  }
  std::string source = segments.size() == 1 ? segments[0].text : as_format_call(segments);
  if (segments.size() == 1) {
    if (auto literal = only_string(source)) return literal_string(*literal, place);
  }
  auto parsed = parse_expression(source, available);
  if (auto* error = std::get_if<ExpressionError>(&parsed)) {
    findings.add(place, error->message);
    return whole();
  }
  Template result;
  result.kind = Template::Kind::expression;
  result.text = std::string(text);
  result.expression = std::get<Expression>(std::move(parsed));
  result.place = place;
  return result;
}

Template read_by_schema(const formats::YamlNode& root, const Definition& definition,
                        Findings& findings) {
  return Reader(findings).read(root, definition, {});
}

}  // namespace slipway::workflow
