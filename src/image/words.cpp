// SPDX-License-Identifier: Apache-2.0
#include "image/words.hpp"

#include "base/text.hpp"

namespace slipway::image {
std::string_view take_flags(std::string_view text, std::vector<Flag>& flags) {
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (!text.substr(at).starts_with("--")) return text.substr(at);
    std::string word;
    char quote = 0;
    for (; at < text.size(); ++at) {
      char c = text[at];
      if (quote == 0 && is_space(c)) break;
      if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (quote != 0 && c == quote) {
        quote = 0;
      } else if (c == '\\') {
        if (at + 1 < text.size()) word += text[++at];
      } else {
        word += c;
      }
    }
    if (word == "--") return text.substr(at);
    auto equals = word.find('=');
    Flag flag{.name = word.substr(2, equals == std::string::npos ? equals : equals - 2)};
    if (equals != std::string::npos) flag.value = word.substr(equals + 1);
    flags.push_back(std::move(flag));
  }
}

std::vector<std::string> split_at_space(std::string_view text) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_space(text[at])) ++at;
    std::size_t start = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    if (at > start) out.emplace_back(text.substr(start, at - start));
  }
  return out;
}

std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> out;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote == 0 && is_space(c)) {
      if (in_word) out.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    if (c == escape && quote != '\'') {
      if (i + 1 == text.size()) break;  // an escape at the very end is dropped
      word += c;
      word += text[++i];
      continue;
    }
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    }
    word += c;
  }
  if (in_word && !word.empty()) out.push_back(std::move(word));
  return out;
}

std::optional<std::string> read_names_and_values(std::string_view rest, std::string_view keyword,
                                                 char escape, std::vector<std::string>& out) {
  auto words = split_words(rest, escape);
  if (words.empty()) return std::nullopt;
  if (words.front().find('=') == std::string::npos) {  // the old form: NAME all the rest
    auto space = rest.find_first_of(" \t\v\f\r");
    if (space == std::string_view::npos) return fmt::format("{} must have two arguments", keyword);
    auto value = rest.substr(space);
    while (!value.empty() && is_space(value.front())) value.remove_prefix(1);
    out = {std::string(rest.substr(0, space)), std::string(value)};
    return std::nullopt;
  }
  for (const auto& word : words) {
    auto equals = word.find('=');
    if (equals == std::string::npos)
      return fmt::format("can't find = in \"{}\": it must be of the form name=value", word);
    out.push_back(word.substr(0, equals));
    out.push_back(word.substr(equals + 1));
  }
  return std::nullopt;
}

}  // namespace slipway::image
