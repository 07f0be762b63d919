#include "policy/internal/flat_comparison.h"

#include <vector>

namespace candor::policy {

using cel::Function;
using cel::Node;
using cel::NodeId;
using cel::Op;

// A variable, a field of it, or a field of that: records always have their fields.
bool FlatComparison::find_path(const cel::Ast& ast, NodeId id) {
  std::vector<std::uint32_t> fields;
  const Node* n = &ast.nodes[id];
  while (n->op == Op::kSelect && n->slot != cel::kUnresolved) {
    fields.push_back(n->slot);
    n = &ast.child(*n, 0);
  }
  if (n->op != Op::kName || n->local || n->slot >= kNone || fields.size() > 2) return false;
  slot_ = static_cast<std::uint16_t>(n->slot);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    fields_[i] = static_cast<std::uint16_t>(fields[fields.size() - 1 - i]);
  }
  return true;
}

std::optional<FlatComparison> FlatComparison::of(const cel::Program& program) {
  const cel::Ast& ast = program.ast();
  const Node& root = ast.nodes[ast.root];
  FlatComparison out;
  if (root.op == Op::kName || root.op == Op::kSelect) {
    return out.find_path(ast, ast.root) ? std::optional(out) : std::nullopt;
  }
  if (root.op != Op::kCall) return {};
  if (root.function == Function::kNot) {
    out.kind_ = Kind::kNotFlag;
    return out.find_path(ast, ast.children[root.first]) ? std::optional(out) : std::nullopt;
  }
  if (root.count != 2) return {};
  const Node& right = ast.child(root, 1);
  if (right.op != Op::kLiteral || !out.find_path(ast, ast.children[root.first])) return {};
  out.constant_ = right.literal;
  const bool text = right.literal.is(cel::Kind::kString);
  if (text && root.function == Function::kEqual) {
    out.kind_ = Kind::kSameText;
  } else if (text && root.function == Function::kNotEqual) {
    out.kind_ = Kind::kOtherText;
  } else if (text && root.function == Function::kStartsWith) {
    out.kind_ = Kind::kStartsWith;
  } else if (right.literal.is(cel::Kind::kInt) && root.function >= Function::kEqual &&
             root.function <= Function::kGreaterEqual) {
    out.kind_ = static_cast<Kind>(static_cast<int>(Kind::kEqual) + static_cast<int>(root.function) -
                                  static_cast<int>(Function::kEqual));
  } else {
    return {};
  }
  return out;
}

int FlatComparison::breadth() const noexcept {
  if (kind_ == Kind::kSameText) return 0;
  if (kind_ == Kind::kStartsWith) return 1;
  return kind_ >= Kind::kEqual ? 2 : 3;
}

bool FlatComparison::holds(std::span<const cel::Value> slots) const noexcept {
  const cel::Value* value = &slots[slot_];
  for (const std::uint16_t field : fields_) {
    if (field == kNone) break;
    value = &value->items[field];
  }
  switch (kind_) {
    case Kind::kFlag: return value->is_true();
    case Kind::kNotFlag: return value->is_false();
    case Kind::kSameText: return value->text() == constant_.text();
    case Kind::kOtherText: return value->text() != constant_.text();
    case Kind::kStartsWith: return value->text().starts_with(constant_.text());
    case Kind::kEqual:
    case Kind::kNotEqual:
    case Kind::kLess:
    case Kind::kLessEqual:
    case Kind::kGreater:
    case Kind::kGreaterEqual: break;
  }
  if (!value->is(cel::Kind::kInt)) {  // a double beside an int
    const int order = cel::compare(*value, constant_);
    if (kind_ == Kind::kEqual) return order == 0;
    if (kind_ == Kind::kNotEqual) return order != 0;
    if (order == 2) return false;
    if (kind_ == Kind::kLess) return order < 0;
    if (kind_ == Kind::kLessEqual) return order <= 0;
    return kind_ == Kind::kGreater ? order > 0 : order >= 0;
  }
  const std::int64_t a = value->integer;
  const std::int64_t b = constant_.integer;
  if (kind_ == Kind::kEqual) return a == b;
  if (kind_ == Kind::kNotEqual) return a != b;
  if (kind_ == Kind::kLess) return a < b;
  if (kind_ == Kind::kLessEqual) return a <= b;
  return kind_ == Kind::kGreater ? a > b : a >= b;
}

}  // namespace candor::policy
