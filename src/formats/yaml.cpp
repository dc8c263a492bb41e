// SPDX-License-Identifier: Apache-2.0
#include "formats/yaml.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <map>
#include <memory>
#include <set>

#include "base/text.hpp"

namespace slipway::formats {
namespace {

std::string text_of(const yaml_char_t* text) {
  return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

/// Ends the reading with one diagnostic.
struct Refusal {
  yaml_mark_t mark;
  std::string message;
};

struct Event {
  yaml_event_t value{};
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&value); }
};

// What a value takes by GitHub's counting: an object, and for a text its characters in two bytes each.
//   source  runner, src/Sdk/WorkflowParser/ObjectTemplating/TemplateMemory.cs
constexpr std::size_t kNodeBytes = 24;
std::size_t scalar_bytes(std::size_t length) { return kNodeBytes + 26 + 2 * length; }

/// The size of a finished node, for the budget.
struct Extent {
  std::size_t nodes = 1;
  int height = 0;  // levels of collections in it, itself included
  std::size_t bytes = kNodeBytes;
};

/// libyaml's events.
class Events final {
 public:
  explicit Events(std::string_view text) : text_(text) {
    if (yaml_parser_initialize(&parser_) == 0)
      fail(Fault::unavailable, "no memory for a YAML parser");
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  ~Events() { yaml_parser_delete(&parser_); }

  void next(Event& event) {
    if (yaml_parser_parse(&parser_, &event.value) != 0) return;
    yaml_mark_t mark = parser_.problem_mark;
    if (parser_.error == YAML_READER_ERROR) {
      mark = place_of(parser_.problem_offset);
      throw Refusal{mark, fmt::format("{}: the text must be UTF-8 without control characters",
                                      parser_.problem)};
    }
    std::string message = parser_.problem == nullptr ? "not YAML" : parser_.problem;
    if (parser_.context != nullptr) message = fmt::format("{}: {}", parser_.context, message);
    throw Refusal{mark, message + hint(mark, message)};
  }

 private:
  [[nodiscard]] yaml_mark_t place_of(std::size_t offset) const {
    yaml_mark_t mark{};
    for (char c : text_.substr(0, offset)) {
      if (c == '\n') {
        ++mark.line;
        mark.column = 0;
      } else if ((c & 0xC0) != 0x80) {
        ++mark.column;
      }
    }
    return mark;
  }
  /// What a user should do, for the commonest mistakes.
  [[nodiscard]] std::string hint(const yaml_mark_t& mark, std::string_view message) const {
    if (message.find("cannot start any token") != std::string_view::npos) {
      auto lines = lines_of(text_);
      if (mark.line < lines.size() && lines[mark.line].find('\t') != std::string_view::npos)
        return " (indent with spaces, not tabs)";
      return " (put the text in quotes)";
    }
    if (message.find("mapping values are not allowed") != std::string_view::npos) {
      return " (wrong indentation, or a text with ': ' in it that needs quotes)";
    }
    return "";
  }

  std::string_view text_;
  yaml_parser_t parser_{};
};

/// Makes the tree. Nothing here is recursive: the input decides how deep it goes.
class Composer final {
 public:
  Composer(std::string_view text, const YamlLimits& limits) : events_(text), limits_(limits) {}

  YamlNode compose() {
    for (;;) {
      Event event;
      events_.next(event);
      const yaml_event_t& e = event.value;
      switch (e.type) {
        case YAML_STREAM_END_EVENT:
          return std::move(root_);
        case YAML_DOCUMENT_START_EVENT:
          if (has_document_)
            throw Refusal{e.start_mark,
                          "only one document is allowed in this file; remove the '---'"};
          has_document_ = true;
          break;
        case YAML_ALIAS_EVENT:
          alias(e);
          break;
        case YAML_SCALAR_EVENT:
          scalar(e);
          break;
        case YAML_SEQUENCE_START_EVENT:
          open(e, YamlKind::sequence, e.data.sequence_start.anchor, e.data.sequence_start.tag);
          break;
        case YAML_MAPPING_START_EVENT:
          open(e, YamlKind::mapping, e.data.mapping_start.anchor, e.data.mapping_start.tag);
          break;
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
          close(e.start_mark);
          break;
        default:
          break;
      }
    }
  }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlNode> key;  // of a mapping, waiting for its value
    Extent extent{1, 1};
  };
  struct Anchored {
    YamlNode node;
    Extent extent;
  };

  void spend(std::size_t nodes, std::size_t bytes, const yaml_mark_t& mark) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (bytes_ > limits_.result_bytes)
      throw Refusal{
          mark, fmt::format("values of more than {} bytes (aliases count as what they stand for)",
                            limits_.result_bytes)};
    if (nodes_ > limits_.nodes)
      throw Refusal{mark, fmt::format("more than {} values (aliases count as what they stand for)",
                                      limits_.nodes)};
  }
  void check_depth(int height, const yaml_mark_t& mark) const {
    if (static_cast<int>(open_.size()) + height > limits_.nesting) {
      throw Refusal{mark, fmt::format("nested deeper than {} levels", limits_.nesting)};
    }
  }
  static YamlNode node_at(const yaml_event_t& e, YamlKind kind, const yaml_char_t* anchor,
                          const yaml_char_t* tag) {
    YamlNode node;
    node.kind = kind;
    node.is_plain = false;
    node.anchor = text_of(anchor);
    node.tag = text_of(tag);
    node.line = static_cast<int>(e.start_mark.line) + 1;
    node.column = static_cast<int>(e.start_mark.column) + 1;
    return node;
  }

  void scalar(const yaml_event_t& e) {
    const auto& data = e.data.scalar;
    spend(1, scalar_bytes(data.length), e.start_mark);
    YamlNode node = node_at(e, YamlKind::scalar, data.anchor, data.tag);
    node.value.assign(reinterpret_cast<const char*>(data.value), data.length);
    switch (data.style) {
      case YAML_SINGLE_QUOTED_SCALAR_STYLE:
        node.style = YamlStyle::single_quoted;
        break;
      case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
        node.style = YamlStyle::double_quoted;
        break;
      case YAML_LITERAL_SCALAR_STYLE:
        node.style = YamlStyle::literal;
        break;
      case YAML_FOLDED_SCALAR_STYLE:
        node.style = YamlStyle::folded;
        break;
      default:
        node.style = YamlStyle::plain;
        break;
    }
    node.is_plain = node.style == YamlStyle::plain;
    finish(std::move(node), {1, 0, scalar_bytes(data.length)});
  }

  void open(const yaml_event_t& e, YamlKind kind, const yaml_char_t* anchor,
            const yaml_char_t* tag) {
    spend(1, kNodeBytes, e.start_mark);
    check_depth(1, e.start_mark);
    Open made{node_at(e, kind, anchor, tag), std::nullopt};
    if (!made.node.anchor.empty()) {
      growing_.insert(made.node.anchor);
      anchors_.erase(made.node.anchor);
    }
    open_.push_back(std::move(made));
  }

  void close(const yaml_mark_t&) {
    Open done = std::move(open_.back());
    open_.pop_back();
    growing_.erase(done.node.anchor);
    finish(std::move(done.node), done.extent);
  }

  void alias(const yaml_event_t& e) {
    std::string name = text_of(e.data.alias.anchor);
    if (growing_.contains(name))
      throw Refusal{e.start_mark,
                    fmt::format("alias '*{}' stands inside the value it names", name)};
    auto found = anchors_.find(name);
    if (found == anchors_.end())
      throw Refusal{e.start_mark, fmt::format("no anchor '&{}' before this alias", name)};
    spend(found->second.extent.nodes, found->second.extent.bytes, e.start_mark);
    check_depth(found->second.extent.height, e.start_mark);
    add(found->second.node, found->second.extent);
  }

  void finish(YamlNode node, Extent extent) {
    if (!node.anchor.empty()) anchors_.insert_or_assign(node.anchor, Anchored{node, extent});
    add(std::move(node), extent);
  }

  void add(YamlNode node, Extent extent) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    parent.extent.nodes += extent.nodes;
    parent.extent.bytes += extent.bytes;
    parent.extent.height = std::max(parent.extent.height, extent.height + 1);
    if (parent.node.kind == YamlKind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  Events events_;
  const YamlLimits& limits_;
  bool has_document_ = false;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
  std::vector<Open> open_;
  std::map<std::string, Anchored> anchors_;
  std::set<std::string> growing_;  // anchors of collections that are still open
  YamlNode root_;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& [name, entry] : entries) {
    if (name.is_scalar() && name.value == key) return &entry;
  }
  return nullptr;
}

YamlDocument parse_yaml(std::string_view text, std::string_view file, const YamlLimits& limits) {
  YamlDocument document;
  auto refuse = [&](int line, int column, const std::string& message) {
    document.diagnostics.push_back({std::string(file), line, column, message});
    return document;
  };
  if (text.size() > limits.bytes)
    return refuse(0, 0, fmt::format("the file is larger than {} bytes", limits.bytes));
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  try {
    document.root = Composer(text, limits).compose();
    if (document.root.line == 0) document.root.line = document.root.column = 1;
    return document;
  } catch (const Refusal& refusal) {
    return refuse(static_cast<int>(refusal.mark.line) + 1,
                  static_cast<int>(refusal.mark.column) + 1, refusal.message);
  }
}

namespace {

void find_duplicates(const YamlNode& node, std::string_view file, KeyComparison comparison,
                     std::vector<Diagnostic>& found) {
  std::map<std::string, int> seen;  // key -> line
  for (const auto& [key, value] : node.entries) {
    if (key.is_scalar()) {
      auto [first, is_new] = seen.emplace(
          comparison == KeyComparison::exact ? key.value : to_lower(key.value), key.line);
      if (!is_new) {
        found.push_back(
            {std::string(file), key.line, key.column,
             fmt::format("'{}' is already defined (line {})", key.value, first->second)});
      }
    } else {
      find_duplicates(key, file, comparison, found);
    }
    find_duplicates(value, file, comparison, found);
  }
  for (const YamlNode& item : node.items) find_duplicates(item, file, comparison, found);
}

}  // namespace

std::vector<Diagnostic> duplicate_keys(const YamlNode& root, std::string_view file,
                                       KeyComparison comparison) {
  std::vector<Diagnostic> found;
  find_duplicates(root, file, comparison, found);
  return found;
}

}  // namespace slipway::formats
