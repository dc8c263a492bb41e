// SPDX-License-Identifier: Apache-2.0
#include "workflow/expr_lexer.hpp"

#include <cmath>
#include <limits>

#include "workflow/unicode.hpp"

namespace slipway::workflow {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What an operand or an operator that starts one may follow: nothing, or one of these.
bool opens_operand(std::optional<TokenKind> last) {
  return !last || *last == TokenKind::separator || *last == TokenKind::start_group ||
         *last == TokenKind::start_parameters || *last == TokenKind::start_index ||
         *last == TokenKind::operation;
}

// What '[' and '.' may follow.
bool ends_reference(std::optional<TokenKind> last) {
  return last && (*last == TokenKind::end_group || *last == TokenKind::end_parameters ||
                  *last == TokenKind::end_index || *last == TokenKind::wildcard ||
                  *last == TokenKind::property || *last == TokenKind::context);
}

bool ends_operand(std::optional<TokenKind> last) {
  return ends_reference(last) || (last && *last == TokenKind::literal);
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  for (char c : text) {
    if (!is_letter(c) && !is_digit(c) && c != '-') return false;
  }
  return true;
}

std::size_t ExpressionLexer::skip_white_space(std::size_t at) const {
  for (std::size_t next = at; next < text_.size() && is_white_space(next_code_point(text_, next));)
    at = next;
  return at;
}

bool ExpressionLexer::is_boundary(std::size_t at) const {
  return std::string_view("()[],.!<>=&|").find(text_[at]) != std::string_view::npos ||
         is_white_space(next_code_point(text_, at));
}

std::optional<Token> ExpressionLexer::next() {
  at_ = skip_white_space(at_);
  if (at_ >= text_.size()) return std::nullopt;
  char c = text_[at_];
  auto single = [&](TokenKind kind) {
    ++at_;
    return make(kind, at_ - 1, at_);
  };
  Token token;
  switch (c) {
    case '(':
      token = single(last_ == TokenKind::function ? TokenKind::start_parameters
                                                  : TokenKind::start_group);
      break;
    case '[':
      token = single(TokenKind::start_index);
      break;
    case ')':
      token = single(!open_.empty() && open_.back() == TokenKind::start_parameters
                         ? TokenKind::end_parameters
                         : TokenKind::end_group);
      break;
    case ']':
      token = single(TokenKind::end_index);
      break;
    case ',':
      token = single(TokenKind::separator);
      break;
    case '*':
      token = single(TokenKind::wildcard);
      break;
    case '\'':
      token = read_string();
      break;
    case '!':
    case '>':
    case '<':
    case '=':
    case '&':
    case '|':
      token = read_operation();
      break;
    case '.':
      token = opens_operand(last_) ? read_number() : single(TokenKind::dereference);
      break;
    default:
      token = c == '-' || c == '+' || is_digit(c) ? read_number() : read_word();
  }
  last_ = token.kind;
  return token;
}

Token ExpressionLexer::read_number() {
  auto from = at_++;
  while (at_ < text_.size() && (text_[at_] == '.' || !is_boundary(at_))) ++at_;
  double number = parse_number(text_.substr(from, at_ - from));
  return make(std::isnan(number) ? TokenKind::unexpected : TokenKind::literal, from, at_,
              Value(number));
}

Token ExpressionLexer::read_word() {
  auto from = at_++;
  while (at_ < text_.size() && !is_boundary(at_)) ++at_;
  auto word = text_.substr(from, at_ - from);
  if (!is_name(word)) return make(TokenKind::unexpected, from, at_);
  if (last_ == TokenKind::dereference) return make(TokenKind::property, from, at_, Value(word));
  if (word == "null") return make(TokenKind::literal, from, at_);
  if (word == "true" || word == "false")
    return make(TokenKind::literal, from, at_, Value(word == "true"));
  if (word == "NaN")
    return make(TokenKind::literal, from, at_, Value(std::numeric_limits<double>::quiet_NaN()));
  if (word == "Infinity")
    return make(TokenKind::literal, from, at_, Value(std::numeric_limits<double>::infinity()));
  auto after = skip_white_space(at_);
  bool is_call = after < text_.size() && text_[after] == '(';
  return make(is_call ? TokenKind::function : TokenKind::context, from, at_);
}

Token ExpressionLexer::read_string() {
  auto from = at_++;
  std::string value;
  while (at_ < text_.size()) {
    char c = text_[at_++];
    if (c == '\'') {
      if (at_ >= text_.size() || text_[at_] != '\'')
        return make(TokenKind::literal, from, at_, Value(std::move(value)));
      ++at_;
    }
    value += c;
  }
  return make(TokenKind::unexpected, from, at_);
}

Token ExpressionLexer::read_operation() {
  auto from = at_++;
  auto two = text_.substr(from, 2);
  if (two == "!=" || two == ">=" || two == "<=" || two == "==" || two == "&&" || two == "||") {
    ++at_;
    return make(TokenKind::operation, from, at_);
  }
  if (text_[from] == '!' || text_[from] == '>' || text_[from] == '<')
    return make(TokenKind::operation, from, at_);
  while (at_ < text_.size() && !is_boundary(at_)) ++at_;
  return make(TokenKind::unexpected, from, at_);
}

bool ExpressionLexer::may_follow(TokenKind kind, std::string_view text) const {
  switch (kind) {
    case TokenKind::start_group:
    case TokenKind::literal:
    case TokenKind::function:
    case TokenKind::context:
      return opens_operand(last_);
    case TokenKind::start_index:
    case TokenKind::dereference:
      return ends_reference(last_);
    case TokenKind::start_parameters:
      return last_ == TokenKind::function;
    case TokenKind::end_parameters:
      return last_ == TokenKind::start_parameters || ends_operand(last_);
    case TokenKind::end_group:
    case TokenKind::end_index:
    case TokenKind::separator:
      return ends_operand(last_);
    case TokenKind::wildcard:
      return last_ == TokenKind::start_index || last_ == TokenKind::dereference;
    case TokenKind::operation:
      return text == "!" ? opens_operand(last_) : ends_operand(last_);
    case TokenKind::property:
      return last_ == TokenKind::dereference;
    case TokenKind::unexpected:
      break;
  }
  return false;
}

// Keeps the stack of open brackets; false when this one closes another than the last opened.
bool ExpressionLexer::track(TokenKind kind) {
  auto inside = [&](TokenKind opener) { return !open_.empty() && open_.back() == opener; };
  auto close = [&](TokenKind opener) {
    if (!inside(opener)) return false;
    open_.pop_back();
    return true;
  };
  switch (kind) {
    case TokenKind::start_group:
    case TokenKind::start_index:
    case TokenKind::start_parameters:
      open_.push_back(kind);
      return true;
    case TokenKind::end_group:
      return close(TokenKind::start_group);
    case TokenKind::end_index:
      return close(TokenKind::start_index);
    case TokenKind::end_parameters:
      return close(TokenKind::start_parameters);
    case TokenKind::separator:
      return inside(TokenKind::start_parameters);
    default:
      return true;
  }
}

Token ExpressionLexer::make(TokenKind kind, std::size_t from, std::size_t to, Value literal) {
  Token token{kind, std::string(text_.substr(from, to - from)), from, std::move(literal)};
  if (!may_follow(kind, token.text) || !track(kind)) token.kind = TokenKind::unexpected;
  return token;
}

}  // namespace slipway::workflow
