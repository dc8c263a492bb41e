// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "workflow/expr.hpp"
#include "workflow/expr_ast.hpp"
#include "workflow/expr_functions.hpp"
#include "workflow/expr_memory.hpp"

namespace slipway::workflow {
namespace {

using Kind = ExpressionNode::Kind;

// A value, and whether it is the list that a `.*` made: what follows then applies to each of its items.
struct Result {
  Value value;
  bool is_filtered = false;
  std::optional<std::size_t> bytes = std::nullopt;  // when it is not what its kind says
};

class Evaluation final {
 public:
  explicit Evaluation(const Contexts& contexts) : contexts_(contexts) {}

  Result run(const ExpressionNode& node, std::size_t level) {
    Result result = core(node, level);
    bool is_from_context = node.kind == Kind::context || node.kind == Kind::index;
    bool gives_back = result.value.is_primitive() && !(is_from_context && !result.value.is_null());
    memory_.add(level, result.bytes.value_or(counted_bytes_of(result.value)), gives_back);
    return result;
  }

 private:
  Result core(const ExpressionNode& node, std::size_t level) {
    switch (node.kind) {
      case Kind::literal:
        return {node.literal};
      case Kind::wildcard:
        return {Value("*")};
      case Kind::context:
        return {context(node.name)};
      case Kind::call:
        if (compare_ignoring_case(node.name, "case") == 0) return choose(node, level);
        return {call(node, level)};
      case Kind::index:
        return index(node, level);
      case Kind::negation:
        return {Value(!argument(node, 0, level).is_truthy())};
      case Kind::conjunction:
      case Kind::disjunction: {
        // The operand itself comes back: a list that a `.*` made stays one.
        Result result;
        for (const auto& child : node.children) {
          result = run(child, level + 1);
          if (result.value.is_truthy() == (node.kind == Kind::disjunction)) break;
        }
        return {result.value, result.is_filtered};
      }
      default:
        return {Value(compare(node, level))};
    }
  }

  Value argument(const ExpressionNode& node, std::size_t number, std::size_t level) {
    return run(node.children[number], level + 1).value;
  }

  Value context(const std::string& name) const {
    auto at = contexts_.values.find(std::string_view(name));
    return at == contexts_.values.end() ? Value() : at->second;
  }

  bool compare(const ExpressionNode& node, std::size_t level) {
    Value left = argument(node, 0, level);
    Value right = argument(node, 1, level);
    switch (node.kind) {
      case Kind::equal:
        return left.equals(right);
      case Kind::not_equal:
        return !left.equals(right);
      case Kind::less:
        return left.is_less(right);
      case Kind::less_or_equal:
        return left.equals(right) || left.is_less(right);
      case Kind::greater:
        return left.is_greater(right);
      default:
        return left.equals(right) || left.is_greater(right);
    }
  }

  // What indexes: a wildcard, or a value that is looked at as a number by arrays and as a string by objects.
  struct By {
    bool wildcard = false;
    Value value;
    [[nodiscard]] const Value* in(const Value& of) const {
      if (of.is_object()) return value.is_primitive() ? of.find(value.to_string()) : nullptr;
      if (!of.is_array()) return nullptr;
      double number = std::floor(value.to_number());
      if (std::isnan(number) || number < 0 || number >= static_cast<double>(of.items().size()))
        return nullptr;
      return &of.items()[static_cast<std::size_t>(number)];
    }
  };

  Result index(const ExpressionNode& node, std::size_t level) {
    Result of = run(node.children[0], level + 1);
    if (of.value.is_primitive()) {
      if (node.children[1].is_wildcard()) return {Value::array({}), true};
      return {};
    }
    By by{node.children[1].is_wildcard(), run(node.children[1], level + 1).value};
    std::vector<Value> found;
    auto add = [&](const Value& value) {
      if (by.wildcard) {
        spread(value, found);
      } else if (const auto* part = by.in(value)) {
        found.push_back(*part);
      }
    };
    if (of.is_filtered) {
      for (const auto& item : of.value.items()) add(item);
    } else if (by.wildcard) {
      add(of.value);
    } else {
      const auto* part = by.in(of.value);
      return {part == nullptr ? Value() : *part};
    }
    ResultMemory memory;
    memory.add((of.is_filtered ? 0 : kObjectBytes) + kPointerBytes * found.size());
    return {Value::array(std::move(found)), true, memory.bytes()};
  }

  static void spread(const Value& value, std::vector<Value>& into) {
    if (value.is_array()) {
      into.insert(into.end(), value.items().begin(), value.items().end());
    } else if (value.is_object()) {
      for (const auto& [key, member] : value.members()) into.push_back(member);
    }
  }

  Value call(const ExpressionNode& node, std::size_t level) {
    auto is = [&](std::string_view name) { return compare_ignoring_case(node.name, name) == 0; };
    if (is("contains")) return Value(contains(node, level));
    if (is("startsWith")) return Value(text_test(node, level, starts_with_text));
    if (is("endsWith")) return Value(text_test(node, level, ends_with_text));
    if (is("format")) {
      auto format = argument(node, 0, level).to_string();
      return Value(format_values(format, node.children.size() - 1, [&](std::size_t number) {
        return argument(node, number + 1, level);
      }));
    }
    if (is("join")) return Value(join(node, level));
    if (is("toJSON")) return Value(value_to_json(argument(node, 0, level)));
    if (is("fromJSON")) return value_from_json(argument(node, 0, level).to_string());
    return ask_host(node, level);
  }

  bool contains(const ExpressionNode& node, std::size_t level) {
    Value in = argument(node, 0, level);
    if (in.is_object() || (in.is_array() && in.items().empty())) return false;
    Value what = argument(node, 1, level);
    if (in.is_primitive())
      return what.is_primitive() && contains_text(in.to_string(), what.to_string());
    for (const auto& item : in.items()) {
      if (what.equals(item)) return true;
    }
    return false;
  }

  bool text_test(const ExpressionNode& node, std::size_t level,
                 bool (*test)(std::string_view, std::string_view)) {
    Value text = argument(node, 0, level);
    if (!text.is_primitive()) return false;
    Value part = argument(node, 1, level);
    return part.is_primitive() && test(text.to_string(), part.to_string());
  }

  std::string join(const ExpressionNode& node, std::size_t level) {
    Value items = argument(node, 0, level);
    if (items.is_primitive()) return items.to_string();
    if (!items.is_array()) return "";
    std::string separator = ",";
    if (items.items().size() > 1 && node.children.size() > 1) {
      Value given = argument(node, 1, level);
      if (given.is_primitive()) separator = given.to_string();
    }
    return join_values(items.items(), separator);
  }

  Result choose(const ExpressionNode& node, std::size_t level) {
    auto chosen = node.children.size() - 1;
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      Value predicate = argument(node, i, level);
      if (!predicate.is_boolean())
        fail(Fault::failed, "case predicate must evaluate to a boolean value");
      if (!predicate.boolean()) continue;
      chosen = i + 1;
      break;
    }
    Result result = run(node.children[chosen], level + 1);
    return {result.value, result.is_filtered};
  }

  Value ask_host(const ExpressionNode& node, std::size_t level) {
    auto is = [&](std::string_view name) { return compare_ignoring_case(node.name, name) == 0; };
    if (is("always")) return Value(true);
    if (contexts_.host == nullptr) fail(Fault::failed, "'{}' has no meaning here", node.name);
    if (is("cancelled")) return Value(contexts_.host->cancelled());
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < node.children.size(); ++i)
      texts.push_back(argument(node, i, level).to_string());
    if (is("success")) return Value(contexts_.host->success(texts));
    if (is("failure")) return Value(contexts_.host->failure(texts));
    if (is("hashFiles")) return Value(contexts_.host->hash_files(texts));
    fail(Fault::failed, "'{}' has no meaning here", node.name);
  }

  const Contexts& contexts_;
  EvaluationMemory memory_;
};

}  // namespace

bool ExpressionHost::success(const std::vector<std::string>& /*jobs*/) const {
  fail(Fault::failed, "success() has no meaning here");
}
bool ExpressionHost::failure(const std::vector<std::string>& /*jobs*/) const {
  fail(Fault::failed, "failure() has no meaning here");
}
bool ExpressionHost::cancelled() const { fail(Fault::failed, "cancelled() has no meaning here"); }
std::string ExpressionHost::hash_files(const std::vector<std::string>& /*patterns*/) const {
  fail(Fault::failed, "hashFiles() has no files to look at here");
}

Value evaluate(const Expression& expression, const Contexts& contexts) {
  if (expression.root() == nullptr) return {};
  return Evaluation(contexts).run(*expression.root(), 0).value;
}

}  // namespace slipway::workflow
