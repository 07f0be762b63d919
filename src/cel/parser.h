// Text to tree: CEL's grammar (cel-spec, doc/langdef.md) without message construction. Total:
// every input ends in a tree or in one Problem, within these limits; the recursion is bounded by
// max_depth. Safe on hostile input; O(n).
#pragma once

#include <expected>
#include <string_view>

#include "cel/ast.h"
#include "cel/problem.h"

namespace candor::cel {

struct ParserLimits {
  std::size_t max_bytes = 64U << 10U;
  std::size_t max_nodes = 16'384;
  std::size_t max_depth = 100;  // of the tree, and of brackets in brackets
};

[[nodiscard]] std::expected<Ast, Problem> parse(std::string_view source,
                                                const ParserLimits& limits = {});

}  // namespace candor::cel
