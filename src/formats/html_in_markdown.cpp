// SPDX-License-Identifier: Apache-2.0
#include "formats/html_in_markdown.hpp"

#include <map>

#include "base/text.hpp"

namespace slipway::formats {
namespace {

struct Tag {
  std::string name;  // lower case, "/" before it when it ends an element
  std::string_view attributes;
  std::size_t size = 0;
};

// What a tag without further meaning becomes.
const std::map<std::string, std::string, std::less<>>& plain_tags() {
  static const std::map<std::string, std::string, std::less<>> tags = {
      {"br", "\n"},          {"hr", "\n\n---\n"}, {"p", "\n\n"},        {"/p", "\n"},
      {"li", "\n- "},        {"/ul", "\n"},       {"/ol", "\n"},        {"b", "**"},
      {"/b", "**"},          {"strong", "**"},    {"/strong", "**"},    {"i", "*"},
      {"/i", "*"},           {"em", "*"},         {"/em", "*"},         {"code", "`"},
      {"/code", "`"},        {"summary", "\n**"}, {"/summary", "**\n"}, {"blockquote", "\n> "},
      {"/blockquote", "\n"}, {"del", "~~"},       {"/del", "~~"},       {"/h1", "\n"},
      {"/h2", "\n"},         {"/h3", "\n"},       {"/h4", "\n"},        {"/h5", "\n"},
      {"/h6", "\n"},         {"h1", "\n# "},      {"h2", "\n## "},      {"h3", "\n### "},
      {"h4", "\n#### "},     {"h5", "\n##### "},  {"h6", "\n###### "}};
  return tags;
}

std::string attribute(std::string_view attributes, std::string_view name) {
  auto at = attributes.find(std::string(name) + "=\"");
  if (at == std::string_view::npos) return "";
  auto rest = attributes.substr(at + name.size() + 2);
  return std::string(rest.substr(0, rest.find('"')));
}

class HtmlReader final {
 public:
  explicit HtmlReader(std::string_view text) : text_(text) {}

  std::string read() {
    while (at_ < text_.size()) {
      if (take_code()) continue;
      if (auto tag = tag_here()) {
        at_ += tag->size;
        take(*tag);
      } else {
        say(text_.substr(at_++, 1));
      }
    }
    end_table();
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  void say(std::string_view text) {
    if (!in_table_) {
      out_ += text;
    } else if (in_cell_) {
      for (char c : text) cell_ += c == '\n' ? ' ' : c;
    }
  }

  // `code` and fences, to their ends.
  bool take_code() {
    if (text_[at_] != '`') return false;
    auto marks = rest().substr(0, rest().find_first_not_of('`'));
    auto end = rest().find(marks, marks.size());
    auto size = end == std::string_view::npos ? marks.size() : end + marks.size();
    say(rest().substr(0, size));
    at_ += size;
    return true;
  }

  [[nodiscard]] std::optional<Tag> tag_here() const {
    if (text_[at_] != '<') return std::nullopt;
    if (rest().starts_with("<!--")) {
      auto end = rest().find("-->");
      if (end == std::string_view::npos) return std::nullopt;
      return Tag{"", {}, end + 3};
    }
    auto end = rest().find('>');
    auto inner = end == std::string_view::npos ? std::string_view() : rest().substr(1, end - 1);
    auto name_end =
        std::min(inner.find_first_of(" \t\n/", inner.starts_with('/') ? 1 : 0), inner.size());
    auto name = to_lower(inner.substr(0, name_end));
    auto first = name.empty() ? ' ' : name[name[0] == '/' && name.size() > 1 ? 1 : 0];
    if (first < 'a' || first > 'z') return std::nullopt;
    return Tag{name, inner.substr(name_end), end + 1};
  }

  void take(const Tag& tag) {
    const auto& name = tag.name;
    if (name == "table") {
      end_table();
      in_table_ = true;
    } else if (name == "/table") {
      end_table();
    } else if (in_table_ && (name == "td" || name == "th" || name == "/td" || name == "/th" ||
                             name == "tr" || name == "/tr")) {
      take_table_part(name);
    } else if (name == "a") {
      address_ = attribute(tag.attributes, "href");
      say("[");
    } else if (name == "/a") {
      say("](" + address_ + ")");
    } else if (name == "img") {
      say(attribute(tag.attributes, "alt"));
    } else if (name == "pre") {
      take_block();
    } else if (auto known = plain_tags().find(name); known != plain_tags().end()) {
      say(known->second);
    }
  }

  // <pre>, with or without <code lang="…"> in it: what it holds is no HTML but for the entities.
  void take_block() {
    auto end = rest().find("</pre>");
    auto inner = rest().substr(0, end);
    at_ += end == std::string_view::npos ? inner.size() : end + 6;
    if (inner.starts_with("<code"))
      inner.remove_prefix(std::min(inner.find('>') + 1, inner.size()));
    if (inner.ends_with("</code>")) inner.remove_suffix(7);
    auto code = replace_all(replace_all(std::string(inner), "&lt;", "<"), "&gt;", ">");
    say("\n```\n" + replace_all(code, "&amp;", "&") + "\n```\n");
  }

  void take_table_part(const std::string& name) {
    if (in_cell_) {
      row_ += " " + replace_all(std::string(trim(cell_)), "|", "\\|") + " |";
      ++cells_;
      in_cell_ = false;
    }
    cell_.clear();
    if (name == "td" || name == "th") in_cell_ = true;
    if (name == "tr") end_row();
  }

  void end_row() {
    if (cells_ == 0) return;
    rows_ += "|" + row_ + "\n";
    if (is_first_row_) {
      for (int i = 0; i < cells_; ++i) rows_ += "|-";
      rows_ += "|\n";
    }
    is_first_row_ = false;
    row_.clear();
    cells_ = 0;
  }

  void end_table() {
    if (!in_table_) return;
    take_table_part("/td");
    end_row();
    in_table_ = false;
    is_first_row_ = true;
    out_ += "\n" + std::exchange(rows_, {}) + "\n";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
  std::string address_;  // of the link that is open
  bool in_table_ = false;
  bool in_cell_ = false;
  bool is_first_row_ = true;
  std::string cell_;
  std::string row_;
  int cells_ = 0;  // in row_
  std::string rows_;
};

}  // namespace

std::string html_in_markdown(std::string_view text) { return HtmlReader(text).read(); }

}  // namespace slipway::formats
