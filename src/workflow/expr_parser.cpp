// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "base/text.hpp"
#include "workflow/expr.hpp"
#include "workflow/expr_ast.hpp"
#include "workflow/expr_lexer.hpp"
#include "workflow/unicode.hpp"

// A shunting-yard parser: an expression is a list of operands and operators, and brackets on the operator stack hold back
// what is outside them. It never recurses, so that 21,000 brackets cost no stack; trees past the depth limit are cut off
// as they appear.
//   source  runner, src/Sdk/Expressions/ExpressionParser.cs
namespace slipway::workflow {
namespace {

using Kind = ExpressionNode::Kind;

constexpr int kMaxArguments = 255;

const std::vector<ExtraFunction>& well_known_functions() {
  static const std::vector<ExtraFunction> functions = {
      {"case", 3, kMaxArguments},   {"contains", 2, 2}, {"endsWith", 2, 2},
      {"format", 1, kMaxArguments}, {"fromJSON", 1, 1}, {"join", 1, 2},
      {"startsWith", 2, 2},         {"toJSON", 1, 1}};
  return functions;
}

int precedence_of(const Token& token) {
  switch (token.kind) {
    case TokenKind::start_group:
      return 20;
    case TokenKind::start_index:
    case TokenKind::start_parameters:
    case TokenKind::dereference:
      return 19;
    case TokenKind::operation:
      if (token.text == "!") return 16;
      if (token.text[0] == '<' || token.text[0] == '>') return 11;
      if (token.text == "==" || token.text == "!=") return 10;
      return token.text == "&&" ? 6 : 5;
    default:
      return 1;
  }
}

bool is_operator(TokenKind kind) {
  switch (kind) {
    case TokenKind::wildcard:
    case TokenKind::literal:
    case TokenKind::property:
    case TokenKind::function:
    case TokenKind::context:
    case TokenKind::unexpected:
      return false;
    default:
      return true;
  }
}

Kind node_kind(const Token& token) {
  if (token.kind != TokenKind::operation) return Kind::index;
  if (token.text == "!") return Kind::negation;
  if (token.text == "&&") return Kind::conjunction;
  if (token.text == "||") return Kind::disjunction;
  if (token.text == "==") return Kind::equal;
  if (token.text == "!=") return Kind::not_equal;
  if (token.text == "<") return Kind::less;
  if (token.text == "<=") return Kind::less_or_equal;
  return token.text == ">" ? Kind::greater : Kind::greater_or_equal;
}

class Parser final {
 public:
  Parser(std::string_view text, const Availability& available)
      : text_(text), available_(available), lexer_(text) {}

  std::variant<Expression, ExpressionError> parse() {
    if (utf16_length(text_) > kMaxExpressionLength) {
      return ExpressionError{"Exceeded max expression length 21000", 0};
    }
    std::optional<Token> last;
    while (auto token = lexer_.next()) {
      if (token->kind == TokenKind::unexpected) return wrong("Unexpected symbol", *token);
      if (is_operator(token->kind)) {
        push_operator(*token, last);
      } else {
        push_operand(*token);
      }
      if (error_) return *error_;
      last = std::move(token);
    }
    if (!last) return Expression(nullptr, std::string(text_));
    if (!operators_.empty() && (ends_too_early(*last) || lexer_.has_unclosed())) {
      return wrong("Unexpected end of expression", *last);
    }
    while (!operators_.empty()) flush_top();
    if (too_deep_) return ExpressionError{"Exceeded max expression depth 50", 0};
    assert(operands_.size() == 1);
    return Expression(std::make_shared<const ExpressionNode>(std::move(operands_.back())),
                      std::string(text_));
  }

 private:
  static bool ends_too_early(const Token& last) {
    switch (last.kind) {
      case TokenKind::end_group:
      case TokenKind::end_index:
      case TokenKind::end_parameters:
        return false;
      case TokenKind::function:
        return true;
      default:
        return is_operator(last.kind);
    }
  }

  [[nodiscard]] ExpressionError wrong(std::string_view what, const Token& token) const {
    return {fmt::format("{}: '{}'. Located at position {} within expression: {}", what, token.text,
                        utf16_length(text_.substr(0, token.position)) + 1, text_),
            token.position};
  }

  [[nodiscard]] const ExtraFunction* find_function(std::string_view name) const {
    for (const auto* list : {&well_known_functions(), &available_.functions}) {
      for (const auto& function : *list) {
        if (compare_ignoring_case(function.name, name) == 0) return &function;
      }
    }
    return nullptr;
  }

  void push_operand(const Token& token) {
    ExpressionNode node;
    node.position = token.position;
    switch (token.kind) {
      case TokenKind::function:
        if (find_function(token.text) == nullptr) error_ = wrong("Unrecognized function", token);
        node.kind = Kind::call;
        node.name = token.text;
        break;
      case TokenKind::context: {
        const auto& names = available_.contexts;
        bool is_known = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return compare_ignoring_case(name, token.text) == 0;
        });
        if (!is_known) error_ = wrong("Unrecognized named-value", token);
        node.kind = Kind::context;
        node.name = token.text;
        break;
      }
      case TokenKind::wildcard:
        node.kind = Kind::wildcard;
        break;
      default:
        node.literal = token.literal;
    }
    operands_.push_back(std::move(node));
  }

  void push_operator(const Token& token, const std::optional<Token>& last) {
    bool is_left_associative = token.kind != TokenKind::start_group &&
                               !(token.kind == TokenKind::operation && token.text == "!");
    while (is_left_associative && !operators_.empty()) {
      const auto& top = operators_.back();
      if (precedence_of(token) > precedence_of(top) || top.kind == TokenKind::start_group ||
          top.kind == TokenKind::start_index || top.kind == TokenKind::start_parameters ||
          top.kind == TokenKind::separator) {
        break;
      }
      flush_top();
    }
    operators_.push_back(token);
    if (token.kind == TokenKind::end_group || token.kind == TokenKind::end_index) {
      flush_top();
    } else if (token.kind == TokenKind::end_parameters) {
      close_call(last && last->kind == TokenKind::start_parameters);
    }
  }

  void flush_top() {
    Token token = pop_operator();
    if (token.kind == TokenKind::end_group) {
      pop_operator();
      return;
    }
    if (token.kind == TokenKind::end_index) token = pop_operator();
    ExpressionNode node;
    node.kind = node_kind(token);
    node.position = token.position;
    adopt(node, node.kind == Kind::negation ? 1 : 2);
    operands_.push_back(std::move(node));
  }

  void close_call(bool has_no_arguments) {
    pop_operator();  // ")"
    std::size_t count = has_no_arguments ? 0 : 1;
    while (operators_.back().kind == TokenKind::separator) {
      ++count;
      operators_.pop_back();
    }
    Token opener = pop_operator();
    auto& call = operands_[operands_.size() - count - 1];
    const auto* function = find_function(call.name);
    auto given = static_cast<int>(count);
    if (given < function->min_arguments) {
      error_ = wrong("Too few parameters supplied", opener);
    } else if (given > function->max_arguments) {
      error_ = wrong("Too many parameters supplied", opener);
    } else if (function->name == "case" && count % 2 == 0) {
      error_ =
          wrong("Even number of parameters supplied, requires an odd number of parameters", opener);
    }
    adopt(call, count);
  }

  // Moves the last `count` operands into `node`; nested && and || of the same kind become one.
  void adopt(ExpressionNode& node, std::size_t count) {
    std::vector<ExpressionNode> children;
    for (std::size_t i = operands_.size() - count; i < operands_.size(); ++i) {
      auto& operand = operands_[i];
      bool is_nested = operand.kind == node.kind &&
                       (node.kind == Kind::conjunction || node.kind == Kind::disjunction);
      if (is_nested) {
        std::move(operand.children.begin(), operand.children.end(), std::back_inserter(children));
      } else {
        children.push_back(std::move(operand));
      }
    }
    for (const auto& child : children) node.depth = std::max(node.depth, child.depth + 1);
    if (node.depth > kMaxExpressionDepth) {
      too_deep_ = true;
    } else {
      node.children = std::move(children);
    }
    operands_.erase(operands_.end() - static_cast<std::ptrdiff_t>(count), operands_.end());
  }

  Token pop_operator() {
    Token token = std::move(operators_.back());
    operators_.pop_back();
    return token;
  }

  std::string_view text_;
  const Availability& available_;
  ExpressionLexer lexer_;
  std::vector<ExpressionNode> operands_;
  std::vector<Token> operators_;
  std::optional<ExpressionError> error_;
  bool too_deep_ = false;
};

constexpr std::string_view kOpen = "${{";

// The inside of a text that is one ${{ }} from end to end; nothing for any other.
std::optional<std::string_view> only_expression(std::string_view text) {
  if (!text.starts_with(kOpen)) return std::nullopt;
  bool quoted = false;
  for (std::size_t at = kOpen.size(); at < text.size(); ++at) {
    if (text[at] == '\'') quoted = !quoted;
    if (quoted || text.substr(at, 2) != "}}") continue;
    if (at + 2 != text.size()) return std::nullopt;
    return text.substr(kOpen.size(), at - kOpen.size());
  }
  return std::nullopt;
}

}  // namespace

std::variant<Expression, ExpressionError> parse_expression(std::string_view text,
                                                           const Availability& available) {
  return Parser(text, available).parse();
}

std::variant<Expression, ExpressionError> parse_condition(std::string_view text,
                                                          const Availability& available,
                                                          bool wrap) {
  text = trim_unicode(text);
  if (auto inside = only_expression(text)) text = trim_unicode(*inside);
  if (text.empty()) return parse_expression(wrap ? "success()" : "always()", available);
  auto parsed = parse_expression(text, available);
  if (!wrap || std::holds_alternative<ExpressionError>(parsed)) return parsed;
  if (std::get<Expression>(parsed).calls_any({"always", "cancelled", "failure", "success"}))
    return parsed;
  return parse_expression(fmt::format("success() && ({})", text), available);
}

bool Expression::calls_any(const std::vector<std::string_view>& functions) const {
  bool found = false;
  if (!root_) return false;
  for_each_node(*root_, [&](const ExpressionNode& node) {
    if (node.kind != Kind::call) return;
    for (auto name : functions) found = found || compare_ignoring_case(name, node.name) == 0;
  });
  return found;
}

bool Expression::uses_context(std::string_view name) const {
  bool found = false;
  if (!root_) return false;
  for_each_node(*root_, [&](const ExpressionNode& node) {
    if (node.kind == Kind::context) found = found || compare_ignoring_case(name, node.name) == 0;
  });
  return found;
}

std::string path_of(const ExpressionNode& node) {
  if (node.kind == Kind::context) return to_lower(node.name);
  if (node.kind != Kind::index) return "";
  auto of = path_of(node.children[0]);
  if (of.empty()) return "";
  const auto& by = node.children[1];
  bool is_named =
      by.kind == Kind::literal && by.literal.is_string() && is_name(by.literal.string());
  return of + "." + (is_named ? to_lower(by.literal.string()) : "*");
}

}  // namespace slipway::workflow
