// SPDX-License-Identifier: Apache-2.0
#include "formats/markdown.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"
#include "formats/html_in_markdown.hpp"

namespace slipway::formats {
namespace {

using Cells = std::vector<std::string>;

constexpr std::size_t kWidestColumn = 60;

std::string styled(const char* code, std::string_view text) {
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

// Columns on the screen, near enough: characters, without the attributes.
std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size());
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++width;
    }
  }
  return width;
}

std::string without_controls(std::string_view text) {
  std::string plain;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || (byte >= 0x20 && byte != 0x7F)) plain += c;
    if (c == '\t') plain += "    ";
  }
  return plain;
}

/// Emphasis, code and links within one line.
class Inline final {
 public:
  explicit Inline(std::string_view text) : text_(text) {}

  std::string render() {
    std::string out;
    while (at_ < text_.size()) {
      if (take_escape(out) || take_code(out) || take_entity(out) || take_link(out) ||
          take_emphasis(out))
        continue;
      out += text_[at_++];
    }
    return out;
  }

 private:
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  bool take_escape(std::string& out) {
    constexpr std::string_view kMarks = "\\`*_{}[]()#+-.!|~<>";
    if (rest().size() < 2 || text_[at_] != '\\' || kMarks.find(text_[at_ + 1]) == kMarks.npos)
      return false;
    out += text_[at_ + 1];
    at_ += 2;
    return true;
  }

  bool take_code(std::string& out) {
    if (text_[at_] != '`') return false;
    auto marks = rest().substr(0, rest().find_first_not_of('`'));
    auto end = rest().find(marks, marks.size());
    if (end == std::string_view::npos) {
      out += marks;
      at_ += marks.size();
      return true;
    }
    out += styled("36", trim(rest().substr(marks.size(), end - marks.size())));
    at_ += end + marks.size();
    return true;
  }

  bool take_entity(std::string& out) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kEntities = {
        {{"&lt;", "<"},
         {"&gt;", ">"},
         {"&amp;", "&"},
         {"&quot;", "\""},
         {"&#39;", "'"},
         {"&nbsp;", " "}}};
    for (const auto& [name, meaning] : kEntities) {
      if (!rest().starts_with(name)) continue;
      out += meaning;
      at_ += name.size();
      return true;
    }
    return false;
  }

  // [text](address), ![text](address): an image is its text.
  bool take_link(std::string& out) {
    bool is_image = rest().starts_with("![");
    if (!is_image && text_[at_] != '[') return false;
    auto start = is_image ? std::size_t{2} : std::size_t{1};
    auto middle = rest().find("](", start);
    auto end = middle == std::string_view::npos ? middle : rest().find(')', middle);
    if (end == std::string_view::npos ||
        rest().substr(start, middle - start).find('\n') != std::string_view::npos)
      return false;
    auto name = rest().substr(start, middle - start);
    auto address = rest().substr(middle + 2, end - middle - 2);
    out += is_image ? std::string(name) : styled("4", name);
    if (!is_image && address != name) out += fmt::format(" ({})", address);
    at_ += end + 1;
    return true;
  }

  bool take_emphasis(std::string& out) {
    struct Mark {
      std::string_view text;
      const char* code;
    };
    for (const auto& mark :
         {Mark{"**", "1"}, Mark{"__", "1"}, Mark{"~~", "9"}, Mark{"*", "3"}, Mark{"_", "3"}}) {
      if (!rest().starts_with(mark.text)) continue;
      auto size = mark.text.size();
      auto end = rest().find(mark.text, size + 1);
      bool is_word = mark.text[0] == '_' && at_ > 0 && is_letter(text_[at_ - 1]);
      if (end == std::string_view::npos || is_word || rest()[size] == ' ' || rest()[end - 1] == ' ')
        continue;
      out += styled(mark.code, rest().substr(size, end - size));
      at_ += end + size;
      return true;
    }
    return false;
  }

  static bool is_letter(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Cells cells_of(std::string_view line) {
  auto text = trim(line);
  if (text.starts_with('|')) text.remove_prefix(1);
  if (text.ends_with('|') && !text.ends_with("\\|")) text.remove_suffix(1);
  Cells cells;
  std::string cell;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '|') {
      cell += text[++i];
    } else if (text[i] == '|') {
      cells.emplace_back(trim(cell));
      cell.clear();
    } else {
      cell += text[i];
    }
  }
  cells.emplace_back(trim(cell));
  return cells;
}

bool is_rule_of_table(std::string_view line) {
  return line.find('-') != std::string_view::npos &&
         line.find_first_not_of("|:- ") == std::string_view::npos;
}

class Page final {
 public:
  explicit Page(std::string_view text) : lines_(lines_of(text)) {}

  std::string render() {
    while (at_ < lines_.size()) block();
    if (out_.ends_with("\n\n")) out_.pop_back();
    return std::move(out_);
  }

 private:
  void block() {
    auto line = lines_[at_];
    auto text = trim(line);
    for (std::string_view fence : {"```", "~~~"}) {
      if (text.starts_with(fence)) return code(fence);
    }
    if (text.find('|') != std::string_view::npos && at_ + 1 < lines_.size() &&
        is_rule_of_table(lines_[at_ + 1]))
      return table();
    ++at_;
    auto level = std::min(text.find_first_not_of('#'), text.size());
    if (level >= 1 && level <= 6 && level < text.size() && text[level] == ' ')
      return add(styled(level == 1 ? "1;4" : "1", plain(trim(text.substr(level)))));
    bool is_rule = text.size() >= 3 && (text.find_first_not_of('-') == std::string_view::npos ||
                                        text.find_first_not_of('*') == std::string_view::npos);
    if (is_rule) return add("────────────────────");
    if (text.starts_with('>')) return add("│ " + Inline(trim(text.substr(1))).render());
    item(line, text);
  }

  // A heading is one style: what is emphasised in it would end it.
  static std::string plain(std::string_view text) {
    std::string kept;
    auto rendered = Inline(text).render();
    for (std::size_t i = 0; i < rendered.size(); ++i) {
      if (rendered[i] == '\x1b') {
        i = rendered.find('m', i);
      } else {
        kept += rendered[i];
      }
    }
    return kept;
  }

  void item(std::string_view line, std::string_view text) {
    auto indent = std::string(std::min(line.find_first_not_of(' '), line.size()), ' ');
    bool is_item =
        text.size() > 1 && text[1] == ' ' && (text[0] == '-' || text[0] == '*' || text[0] == '+');
    if (!is_item) {
      auto rendered = Inline(text).render();
      if (rendered.empty() && !text.empty()) return;  // nothing but tags
      return add((text.empty() ? "" : indent) + rendered);
    }
    auto rest = trim(text.substr(2));
    std::string mark = "•";
    if (rest.starts_with("[ ] ")) mark = "☐";
    if (rest.starts_with("[x] ") || rest.starts_with("[X] ")) mark = "☑";
    if (mark != "•") rest.remove_prefix(4);
    add(indent + mark + " " + Inline(rest).render());
  }

  void code(std::string_view fence) {
    for (++at_; at_ < lines_.size() && !trim(lines_[at_]).starts_with(fence); ++at_)
      add("    " + std::string(lines_[at_]));
    ++at_;
  }

  void table() {
    std::vector<Cells> rows{cells_of(lines_[at_])};
    auto marks = cells_of(lines_[at_ + 1]);
    for (at_ += 2; at_ < lines_.size() && lines_[at_].find('|') != std::string_view::npos; ++at_)
      rows.push_back(cells_of(lines_[at_]));
    std::vector<std::size_t> widths;
    for (auto& row : rows) {
      row.resize(rows[0].size());
      widths.resize(row.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = &row == &rows[0] ? plain(row[i]) : Inline(row[i]).render();
        widths[i] = std::max(widths[i], std::min(width_of(row[i]), kWidestColumn));
      }
    }
    for (std::size_t number = 0; number < rows.size(); ++number) {
      std::string line;
      for (std::size_t i = 0; i < widths.size(); ++i) {
        const auto& cell = rows[number][i];
        bool is_right = i < marks.size() && marks[i].ends_with(':') && !marks[i].starts_with(':');
        std::string blanks(widths[i] - std::min(widths[i], width_of(cell)), ' ');
        auto shown = number == 0 ? styled("1", cell) : cell;
        line += (i == 0 ? "" : "  ") + (is_right ? blanks + shown : shown + blanks);
      }
      add(line);
      if (number > 0) continue;
      std::string rule;
      for (std::size_t i = 0; i < widths.size(); ++i) {
        if (i > 0) rule += "  ";
        for (std::size_t column = 0; column < widths[i]; ++column) rule += "─";
      }
      add(rule);
    }
  }

  // One empty line is as good as several.
  void add(const std::string& line) {
    if (line.empty() && (out_.empty() || out_.ends_with("\n\n"))) return;
    out_ += line + "\n";
  }

  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string markdown_for_terminal(std::string_view text) {
  auto plain = html_in_markdown(without_controls(text));
  return Page(plain).render();
}

}  // namespace slipway::formats
