// An expression as a tree in two flat arrays. Macros (has, all, exists, exists_one, map, filter)
// are nodes of their own; chains of && and || are one node with many children.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/value.h"

namespace candor::cel {

using NodeId = std::uint32_t;

enum class Op : std::uint8_t {
  kLiteral,
  kName,         // text; slot: a variable, or a local where local is set
  kSelect,       // children: operand; text: field
  kHas,          // the same, as has(operand.field)
  kIndex,        // operand, index
  kList,         // items
  kMap,          // key, value, key, value ...
  kCall,         // arguments (of a member: the receiver first); text: function
  kAnd,          // two or more
  kOr,           // two or more
  kConditional,  // condition, then, otherwise
  // Comprehensions: range, body; kMapMacro may have range, filter, body. text: variable.
  kAll,
  kExists,
  kExistsOne,
  kMapMacro,
  kFilter,
};

// Set by the checker, which resolves names and overloads.
enum class Function : std::uint8_t {
  kUnknown,
  kNot,
  kNegate,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kSize,
  kContains,
  kStartsWith,
  kEndsWith,
  kMatches,
  kToBool,
  kToBytes,
  kToDouble,
  kToDuration,
  kToDyn,
  kToInt,
  kToString,
  kToTimestamp,
  kToType,
  kToUint,
  kGetDate,
  kGetDayOfMonth,
  kGetDayOfWeek,
  kGetDayOfYear,
  kGetFullYear,
  kGetHours,
  kGetMilliseconds,
  kGetMinutes,
  kGetMonth,
  kGetSeconds,
};

struct Node {
  Op op = Op::kLiteral;
  bool member = false;    // kCall: written receiver.function(...)
  bool absolute = false;  // kName: written with a leading dot
  bool local = false;     // kName: the variable of a comprehension
  Function function = Function::kUnknown;
  std::uint32_t place = 0;  // offset in the source
  std::uint32_t first = 0;  // of its children, in Ast::children
  std::uint32_t count = 0;
  std::uint32_t slot = 0;      // a variable's, a field's, a local's, or a pattern's number
  std::string_view text = {};  // points into the Ast's arena
  Value literal = {};
};

// A name that the checker could not resolve; the evaluator makes an error of it.
inline constexpr std::uint32_t kUnresolved = 0xFFFF'FFFF;

struct Ast {
  std::string source;
  std::vector<Node> nodes;
  std::vector<NodeId> children;
  NodeId root = 0;
  Arena arena;  // literals and names

  [[nodiscard]] std::span<const NodeId> children_of(const Node& node) const noexcept {
    return std::span(children).subspan(node.first, node.count);
  }
  [[nodiscard]] const Node& child(const Node& node, std::size_t i) const noexcept {
    return nodes[children[node.first + i]];
  }
};

// Same tree, whatever the places.
[[nodiscard]] bool same(const Ast& a, NodeId in_a, const Ast& b, NodeId in_b) noexcept;
// One spelling for one tree: parsing it gives the same tree again.
[[nodiscard]] std::string print(const Ast& ast, NodeId node);

}  // namespace candor::cel
