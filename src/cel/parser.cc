#include "cel/parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "cel/internal/lexer.h"

namespace candor::cel {
namespace {

using Parsed = std::expected<NodeId, Problem>;

// Return the problem of a step, or its value.
#define CEL_TRY(expr)                                             \
  ({                                                              \
    auto step_ = (expr);                                          \
    if (!step_) return std::unexpected(std::move(step_).error()); \
    take(std::move(step_));                                       \
  })
template <typename T>
T take(std::expected<T, Problem>&& step) {
  if constexpr (!std::is_void_v<T>) return *std::move(step);
}

class Parser {
 public:
  Parser(std::string_view source, const ParserLimits& limits) : limits_(limits), lexer_(source) {
    ast_.source = source;
  }

  std::expected<Ast, Problem> run() {
    CEL_TRY(advance());
    ast_.root = CEL_TRY(expression());
    if (now_.token != Token::kEnd) return std::unexpected(unexpected_here("the end"));
    return std::move(ast_);
  }

 private:
  [[nodiscard]] static Problem problem(Problem::What what, std::uint32_t place,
                                       std::uint32_t length, std::string message) {
    return {what, place, std::max(length, 1U), std::move(message), {}};
  }
  [[nodiscard]] Problem unexpected_here(std::string_view wanted) const {
    if (now_.token == Token::kEnd) {
      return problem(Problem::What::kSyntax, now_.place, 1,
                     fmt::format("the expression ends where {} is needed", wanted));
    }
    return problem(Problem::What::kSyntax, now_.place, now_.length,
                   fmt::format("{} is needed here", wanted));
  }

  std::expected<void, Problem> advance() {
    now_ = CEL_TRY(lexer_.next());
    return {};
  }
  std::expected<void, Problem> need(Token token, std::string_view shown) {
    if (now_.token != token) return std::unexpected(unexpected_here(shown));
    return advance();
  }

  Parsed add(Node node, std::span<const NodeId> children) {
    if (ast_.nodes.size() >= limits_.max_nodes) {
      return std::unexpected(problem(Problem::What::kTooLarge, node.place, 1,
                                     "the expression has too many parts; divide the rule"));
    }
    std::uint32_t height = 1;
    for (const NodeId child : children) height = std::max(height, heights_[child] + 1);
    if (height > limits_.max_depth) return std::unexpected(too_deep(node.place));
    node.first = static_cast<std::uint32_t>(ast_.children.size());
    node.count = static_cast<std::uint32_t>(children.size());
    ast_.children.insert(ast_.children.end(), children.begin(), children.end());
    ast_.nodes.push_back(node);
    heights_.push_back(height);
    return static_cast<NodeId>(ast_.nodes.size() - 1);
  }
  Parsed literal(std::uint32_t place, Value value) {
    Node node{.op = Op::kLiteral, .place = place};
    node.literal = value;
    return add(node, {});
  }
  Parsed call(std::uint32_t place, Function function, std::span<const NodeId> arguments) {
    return add({.op = Op::kCall, .function = function, .place = place}, arguments);
  }
  [[nodiscard]] static Problem too_deep(std::uint32_t place) {
    return problem(Problem::What::kTooLarge, place, 1,
                   "the expression is nested too deeply; divide the rule");
  }

  struct Deeper {  // counts the recursion while it lives
    explicit Deeper(std::size_t& depth) : depth_(depth) { ++depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --depth_; }
    std::size_t& depth_;
  };

  Parsed expression() {
    const Deeper deeper(depth_);
    if (depth_ > limits_.max_depth) return std::unexpected(too_deep(now_.place));
    const NodeId condition = CEL_TRY(chain(Token::kOr));
    if (now_.token != Token::kQuestion) return condition;
    const std::uint32_t place = now_.place;
    CEL_TRY(advance());
    const NodeId then = CEL_TRY(chain(Token::kOr));
    CEL_TRY(need(Token::kColon, "\":\""));
    const NodeId otherwise = CEL_TRY(expression());
    return add({.op = Op::kConditional, .place = place}, std::array{condition, then, otherwise});
  }

  // a || b || c, of chains of &&, of relations.
  Parsed chain(Token token) {
    const auto part = [&] { return token == Token::kOr ? chain(Token::kAnd) : relation(); };
    const Op op = token == Token::kOr ? Op::kOr : Op::kAnd;
    std::vector<NodeId> parts;
    const std::uint32_t place = now_.place;
    for (;;) {
      const NodeId one = CEL_TRY(part());
      // In brackets or not, a chain of one operator is one node.
      if (ast_.nodes[one].op == op) {
        const auto inner = ast_.children_of(ast_.nodes[one]);
        parts.insert(parts.end(), inner.begin(), inner.end());
      } else {
        parts.push_back(one);
      }
      if (now_.token != token) break;
      CEL_TRY(advance());
    }
    if (parts.size() == 1) return parts.front();
    return add({.op = op, .place = place}, parts);
  }

  static std::optional<Function> relation_of(Token token) {
    if (token == Token::kEqual) return Function::kEqual;
    if (token == Token::kNotEqual) return Function::kNotEqual;
    if (token == Token::kLess) return Function::kLess;
    if (token == Token::kLessEqual) return Function::kLessEqual;
    if (token == Token::kGreater) return Function::kGreater;
    if (token == Token::kGreaterEqual) return Function::kGreaterEqual;
    if (token == Token::kIn) return Function::kIn;
    return {};
  }
  static std::optional<Function> sum_of(Token token) {
    if (token == Token::kPlus) return Function::kAdd;
    if (token == Token::kMinus) return Function::kSubtract;
    return {};
  }
  static std::optional<Function> product_of(Token token) {
    if (token == Token::kStar) return Function::kMultiply;
    if (token == Token::kSlash) return Function::kDivide;
    if (token == Token::kPercent) return Function::kModulo;
    return {};
  }

  template <typename Operator, typename Operand>
  Parsed left_to_right(Operator function_of, Operand operand) {
    NodeId left = CEL_TRY(operand());
    while (const auto function = function_of(now_.token)) {
      const std::uint32_t place = now_.place;
      CEL_TRY(advance());
      const NodeId right = CEL_TRY(operand());
      left = CEL_TRY(call(place, *function, std::array{left, right}));
    }
    return left;
  }
  Parsed relation() {
    return left_to_right(relation_of, [&] { return sum(); });
  }
  Parsed sum() {
    return left_to_right(sum_of, [&] { return product(); });
  }
  Parsed product() {
    return left_to_right(product_of, [&] { return unary(); });
  }

  Parsed unary() {
    const Token sign = now_.token;
    if (sign != Token::kNot && sign != Token::kMinus) return member();
    std::vector<std::uint32_t> places;
    while (now_.token == sign) {
      places.push_back(now_.place);
      CEL_TRY(advance());
    }
    const bool number = now_.token == Token::kInt || now_.token == Token::kDouble;
    NodeId operand = 0;
    if (sign == Token::kMinus && number) {  // -9223372036854775808 is one literal
      negative_ = places.back();
      places.pop_back();
      operand = CEL_TRY(member());
    } else {
      operand = CEL_TRY(member());
    }
    const Function function = sign == Token::kNot ? Function::kNot : Function::kNegate;
    for (std::size_t i = places.size(); i-- > 0;) {
      operand = CEL_TRY(call(places[i], function, std::array{operand}));
    }
    return operand;
  }

  Parsed member() {
    NodeId operand = CEL_TRY(primary());
    for (;;) {
      const std::uint32_t place = now_.place;
      if (now_.token == Token::kOpenSquare) {
        CEL_TRY(advance());
        if (now_.token == Token::kQuestion) return std::unexpected(optional_syntax());
        const NodeId index = CEL_TRY(expression());
        CEL_TRY(need(Token::kCloseSquare, "\"]\""));
        operand = CEL_TRY(add({.op = Op::kIndex, .place = place}, std::array{operand, index}));
      } else if (now_.token == Token::kDot) {
        CEL_TRY(advance());
        operand = CEL_TRY(selection(operand));
      } else if (now_.token == Token::kOpenCurly && is_qualified_name(operand)) {
        return std::unexpected(problem(Problem::What::kOutsideSubset, place, 1,
                                       "messages cannot be built here; use a map"));
      } else {
        return operand;
      }
    }
  }

  Parsed selection(NodeId operand) {
    if (now_.token == Token::kQuestion) return std::unexpected(optional_syntax());
    // After a dot a reserved word is a field like any other; true, false, null and in are not.
    if (now_.token != Token::kName && now_.token != Token::kQuotedName) {
      return std::unexpected(unexpected_here("a field's or function's name"));
    }
    const Lexeme name = now_;
    CEL_TRY(advance());
    if (now_.token != Token::kOpenRound || name.token == Token::kQuotedName) {
      return add({.op = Op::kSelect, .place = name.place, .text = ast_.arena.copy(name.text)},
                 std::array{operand});
    }
    std::vector<NodeId> arguments{operand};
    CEL_TRY(list_until(Token::kCloseRound, "\")\"", arguments));
    if (const auto macro = macro_of(name.text, arguments.size())) {
      return comprehension(*macro, name, arguments);
    }
    return add(
        {.op = Op::kCall, .member = true, .place = name.place, .text = ast_.arena.copy(name.text)},
        arguments);
  }

  static std::optional<Op> macro_of(std::string_view name, std::size_t arguments) {
    if (arguments == 3) {
      if (name == "all") return Op::kAll;
      if (name == "exists") return Op::kExists;
      if (name == "exists_one" || name == "existsOne") return Op::kExistsOne;
      if (name == "filter") return Op::kFilter;
    }
    if (name == "map" && (arguments == 3 || arguments == 4)) return Op::kMapMacro;
    return {};
  }

  Parsed comprehension(Op op, const Lexeme& name, std::span<const NodeId> arguments) {
    const Node variable = ast_.nodes[arguments[1]];
    if (variable.op != Op::kName || variable.absolute) {
      return std::unexpected(
          problem(Problem::What::kSyntax, variable.place, 1,
                  fmt::format("the first argument of {} is a variable's name", name.text)));
    }
    std::vector<NodeId> parts{arguments[0]};
    parts.insert(parts.end(), arguments.begin() + 2, arguments.end());
    return add({.op = op, .place = name.place, .text = variable.text}, parts);
  }

  // After an opening bracket that is the current token.
  std::expected<void, Problem> list_until(Token close, std::string_view shown,
                                          std::vector<NodeId>& into) {
    CEL_TRY(advance());
    while (now_.token != close) {
      if (now_.token == Token::kQuestion) return std::unexpected(optional_syntax());
      into.push_back(CEL_TRY(expression()));
      if (now_.token != Token::kComma) break;
      CEL_TRY(advance());
      // Lists may end in a comma; arguments may not.
      if (now_.token == close && close == Token::kCloseRound) {
        return std::unexpected(unexpected_here("an argument"));
      }
    }
    return need(close, shown);
  }

  [[nodiscard]] Problem optional_syntax() const {
    return problem(Problem::What::kOutsideSubset, now_.place, now_.length,
                   "optional values (?) are not part of this subset; use has()");
  }

  [[nodiscard]] bool is_qualified_name(NodeId id) const {
    const Node* node = &ast_.nodes[id];
    while (node->op == Op::kSelect) node = &ast_.child(*node, 0);
    return node->op == Op::kName;
  }

  Parsed primary() {
    const Lexeme token = now_;
    const auto is = [&](Token one, Token other) {
      return token.token == one || token.token == other;
    };
    if (token.token == Token::kOpenRound) {
      CEL_TRY(advance());
      const NodeId inner = CEL_TRY(expression());
      CEL_TRY(need(Token::kCloseRound, "\")\""));
      return inner;
    }
    if (token.token == Token::kOpenSquare) {
      std::vector<NodeId> items;
      CEL_TRY(list_until(Token::kCloseSquare, "\"]\"", items));
      return add({.op = Op::kList, .place = token.place}, items);
    }
    if (token.token == Token::kOpenCurly) return map();
    if (is(Token::kDot, Token::kName)) return name();
    if (is(Token::kInt, Token::kUint) || token.token == Token::kDouble) return number();
    if (is(Token::kString, Token::kBytes)) {
      CEL_TRY(advance());
      const bool text = token.token == Token::kString;
      if (text && !is_utf8(token.text)) {
        return std::unexpected(problem(Problem::What::kSyntax, token.place, token.length,
                                       "this text is not valid UTF-8"));
      }
      return literal(token.place, Value::of_text(ast_.arena.copy(token.text),
                                                 text ? Kind::kString : Kind::kBytes));
    }
    if (is(Token::kTrue, Token::kFalse)) {
      CEL_TRY(advance());
      return literal(token.place, Value::boolean(token.token == Token::kTrue));
    }
    if (token.token != Token::kNull) return std::unexpected(unexpected_here("a value"));
    CEL_TRY(advance());
    return literal(token.place, Value::null());
  }

  Parsed map() {
    const std::uint32_t place = now_.place;
    std::vector<NodeId> parts;
    CEL_TRY(advance());
    while (now_.token != Token::kCloseCurly) {
      if (now_.token == Token::kQuestion) return std::unexpected(optional_syntax());
      parts.push_back(CEL_TRY(expression()));
      CEL_TRY(need(Token::kColon, "\":\""));
      parts.push_back(CEL_TRY(expression()));
      if (now_.token != Token::kComma) break;
      CEL_TRY(advance());
    }
    CEL_TRY(need(Token::kCloseCurly, "\"}\""));
    return add({.op = Op::kMap, .place = place}, parts);
  }

  Parsed name() {
    const bool absolute = now_.token == Token::kDot;
    if (absolute) {
      CEL_TRY(advance());
      if (now_.token != Token::kName) return std::unexpected(unexpected_here("a name"));
    }
    const Lexeme token = now_;
    if (is_reserved(token.text)) {
      return std::unexpected(problem(Problem::What::kSyntax, token.place, token.length,
                                     fmt::format("{} is a reserved word", token.text)));
    }
    CEL_TRY(advance());
    const std::string_view text = ast_.arena.copy(token.text);
    if (now_.token != Token::kOpenRound) {
      return add({.op = Op::kName, .absolute = absolute, .place = token.place, .text = text}, {});
    }
    std::vector<NodeId> arguments;
    CEL_TRY(list_until(Token::kCloseRound, "\")\"", arguments));
    if (text == "has" && !absolute && arguments.size() == 1) {
      const Node operand = ast_.nodes[arguments[0]];
      if (operand.op != Op::kSelect) {
        return std::unexpected(problem(Problem::What::kSyntax, operand.place, 1,
                                       "has() takes a field, such as has(model.passport)"));
      }
      return add({.op = Op::kHas, .place = token.place, .text = operand.text},
                 std::array{ast_.children[operand.first]});
    }
    return add({.op = Op::kCall, .absolute = absolute, .place = token.place, .text = text},
               arguments);
  }

  Parsed number() {
    const Lexeme token = now_;
    const std::optional<std::uint32_t> negative = std::exchange(negative_, {});
    CEL_TRY(advance());
    const std::uint32_t place = negative.value_or(token.place);
    const std::string_view digits = token.text;
    const auto out_of_range = [&] {
      return std::unexpected(problem(Problem::What::kSyntax, place, token.length,
                                     "this number is too large for its type"));
    };
    if (token.token == Token::kDouble) {
      double real = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
      if (error == std::errc::result_out_of_range) {
        // from_chars does not say which way; a number with a negative exponent is too small, and
        // then it is 0.
        if (digits.find("e-") == std::string_view::npos &&
            digits.find("E-") == std::string_view::npos) {
          return out_of_range();
        }
        real = 0;
      }
      return literal(place, Value::of_double(negative ? -real : real));
    }
    const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
    std::uint64_t natural = 0;
    const auto [end, error] = std::from_chars(
        digits.data() + (hex ? 2 : 0), digits.data() + digits.size(), natural, hex ? 16 : 10);
    if (error != std::errc{}) return out_of_range();
    if (token.token == Token::kUint) return literal(place, Value::of_uint(natural));
    constexpr std::uint64_t kMaxInt = 9'223'372'036'854'775'807U;
    if (natural > kMaxInt + (negative ? 1 : 0)) return out_of_range();
    return literal(place,
                   Value::of_int(static_cast<std::int64_t>(negative ? 0 - natural : natural)));
  }

  ParserLimits limits_;
  Lexer lexer_;
  Lexeme now_;
  Ast ast_;
  std::vector<std::uint32_t> heights_;
  std::size_t depth_ = 0;
  std::optional<std::uint32_t> negative_;  // place of the minus of the number that comes next
};

}  // namespace

std::expected<Ast, Problem> parse(std::string_view source, const ParserLimits& limits) {
  if (source.size() > limits.max_bytes) {
    return std::unexpected(
        Problem{Problem::What::kTooLarge,
                0,
                1,
                fmt::format("the expression is longer than {} bytes", limits.max_bytes),
                {}});
  }
  return Parser(source, limits).run();
}

}  // namespace candor::cel
