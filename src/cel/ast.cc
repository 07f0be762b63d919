#include "cel/ast.h"

#include <array>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::cel {
namespace {

// Doubles by their bits, so that -0.0 is not 0.0; the rest as CEL has it.
bool same_literal(const Value& a, const Value& b) noexcept {
  if (a.kind != b.kind) return false;
  if (a.kind == Kind::kDouble) {
    return std::bit_cast<std::uint64_t>(a.real) == std::bit_cast<std::uint64_t>(b.real);
  }
  std::uint64_t cost = 0;
  return equal(a, b, cost);
}

// The lowest binds loosest.
enum Strength : int { kTernary, kOrChain, kAndChain, kRelation, kSum, kProduct, kUnary, kMember };

struct Infix {
  Function function;
  std::string_view sign;
  Strength strength;
};
constexpr std::array kInfixes{Infix{Function::kAdd, "+", kSum},
                              Infix{Function::kSubtract, "-", kSum},
                              Infix{Function::kMultiply, "*", kProduct},
                              Infix{Function::kDivide, "/", kProduct},
                              Infix{Function::kModulo, "%", kProduct},
                              Infix{Function::kEqual, "==", kRelation},
                              Infix{Function::kNotEqual, "!=", kRelation},
                              Infix{Function::kLess, "<", kRelation},
                              Infix{Function::kLessEqual, "<=", kRelation},
                              Infix{Function::kGreater, ">", kRelation},
                              Infix{Function::kGreaterEqual, ">=", kRelation},
                              Infix{Function::kIn, "in", kRelation}};

const Infix* infix_of(const Node& node) {
  for (const Infix& infix : kInfixes) {
    if (node.text.empty() && infix.function == node.function) return &infix;
  }
  return nullptr;
}

class Printer {
 public:
  explicit Printer(const Ast& ast) : ast_(ast) {}

  void node(NodeId id, Strength least) {
    const Node& n = ast_.nodes[id];
    const bool brackets = strength(n) < least;
    if (brackets) out_ += '(';
    body(n);
    if (brackets) out_ += ')';
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  static bool is_sign(const Node& n) {
    return n.text.empty() && (n.function == Function::kNot || n.function == Function::kNegate);
  }
  static bool is_negative(const Node& n) {
    return (n.literal.kind == Kind::kInt && n.literal.integer < 0) ||
           (n.literal.kind == Kind::kDouble && std::signbit(n.literal.real));
  }

  static Strength strength(const Node& n) {
    switch (n.op) {
      case Op::kConditional: return kTernary;
      case Op::kOr: return kOrChain;
      case Op::kAnd: return kAndChain;
      case Op::kCall:
        if (is_sign(n)) return kUnary;
        if (const Infix* infix = infix_of(n)) return infix->strength;
        return kMember;
      case Op::kLiteral: return is_negative(n) ? kUnary : kMember;
      case Op::kName:
      case Op::kSelect:
      case Op::kHas:
      case Op::kIndex:
      case Op::kList:
      case Op::kMap:
      case Op::kAll:
      case Op::kExists:
      case Op::kExistsOne:
      case Op::kMapMacro:
      case Op::kFilter: return kMember;
    }
    return kMember;
  }

  void joined(std::span<const NodeId> ids, std::string_view between, Strength least) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i > 0) out_ += between;
      node(ids[i], least);
    }
  }

  void field(std::string_view name) {
    bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9') && name != "true" &&
                 name != "false" && name != "null" && name != "in";
    for (const char c : name) {
      plain = plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_');
    }
    out_ += plain ? std::string(name) : fmt::format("`{}`", name);
  }

  void comprehension(const Node& n, std::string_view name) {
    const auto parts = ast_.children_of(n);
    node(parts[0], kMember);
    out_ += fmt::format(".{}({}, ", name, n.text);
    joined(parts.subspan(1), ", ", kTernary);
    out_ += ')';
  }

  void body(const Node& n) {
    const auto parts = ast_.children_of(n);
    switch (n.op) {
      case Op::kLiteral: literal(n.literal); return;
      case Op::kName:
        if (n.absolute) out_ += '.';
        out_ += n.text;
        return;
      case Op::kSelect:
        node(parts[0], kMember);
        out_ += '.';
        field(n.text);
        return;
      case Op::kHas:
        out_ += "has(";
        node(parts[0], kMember);
        out_ += '.';
        field(n.text);
        out_ += ')';
        return;
      case Op::kIndex:
        node(parts[0], kMember);
        out_ += '[';
        node(parts[1], kTernary);
        out_ += ']';
        return;
      case Op::kList:
        out_ += '[';
        joined(parts, ", ", kTernary);
        out_ += ']';
        return;
      case Op::kMap:
        out_ += '{';
        for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
          if (i > 0) out_ += ", ";
          node(parts[i], kTernary);
          out_ += ": ";
          node(parts[i + 1], kTernary);
        }
        out_ += '}';
        return;
      case Op::kAnd: joined(parts, " && ", kRelation); return;
      case Op::kOr: joined(parts, " || ", kAndChain); return;
      case Op::kConditional:
        node(parts[0], kOrChain);
        out_ += " ? ";
        node(parts[1], kOrChain);
        out_ += " : ";
        node(parts[2], kTernary);
        return;
      case Op::kAll: comprehension(n, "all"); return;
      case Op::kExists: comprehension(n, "exists"); return;
      case Op::kExistsOne: comprehension(n, "exists_one"); return;
      case Op::kMapMacro: comprehension(n, "map"); return;
      case Op::kFilter: comprehension(n, "filter"); return;
      case Op::kCall: call(n, parts); return;
    }
  }

  void call(const Node& n, std::span<const NodeId> parts) {
    if (is_sign(n)) {
      out_ += n.function == Function::kNot ? '!' : '-';
      // -(1) is not the literal -1.
      const Node& operand = ast_.nodes[parts[0]];
      const bool number = n.function == Function::kNegate && operand.op == Op::kLiteral;
      const bool other_sign =
          operand.op == Op::kCall && is_sign(operand) && operand.function != n.function;
      if (number || other_sign || ends_in_number(operand, n.function)) {
        out_ += '(';
        node(parts[0], kTernary);
        out_ += ')';
      } else {
        node(parts[0], kUnary);
      }
      return;
    }
    if (const Infix* infix = infix_of(n)) {
      node(parts[0], infix->strength);
      out_ += fmt::format(" {} ", infix->sign);
      node(parts[1], static_cast<Strength>(infix->strength + 1));
      return;
    }
    if (n.member) {
      node(parts[0], kMember);
      out_ += '.';
      parts = parts.subspan(1);
    } else if (n.absolute) {
      out_ += '.';
    }
    out_ += n.text;
    out_ += '(';
    joined(parts, ", ", kTernary);
    out_ += ')';
  }

  // Whether text that begins with this operand would begin with a number, to which a minus before
  // it would belong: 1.f() and 1[0].
  [[nodiscard]] bool ends_in_number(const Node& operand, Function sign) const {
    const Node* first = &operand;
    while (sign == Function::kNegate && first->op != Op::kLiteral && first->count > 0 &&
           strength(*first) == kMember && first->op != Op::kList && first->op != Op::kMap &&
           first->op != Op::kHas && (first->op != Op::kCall || first->member)) {
      first = &ast_.child(*first, 0);
    }
    return sign == Function::kNegate && first->op == Op::kLiteral;
  }

  void literal(const Value& value) {
    switch (value.kind) {
      case Kind::kDouble: {
        std::string text = fmt::format("{}", std::fabs(value.real));
        if (text.find_first_of(".e") == std::string::npos) text += ".0";
        out_ += (std::signbit(value.real) ? "-" : "") + text;
        return;
      }
      case Kind::kString: quoted(value.text(), "\""); return;
      case Kind::kBytes: quoted(value.text(), "b\""); return;
      case Kind::kError:
      case Kind::kNull:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kUint:
      case Kind::kTimestamp:
      case Kind::kDuration:
      case Kind::kType:
      case Kind::kList:
      case Kind::kMap:
      case Kind::kRecord: out_ += to_text(value); return;
    }
  }

  void quoted(std::string_view text, std::string_view open) {
    const bool bytes = open[0] == 'b';
    out_ += open;
    while (!text.empty()) {
      const auto c = static_cast<unsigned char>(text[0]);
      const std::size_t length = c < 0x80 || bytes ? 1 : utf8_sequence(text);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += text[0];
      } else if (c == '\n') {
        out_ += "\\n";
      } else if (length == 1 && (c < 0x20 || c >= 0x7F)) {
        out_ += fmt::format("\\x{:02x}", c);
      } else {
        out_ += text.substr(0, length);
      }
      text.remove_prefix(length);
    }
    out_ += '"';
  }

  const Ast& ast_;
  std::string out_;
};

}  // namespace

bool same(const Ast& a, NodeId in_a, const Ast& b, NodeId in_b) noexcept {
  const Node& x = a.nodes[in_a];
  const Node& y = b.nodes[in_b];
  if (x.op != y.op || x.member != y.member || x.absolute != y.absolute || x.count != y.count ||
      x.text != y.text) {
    return false;
  }
  if (x.op == Op::kCall && x.text.empty() && x.function != y.function) return false;
  if (x.op == Op::kLiteral && !same_literal(x.literal, y.literal)) return false;
  for (std::size_t i = 0; i < x.count; ++i) {
    if (!same(a, a.children[x.first + i], b, b.children[y.first + i])) return false;
  }
  return true;
}

std::string print(const Ast& ast, NodeId node) {
  Printer printer(ast);
  printer.node(node, kTernary);
  return printer.take();
}

}  // namespace candor::cel
