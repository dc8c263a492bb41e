// SPDX-License-Identifier: Apache-2.0
#include "image/json_array.hpp"

#include <optional>

#include "base/text.hpp"

namespace slipway::image {
namespace {

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Reads JSON far enough to tell an array of strings from other JSON and from no JSON. Depth is limited: deeper is no JSON.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  ExecForm read() {
    ExecForm form;
    skip_space();
    if (!take('[')) return form;
    bool only_strings = true;
    skip_space();
    if (!take(']')) {
      do {
        skip_space();
        if (peek() == '"') {
          auto value = string();
          if (!value) return {};
          form.strings.push_back(std::move(*value));
        } else {
          only_strings = false;
          if (!skip_value(0)) return {};
        }
        skip_space();
      } while (take(','));
      if (!take(']')) return {};
    }
    skip_space();
    if (at_ != text_.size()) return {};
    form.kind = only_strings ? ExecForm::Kind::strings : ExecForm::Kind::other;
    return form;
  }

 private:
  static constexpr int kMaxDepth = 100;

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  std::optional<unsigned> hex4() {
    if (text_.size() - at_ < 4) return std::nullopt;
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      char c = text_[at_++];
      unsigned digit = 0;
      if (c >= '0' && c <= '9')
        digit = static_cast<unsigned>(c - '0');
      else if (c >= 'a' && c <= 'f')
        digit = static_cast<unsigned>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        digit = static_cast<unsigned>(c - 'A' + 10);
      else
        return std::nullopt;
      code = code * 16 + digit;
    }
    return code;
  }

  bool escape(std::string& out) {
    if (at_ >= text_.size()) return false;
    char c = text_[at_++];
    static constexpr std::string_view kNames = "\"\\/bfnrt";
    static constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (auto known = kNames.find(c); known != std::string_view::npos) {
      out += kMeant[known];
      return true;
    }
    if (c != 'u') return false;
    auto code = hex4();
    if (!code) return false;
    if (*code >= 0xD800 && *code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
      std::size_t before = at_;
      at_ += 2;
      auto low = hex4();
      if (!low) return false;
      if (*low >= 0xDC00 && *low < 0xE000) {
        append_utf8(out, 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00));
        return true;
      }
      at_ = before;
    }
    append_utf8(out, *code >= 0xD800 && *code < 0xE000 ? 0xFFFD : *code);
    return true;
  }

  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string out;
    while (at_ < text_.size()) {
      char c = text_[at_++];
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  bool skip_number() {
    std::size_t start = at_;
    take('-');
    std::size_t digits = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    if (at_ == digits || (text_[digits] == '0' && at_ - digits > 1)) return false;
    if (take('.')) {
      digits = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      if (at_ == digits) return false;
    }
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      if (at_ == digits) return false;
    }
    return at_ > start;
  }

  bool skip_value(int depth) {
    if (depth > kMaxDepth) return false;
    skip_space();
    if (peek() == '"') return string().has_value();
    if (take('[')) return skip_items(']', depth, false);
    if (take('{')) return skip_items('}', depth, true);
    if (take("true") || take("false") || take("null")) return true;
    return skip_number();
  }

  bool skip_items(char end, int depth, bool named) {
    skip_space();
    if (take(end)) return true;
    do {
      skip_space();
      if (named) {
        if (!string()) return false;
        skip_space();
        if (!take(':')) return false;
      }
      if (!skip_value(depth + 1)) return false;
      skip_space();
    } while (take(','));
    return take(end);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

ExecForm read_exec_form(std::string_view text) { return Reader(text).read(); }

std::string print_exec_form(const std::vector<std::string>& strings) {
  std::string out = "[";
  for (const auto& text : strings) {
    if (out.size() > 1) out += ' ';
    out += '"';
    for (char c : text) {
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (c == '\n') {
        out += "\\n";
      } else if (c == '\t') {
        out += "\\t";
      } else if (c == '\r') {
        out += "\\r";
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned>(c));
      } else {
        out += c;
      }
    }
    out += '"';
  }
  return out + "]";
}

}  // namespace slipway::image
