// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::formats {

/// An XML element as AWS's protocols use it: either text or children.
struct XmlNode {
  std::string name;  ///< without a namespace prefix
  std::string text;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<XmlNode> children;

  /// The first child with this name; nullptr when there is none.
  [[nodiscard]] const XmlNode* find(std::string_view child) const;
  /// A child's text, or "" when there is none.
  [[nodiscard]] std::string text_of(std::string_view child) const;
};

/// Reads a document's root element. throws Error{bad_input} with line:column; a DOCTYPE is refused
XmlNode parse_xml(std::string_view text, std::string_view file = "");

/// Writes elements as one line.
class XmlWriter final {
 public:
  /// Starts with the XML declaration when asked to.
  explicit XmlWriter(bool declaration = false);
  XmlWriter& open(std::string_view name,
                  const std::vector<std::pair<std::string, std::string>>& attributes = {});
  /// Closes the element opened last.
  XmlWriter& close();
  XmlWriter& text(std::string_view text);
  /// <name>text</name>
  XmlWriter& element(std::string_view name, std::string_view text);
  /// The document; everything must be closed.
  [[nodiscard]] const std::string& str() const;

 private:
  std::string out_;
  std::vector<std::string> open_;
};

/// Replaces & < > " ' and control characters that XML 1.0 cannot hold (by U+FFFD).
std::string xml_escape(std::string_view text);

}  // namespace slipway::formats
