// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "workflow/value.hpp"

namespace slipway::workflow {

/// One node of a parsed expression. Owned by value; at most kMaxExpressionDepth deep.
struct ExpressionNode {
  enum class Kind {
    literal,
    context,   ///< name
    wildcard,  ///< the * of .* and [*]; only as an index's second child
    call,      ///< name, children: the arguments
    index,     ///< children: of what, by what (a property name is a string literal)
    negation,
    conjunction,  ///< children: two or more
    disjunction,
    equal,
    not_equal,
    less,
    less_or_equal,
    greater,
    greater_or_equal,
  };
  Kind kind = Kind::literal;
  Value literal;
  std::string name;  ///< as written
  std::vector<ExpressionNode> children;
  std::size_t position = 0;  ///< byte offset in the expression's text
  int depth = 1;             ///< of this subtree

  [[nodiscard]] bool is_wildcard() const { return kind == Kind::wildcard; }
};

/// Calls `visit` for a node and everything below it, parents first.
template <typename Visit>
void for_each_node(const ExpressionNode& node, const Visit& visit) {
  visit(node);
  for (const auto& child : node.children) for_each_node(child, visit);
}

/// "github.event.pull_request.title" for a chain of names from a context; a computed or numeric index and `.*` become "*".
/// Empty when the node is no such chain.
std::string path_of(const ExpressionNode& node);

}  // namespace slipway::workflow
