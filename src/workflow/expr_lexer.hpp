// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "workflow/value.hpp"

namespace slipway::workflow {

enum class TokenKind {
  start_group,
  start_index,
  start_parameters,
  end_group,
  end_index,
  end_parameters,
  separator,
  dereference,
  wildcard,
  operation,  ///< ! == && and the like
  literal,
  property,  ///< a name after '.'
  function,  ///< a name before '('
  context,
  unexpected,
};

struct Token {
  TokenKind kind = TokenKind::unexpected;
  std::string text;          ///< as written
  std::size_t position = 0;  ///< byte offset
  Value literal;
};

/// True for [A-Za-z_][A-Za-z0-9_-]*.
bool is_name(std::string_view text);

/// Reads the tokens of one expression and knows which may follow which; the first that may not is `unexpected`.
///   source  runner, src/Sdk/Expressions/Tokens/LexicalAnalyzer.cs
class ExpressionLexer final {
 public:
  explicit ExpressionLexer(std::string_view text) : text_(text) {}
  std::optional<Token> next();
  [[nodiscard]] bool has_unclosed() const { return !open_.empty(); }

 private:
  Token read_number();
  Token read_word();
  Token read_string();
  Token read_operation();
  Token make(TokenKind kind, std::size_t from, std::size_t to, Value literal = {});
  [[nodiscard]] bool may_follow(TokenKind kind, std::string_view text) const;
  bool track(TokenKind kind);
  [[nodiscard]] bool is_boundary(std::size_t at) const;
  [[nodiscard]] std::size_t skip_white_space(std::size_t at) const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<TokenKind> last_;
  std::vector<TokenKind> open_;
};

}  // namespace slipway::workflow
