// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "formats/json.hpp"

namespace slipway::formats {

enum class YamlKind { scalar, sequence, mapping };
enum class YamlStyle { plain, single_quoted, double_quoted, literal, folded };  // of a scalar

struct YamlEntry;

/// A YAML node with its place in the text. Aliases are replaced by copies of what they name (which
/// keep its place).
struct YamlNode {
  YamlKind kind = YamlKind::scalar;
  std::string value;  ///< a scalar's text after unquoting and folding
  bool is_plain =
      true;  ///< a scalar without quotes and not a block: may be a number, boolean or null
  YamlStyle style = YamlStyle::plain;
  std::string
      tag;  ///< explicit tag, resolved ("tag:yaml.org,2002:str", "!mine"); empty when there is none
  std::string anchor;  ///< name after '&'; empty when there is none
  int line = 0;        ///< 1-based; of the first character, of its tag or anchor when it has one
  int column = 0;      ///< 1-based, in characters
  std::vector<YamlNode> items;     ///< of a sequence
  std::vector<YamlEntry> entries;  ///< of a mapping, in the text's order, duplicates included

  [[nodiscard]] bool is_scalar() const { return kind == YamlKind::scalar; }
  [[nodiscard]] bool is_sequence() const { return kind == YamlKind::sequence; }
  [[nodiscard]] bool is_mapping() const { return kind == YamlKind::mapping; }
  /// The value of the first entry whose key is this scalar (exact comparison); nullptr when there
  /// is none.
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

struct YamlLimits {
  std::size_t bytes = std::size_t{1} << 20;  ///< of the text
  int nesting = 50;                          ///< collections inside collections
  std::size_t nodes = 50000;                 ///< after aliases are replaced
  std::size_t result_bytes =
      10 * 1024 * 1024;  ///< of all values, after aliases are replaced, by GitHub's counting
};

struct YamlDocument {
  YamlNode root;  ///< an empty text is a plain empty scalar (null)
  std::vector<Diagnostic>
      diagnostics;  ///< empty when the text was read whole; else `root` is of no use
  [[nodiscard]] bool ok() const { return diagnostics.empty(); }
};

/// Reads a text of one YAML 1.2 document. Cycles of aliases, unknown aliases, several documents,
/// text past a limit and anything libyaml refuses become a diagnostic. Duplicate keys are not: see
/// duplicate_keys().
///   file  for the diagnostics
YamlDocument parse_yaml(std::string_view text, std::string_view file = "",
                        const YamlLimits& limits = {});

enum class KeyComparison { exact, ignoring_case };
/// Every mapping key in the tree that its mapping has already ("'x' is already defined").
std::vector<Diagnostic> duplicate_keys(const YamlNode& root, std::string_view file,
                                       KeyComparison comparison);

/// A scalar's value by YAML 1.2's core schema: null, boolean, number or string; yes/no/on/off are
/// strings. Explicit
/// !!str, !!int, !!float, !!bool and !!null are obeyed.
///   returns  nothing when the tag and the text do not fit together or the tag is another one
///   source   YAML 1.2.2, 10.3.2
std::optional<Json> yaml_scalar(const YamlNode& scalar);
/// The whole tree as JSON; keys become strings, of a duplicate key the last value counts.
///   throws  Error{bad_input} with file:line:column for a scalar that yaml_scalar() refuses or a
///   key that is a collection
Json yaml_to_json(const YamlNode& node, std::string_view file = "");

}  // namespace slipway::formats
