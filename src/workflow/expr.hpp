// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "workflow/value.hpp"

// GitHub's expression language: what stands between `${{` and `}}`.
namespace slipway::workflow {

inline constexpr std::size_t kMaxExpressionLength = 21000;
inline constexpr int kMaxExpressionDepth = 50;
inline constexpr std::size_t kMaxExpressionMemory =
    1048576;  ///< bytes of computed values, by GitHub's counting

/// A function that is available beside the built-in ones (contains, startsWith, endsWith, format, join, toJSON, fromJSON,
/// case): always, cancelled, success, failure, hashFiles.
struct ExtraFunction {
  std::string name;
  int min_arguments = 0;
  int max_arguments = 0;
  bool operator==(const ExtraFunction&) const = default;
};

/// What a text may name: the schema says it for each key of a workflow.
struct Availability {
  std::vector<std::string> contexts;
  std::vector<ExtraFunction> functions;
};

struct ExpressionNode;  // expr_ast.hpp

/// A parsed expression; copies share its tree.
class Expression final {
 public:
  Expression() = default;  ///< empty: evaluates to null
  Expression(std::shared_ptr<const ExpressionNode> root, std::string text)
      : root_(std::move(root)), text_(std::move(text)) {}
  [[nodiscard]] const std::string& text() const { return text_; }
  /// nullptr for an empty expression.
  [[nodiscard]] const ExpressionNode* root() const { return root_.get(); }
  /// True when a call of one of these functions is anywhere in it (names in any case).
  [[nodiscard]] bool calls_any(const std::vector<std::string_view>& functions) const;
  /// True when the context is named anywhere in it.
  [[nodiscard]] bool uses_context(std::string_view name) const;

 private:
  std::shared_ptr<const ExpressionNode> root_;  // owners: all copies of the expression
  std::string text_;
};

/// Why a text is no expression.
struct ExpressionError {
  std::string message;       ///< GitHub's own text, with the expression in it
  std::size_t position = 0;  ///< 0-based offset in the expression
};

/// Parses the text of one expression (without `${{ }}`). Unknown names, wrong numbers of arguments and limits are errors
/// here, wherever in the expression they are.
std::variant<Expression, ExpressionError> parse_expression(std::string_view text,
                                                           const Availability& available);

/// What an expression may ask of the place where it is evaluated. A call that the place has not overridden throws
/// Error{failed}.
class ExpressionHost {
 public:
  ExpressionHost() = default;
  ExpressionHost(const ExpressionHost&) = delete;
  ExpressionHost& operator=(const ExpressionHost&) = delete;
  virtual ~ExpressionHost() = default;
  /// `jobs`: limits a job-level check to these jobs; empty: all ancestors (a step: the job so far).
  [[nodiscard]] virtual bool success(const std::vector<std::string>& jobs) const;
  [[nodiscard]] virtual bool failure(const std::vector<std::string>& jobs) const;
  [[nodiscard]] virtual bool cancelled() const;
  /// Patterns as given, one argument each. See hash_files.hpp.
  [[nodiscard]] virtual std::string hash_files(const std::vector<std::string>& patterns) const;
};

struct IgnoringCase {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    return compare_ignoring_case(a, b) < 0;
  }
};

/// The values of the contexts: "github", "env", "needs", … A context that is available but not here is null.
struct Contexts {
  std::map<std::string, Value, IgnoringCase> values;
  const ExpressionHost* host =
      nullptr;  ///< borrowed; may be null when no such function is available
};

/// The value of an expression.
///   throws   Error{failed} with GitHub's text: a bad format(), fromJSON() of no JSON, a case() predicate that is no
///            boolean, more than kMaxExpressionMemory
///   threads  any number at a time
Value evaluate(const Expression& expression, const Contexts& contexts);

/// The condition of a job or step: `text` with or without `${{ }}`; without a status function in it, `success() && (…)`.
/// Empty is `success()`.
///   wrap  false for pre-if, post-if and their like
std::variant<Expression, ExpressionError> parse_condition(std::string_view text,
                                                          const Availability& available,
                                                          bool wrap = true);

}  // namespace slipway::workflow
