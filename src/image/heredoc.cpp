// SPDX-License-Identifier: Apache-2.0
#include "image/heredoc.hpp"

#include "base/text.hpp"
#include "image/expand.hpp"
#include "image/words.hpp"

namespace slipway::image {
namespace {

std::optional<std::string> unset(std::string_view) { return std::nullopt; }

std::optional<std::string> only_word(std::string_view text, const ExpandOptions& options) {
  auto expanded = expand(text, unset, options);
  if (expanded.error || expanded.words.size() != 1) return std::nullopt;
  return expanded.words.front();
}

}  // namespace

std::optional<Heredoc> heredoc_of(std::string_view word) {
  Heredoc doc;
  std::size_t at = 0;
  while (at < word.size() && word[at] >= '0' && word[at] <= '9') ++at;
  if (at > 0)
    doc.descriptor =
        static_cast<int>(to_integer(word.substr(0, std::min<std::size_t>(at, 9))).value_or(0));
  if (!word.substr(at).starts_with("<<")) return std::nullopt;
  at += 2;
  if (word.substr(at).starts_with('-')) {
    doc.strips_tabs = true;
    ++at;
  }
  auto name = word.substr(at);
  while (!name.empty() && is_space(name.front())) name.remove_prefix(1);
  if (name.empty() || name.find('<') != std::string_view::npos) return std::nullopt;
  auto plain = only_word(name, {.keep_unset = true});
  auto quoted = only_word(name, {.keep_quotes = true, .keep_escapes = true, .keep_unset = true});
  if (!plain || !quoted) return std::nullopt;
  doc.name = *plain;
  doc.expands = *plain == *quoted;
  return doc;
}

std::vector<Heredoc> heredocs_in(std::string_view line) {
  std::vector<Heredoc> docs;
  auto expanded =
      expand(line, unset, {.keep_quotes = true, .keep_escapes = true, .keep_unset = true});
  for (const auto& word : expanded.words) {
    if (auto doc = heredoc_of(word)) docs.push_back(std::move(*doc));
  }
  return docs;
}

std::string heredoc_text(const Heredoc& heredoc) {
  if (!heredoc.strips_tabs) return heredoc.content;
  std::string out;
  bool at_start = true;
  for (char c : heredoc.content) {
    if (at_start && c == '\t') continue;
    at_start = c == '\n';
    out += c;
  }
  return out;
}

}  // namespace slipway::image
