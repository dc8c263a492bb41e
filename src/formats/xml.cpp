// SPDX-License-Identifier: Apache-2.0
#include "formats/xml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <pugixml.hpp>

#include "base/error.hpp"

namespace slipway::formats {
namespace {

constexpr int kDeepestXml = 100;

std::string local_name(std::string_view name) {
  auto colon = name.find(':');
  return std::string(colon == std::string_view::npos ? name : name.substr(colon + 1));
}

[[noreturn]] void refuse_xml(std::string_view text, std::ptrdiff_t offset, std::string_view file,
                             std::string_view what) {
  auto before = text.substr(0, static_cast<std::size_t>(std::max<std::ptrdiff_t>(offset, 0)));
  auto line_start = before.rfind('\n');
  auto line = line_start == std::string_view::npos ? before : before.substr(line_start + 1);
  Diagnostic found;
  found.file = file;
  found.line = static_cast<int>(std::ranges::count(before, '\n')) + 1;
  found.column =
      static_cast<int>(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; })) + 1;
  found.message = what;
  throw_diagnostics({found});
}

XmlNode convert(const pugi::xml_node& element, std::string_view text, std::string_view file,
                int depth) {
  if (depth > kDeepestXml)
    refuse_xml(text, element.offset_debug(), file, "the XML text is nested too deep");
  XmlNode made;
  made.name = local_name(element.name());
  for (const pugi::xml_attribute& attribute : element.attributes()) {
    made.attributes.emplace_back(attribute.name(), attribute.value());
  }
  for (const pugi::xml_node& child : element.children()) {
    if (child.type() == pugi::node_element) {
      made.children.push_back(convert(child, text, file, depth + 1));
    } else {
      made.text += child.value();  // text and CDATA; comments are not parsed
    }
  }
  bool is_blank = made.text.find_first_not_of(" \t\r\n") == std::string::npos;
  if (is_blank && !made.children.empty()) made.text.clear();
  return made;
}

}  // namespace

const XmlNode* XmlNode::find(std::string_view child) const {
  auto found = std::ranges::find(children, child, &XmlNode::name);
  return found == children.end() ? nullptr : &*found;
}

std::string XmlNode::text_of(std::string_view child) const {
  const XmlNode* found = find(child);
  return found == nullptr ? "" : found->text;
}

XmlNode parse_xml(std::string_view text, std::string_view file) {
  if (auto at = text.find("<!DOCTYPE"); at != std::string_view::npos) {
    refuse_xml(text, static_cast<std::ptrdiff_t>(at), file, "a DOCTYPE is not accepted");
  }
  pugi::xml_document document;
  unsigned options = pugi::parse_default | pugi::parse_ws_pcdata_single;
  pugi::xml_parse_result result =
      document.load_buffer(text.data(), text.size(), options, pugi::encoding_utf8);
  if (!result)
    refuse_xml(text, result.offset, file, fmt::format("not XML: {}", result.description()));
  pugi::xml_node root = document.document_element();
  std::ptrdiff_t roots = std::count_if(document.begin(), document.end(), [](const auto& node) {
    return node.type() == pugi::node_element;
  });
  if (roots != 1) refuse_xml(text, 0, file, "not XML: there must be one root element");
  return convert(root, text, file, 0);
}

std::string xml_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\r':
        out += "&#13;";
        break;
      default: {
        auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 && c != '\t' && c != '\n') {
          out += "\xEF\xBF\xBD";
        } else {
          out += c;
        }
      }
    }
  }
  return out;
}

XmlWriter::XmlWriter(bool declaration) {
  if (declaration) out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
}

XmlWriter& XmlWriter::open(std::string_view name,
                           const std::vector<std::pair<std::string, std::string>>& attributes) {
  out_.append("<").append(name);
  for (const auto& [key, value] : attributes)
    out_.append(" ").append(key).append("=\"").append(xml_escape(value)).append("\"");
  out_ += '>';
  open_.emplace_back(name);
  return *this;
}

XmlWriter& XmlWriter::close() {
  assert(!open_.empty() && "close() has an open() before it");
  out_.append("</").append(open_.back()).append(">");
  open_.pop_back();
  return *this;
}

XmlWriter& XmlWriter::text(std::string_view text) {
  out_ += xml_escape(text);
  return *this;
}

XmlWriter& XmlWriter::element(std::string_view name, std::string_view text) {
  out_.append("<")
      .append(name)
      .append(">")
      .append(xml_escape(text))
      .append("</")
      .append(name)
      .append(">");
  return *this;
}

const std::string& XmlWriter::str() const {
  assert(open_.empty() && "every element is closed before the document is taken");
  return out_;
}

}  // namespace slipway::formats
