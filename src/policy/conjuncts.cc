#include "policy/conjuncts.h"

#include <algorithm>
#include <map>

namespace candor::policy {
namespace {

using cel::Function;
using cel::Kind;
using cel::Node;
using cel::NodeId;
using cel::Op;

bool is_true(const Node& n) { return n.op == Op::kLiteral && n.literal.is_true(); }

std::vector<NodeId> parts_of(const cel::Ast& ast) {
  const Node& root = ast.nodes[ast.root];
  if (is_true(root)) return {};
  if (root.op != Op::kAnd) return {ast.root};
  const auto children = ast.children_of(root);
  return {children.begin(), children.end()};
}

// subject == one of values, or != all of them; the subject by its spelling.
struct Membership {
  std::string subject;
  std::vector<std::string> values;
  bool inside = true;
};

std::optional<Membership> membership(const cel::Ast& ast, NodeId id) {
  const Node& n = ast.nodes[id];
  if (n.op != Op::kCall || !n.text.empty()) return {};
  if (n.function == Function::kNot) {
    auto inner = membership(ast, ast.children[n.first]);
    if (inner) inner->inside = !inner->inside;
    return inner;
  }
  const auto literal = [&](const Node& node) {
    return node.op == Op::kLiteral && !node.literal.is(Kind::kDouble);
  };
  const auto spelled = [&](std::size_t i) { return cel::print(ast, ast.children[n.first + i]); };
  if (n.function == Function::kEqual || n.function == Function::kNotEqual) {
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      if (literal(ast.child(n, i)) && !literal(ast.child(n, 1 - i))) {
        return Membership{spelled(1 - i), {spelled(i)}, n.function == Function::kEqual};
      }
    }
  }
  if (n.function == Function::kIn && ast.child(n, 1).op == Op::kList) {
    const Node& list = ast.child(n, 1);
    Membership out{spelled(0), {}, true};
    for (const NodeId item : ast.children_of(list)) {
      if (!literal(ast.nodes[item])) return {};
      out.values.push_back(cel::print(ast, item));
    }
    return out;
  }
  return {};
}

bool contains_all(const std::vector<std::string>& all, const std::vector<std::string>& of) {
  return std::ranges::all_of(
      of, [&](const std::string& one) { return std::ranges::find(all, one) != all.end(); });
}

bool disjoint(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::none_of(
      a, [&](const std::string& one) { return std::ranges::find(b, one) != b.end(); });
}

// Whether premise says conclusion.
bool says(const Membership& premise, const Membership& conclusion) {
  if (premise.subject != conclusion.subject) return false;
  if (premise.inside && conclusion.inside) return contains_all(conclusion.values, premise.values);
  if (premise.inside) return disjoint(premise.values, conclusion.values);
  return !conclusion.inside && contains_all(premise.values, conclusion.values);
}

bool part_implied(const cel::Ast& ast, NodeId id, const std::vector<const cel::Ast*>& premises) {
  const Node& n = ast.nodes[id];
  if (is_true(n)) return true;
  const auto children = ast.children_of(n);
  const auto implied = [&](NodeId child) { return part_implied(ast, child, premises); };
  if (n.op == Op::kAnd) return std::ranges::all_of(children, implied);
  if (n.op == Op::kOr && std::ranges::any_of(children, implied)) return true;
  const auto conclusion = membership(ast, id);
  for (const cel::Ast* premise : premises) {
    for (const NodeId part : parts_of(*premise)) {
      if (cel::same(ast, id, *premise, part)) return true;
      if (!conclusion) continue;
      const auto known = membership(*premise, part);
      if (known && says(*known, *conclusion)) return true;
    }
  }
  return false;
}

// The value of a node from constants alone; unset where facts decide.
std::optional<Constant> fixed(const cel::Ast& ast, NodeId id) {
  const Node& n = ast.nodes[id];
  if (n.op == Op::kLiteral) {
    if (!n.literal.is(Kind::kBool)) return {};
    return n.literal.truth ? Constant::kTrue : Constant::kFalse;
  }
  const auto children = ast.children_of(n);
  if (n.op == Op::kAnd || n.op == Op::kOr) {
    const Constant decisive = n.op == Op::kOr ? Constant::kTrue : Constant::kFalse;
    std::optional<Constant> result = n.op == Op::kOr ? Constant::kFalse : Constant::kTrue;
    bool open = false;
    for (const NodeId child : children) {
      const auto value = fixed(ast, child);
      if (value == decisive) return decisive;
      if (!value) open = true;
      if (value == Constant::kError) result = Constant::kError;
    }
    return open ? std::nullopt : result;
  }
  if (n.op == Op::kConditional) {
    const auto condition = fixed(ast, children[0]);
    if (condition == Constant::kTrue) return fixed(ast, children[1]);
    if (condition == Constant::kFalse) return fixed(ast, children[2]);
    const auto then = fixed(ast, children[1]);
    if (!condition && then && then == fixed(ast, children[2])) return then;
    return condition;
  }
  if (n.op == Op::kExists || n.op == Op::kAll) {
    const auto body = fixed(ast, children[1]);
    const auto empty = n.op == Op::kExists ? Constant::kFalse : Constant::kTrue;
    return body == empty ? body : std::nullopt;
  }
  if (n.op == Op::kCall && n.function == Function::kNot) {
    const auto value = fixed(ast, children[0]);
    if (!value || value == Constant::kError) return value;
    return value == Constant::kTrue ? Constant::kFalse : Constant::kTrue;
  }
  if (n.op == Op::kCall && n.text.empty() && n.count == 2 &&
      cel::same(ast, children[0], ast, children[1])) {
    if (n.function == Function::kEqual) return Constant::kTrue;
    if (n.function == Function::kNotEqual || n.function == Function::kLess ||
        n.function == Function::kGreater) {
      return Constant::kFalse;
    }
  }
  // A call of constants that was not folded is an error (cel::Program folds the rest).
  if (n.op == Op::kCall && n.count > 0 && std::ranges::all_of(children, [&](NodeId child) {
        return ast.nodes[child].op == Op::kLiteral;
      })) {
    return Constant::kError;
  }
  if (n.op == Op::kCall || n.op == Op::kIndex) {  // an argument that is an error
    for (const NodeId child : children) {
      if (fixed(ast, child) == Constant::kError) return Constant::kError;
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> conjuncts(const cel::Ast& ast) {
  std::vector<std::string> out;
  for (const NodeId part : parts_of(ast)) out.push_back(cel::print(ast, part));
  return out;
}

bool implied_by(const cel::Ast& condition, const std::vector<const cel::Ast*>& premises) {
  return std::ranges::all_of(parts_of(condition),
                             [&](NodeId part) { return part_implied(condition, part, premises); });
}

std::optional<Constant> constant_value(const cel::Program& program) {
  return fixed(program.ast(), program.ast().root);
}

std::optional<Contradiction> contradiction(const cel::Ast& ast) {
  const auto parts = parts_of(ast);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto one = membership(ast, parts[i]);
    for (std::size_t j = i + 1; one && j < parts.size(); ++j) {
      const auto other = membership(ast, parts[j]);
      if (!other || one->subject != other->subject) continue;
      const bool apart = one->inside && other->inside ? disjoint(one->values, other->values)
                         : one->inside                ? contains_all(other->values, one->values)
                         : other->inside              ? contains_all(one->values, other->values)
                                                      : false;
      if (apart) return Contradiction{cel::print(ast, parts[i]), cel::print(ast, parts[j])};
    }
  }
  return {};
}

}  // namespace candor::policy
