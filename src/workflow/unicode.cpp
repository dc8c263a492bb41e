// SPDX-License-Identifier: Apache-2.0
#include "workflow/unicode.hpp"

#include <algorithm>
#include <clocale>
#include <cwctype>

namespace slipway::workflow {
namespace {

// The C library's case tables, apart from the process's own locale.
class CaseTable final {
 public:
  CaseTable() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {}
  CaseTable(const CaseTable&) = delete;
  CaseTable& operator=(const CaseTable&) = delete;
  ~CaseTable() {
    if (locale_ != nullptr) ::freelocale(locale_);
  }
  [[nodiscard]] char32_t upper(char32_t c) const {
    if (locale_ == nullptr) return c;
    return static_cast<char32_t>(::towupper_l(static_cast<std::wint_t>(c), locale_));
  }

 private:
  locale_t locale_;
};

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& at) {
  auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || at + more > text.size()) return 0xDC00U + first;
  char32_t code = first & (0x3FU >> more);
  for (std::size_t i = 0; i < more; ++i) {
    if (!is_continuation(text[at + i])) return 0xDC00U + first;
    code = (code << 6U) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  at += more;
  return code;
}

void append_utf8(std::string& text, char32_t code_point) {
  auto put = [&](char32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

char32_t to_upper_simple(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0x131 || c == 0x17F)
    return c;  // .NET's ordinal casing leaves what would become ASCII alone
  static const CaseTable table;
  return table.upper(c);
}

std::size_t utf16_length(std::string_view text) {
  bool is_ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  if (is_ascii) return text.size();
  std::size_t length = 0;
  for (std::size_t at = 0; at < text.size();)
    length += next_code_point(text, at) >= 0x10000 ? 2 : 1;
  return length;
}

bool is_white_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

std::string_view trim_unicode(std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size() && is_white_space(next_code_point(text, at));)
    begin = at;
  std::size_t end = begin;
  for (std::size_t at = begin; at < text.size();) {
    if (!is_white_space(next_code_point(text, at))) end = at;
  }
  return text.substr(begin, end - begin);
}

}  // namespace slipway::workflow
