// SPDX-License-Identifier: Apache-2.0
#include "workflow/schema.hpp"

#include <cassert>
#include <limits>

#include "base/error.hpp"
#include "base/text.hpp"

namespace slipway::workflow {

const Definition::Property* Definition::find(std::string_view key) const {
  for (const auto& property : properties) {
    if (property.key == key) return &property;
  }
  return nullptr;
}

// Reads the lines of a schema text; names may be used before their line.
class Schema::Builder final {
 public:
  explicit Builder(Schema& schema) : schema_(schema) {
    add("any", Definition::Kind::any);
    add("boolean", Definition::Kind::boolean);
    add("null", Definition::Kind::null);
    add("number", Definition::Kind::number);
    add("string", Definition::Kind::string);
    add("string!", Definition::Kind::string).non_empty = true;
  }

  void line(std::string_view text) {
    line_ = trim(text.substr(0, text.find('#')));
    if (line_.empty()) return;
    auto equals = line_.find('=');
    if (equals == std::string_view::npos) wrong("no '='");
    auto head = split(std::string(trim(line_.substr(0, equals))), ' ');
    rest_ = line_.substr(equals + 1);
    if (head[0].starts_with("&")) {
      groups_[head[0].substr(1)] = available(split(std::string(trim(rest_)), ' '));
      return;
    }
    auto& definition = schema_.named_[head[0]];
    definition = *choice();
    defined_[head[0]] = true;
    if (!trim(rest_).empty()) wrong("something after the type");
    head.erase(head.begin());
    definition.available = available(head);
  }

  void check() const {
    for (const auto& [name, definition] : schema_.named_) {
      if (!defined_.contains(name))
        fail(Fault::bad_input, "schema: '{}' is used and not defined", name);
    }
  }

 private:
  Definition& add(const std::string& name, Definition::Kind kind) {
    defined_[name] = true;
    auto& definition = schema_.named_[name];
    definition.kind = kind;
    return definition;
  }

  [[noreturn]] void wrong(std::string_view what) const {
    fail(Fault::bad_input, "schema: {} in: {}", what, line_);
  }

  [[nodiscard]] Availability available(const std::vector<std::string>& words) const {
    Availability result;
    for (const auto& word : words) {
      if (word.empty()) continue;
      if (word[0] == '@') {
        auto group = groups_.find(word.substr(1));
        if (group == groups_.end()) wrong("unknown group");
        const auto& more = group->second;
        result.contexts.insert(result.contexts.end(), more.contexts.begin(), more.contexts.end());
        result.functions.insert(result.functions.end(), more.functions.begin(),
                                more.functions.end());
      } else if (auto open = word.find('('); open != std::string::npos) {
        auto bounds = split(word.substr(open + 1, word.size() - open - 2), ',');
        auto bound = [&](const std::string& text) {
          return text == "MAX" ? std::numeric_limits<int>::max()
                               : static_cast<int>(to_integer(text).value_or(0));
        };
        result.functions.push_back(
            {word.substr(0, open), bound(bounds.at(0)), bound(bounds.at(1))});
      } else {
        result.contexts.push_back(word);
      }
    }
    return result;
  }

  // Everything below takes from the front of rest_.
  char peek() {
    while (!rest_.empty() && rest_[0] == ' ') rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_[0];
  }
  bool take(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) wrong(fmt::format("no '{}'", c));
  }
  std::string word() {
    peek();
    auto end = rest_.find_first_of(" ,:|<>[]{}");
    auto taken = std::string(rest_.substr(0, end));
    if (taken.empty()) wrong("no word");
    rest_.remove_prefix(taken.size());
    return taken;
  }

  // A type that is only a name is the named definition itself, with what is available there.
  const Definition* reference() {
    char c = peek();
    if (c == '{' || c == '[' || c == '<') return keep(simple());
    return &schema_.named_[word()];
  }
  // One type, or several with '|' between them.
  const Definition* choice() {
    const auto* first = reference();
    if (peek() != '|') return first;
    Definition result;
    result.kind = Definition::Kind::one_of;
    result.choices.push_back(first);
    while (take('|')) result.choices.push_back(reference());
    return keep(std::move(result));
  }

  Definition simple() {
    Definition result;
    if (take('<')) {
      while (peek() != '>') result.words.push_back(word());
      expect('>');
    } else if (take('[')) {
      result.kind = Definition::Kind::sequence;
      result.item = choice();
      expect(']');
    } else if (take('{')) {
      result.kind = Definition::Kind::mapping;
      while (peek() != '}') {
        entry(result);
        if (!take(',')) break;
      }
      expect('}');
    } else {
      wrong("no type");
    }
    return result;
  }

  void entry(Definition& mapping) {
    auto key = word();
    expect(':');
    const auto* value = choice();
    if (key == "*") {
      mapping.loose_key = &schema_.named_["string!"];
      mapping.loose_value = value;
      return;
    }
    bool required = key.ends_with('!');
    if (required) key.pop_back();
    mapping.properties.push_back({key, value, required});
  }

  const Definition* keep(Definition definition) {
    schema_.inner_.push_back(std::make_unique<Definition>(std::move(definition)));
    return schema_.inner_.back().get();
  }

  Schema& schema_;
  std::map<std::string, Availability> groups_;
  std::map<std::string, bool> defined_;
  std::string_view line_;
  std::string_view rest_;
};

Schema::Schema(std::string_view text) {
  Builder builder(*this);
  for (auto line : lines_of(text)) builder.line(line);
  builder.check();
}

const Definition& Schema::at(std::string_view name) const {
  auto found = named_.find(name);
  assert(found != named_.end() && "a definition of the schema text");
  return found->second;
}

}  // namespace slipway::workflow
