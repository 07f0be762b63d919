#include "model/gate/template_tree.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace candor::model::gate {
namespace {

using NodePtr = std::unique_ptr<Node>;

constexpr int kMaxNodeDepth = 512;  // chains of a.b.c and of a + b + c grow to the left

class Parser {
 public:
  Parser(const std::vector<Token>& tokens, int max_depth)
      : tokens_(tokens), max_depth_(max_depth) {}

  TemplateTree run() {
    while (!failed() && at_ < tokens_.size()) statement();
    if (!failed() && !blocks_.empty()) fail_here("'" + blocks_.back() + "' without its end");
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool failed() const { return !out_.error.empty(); }
  void fail_here(std::string why) {
    if (failed()) return;
    out_.error = std::move(why);
    const Token* token = at_ < tokens_.size() ? &tokens_[at_]
                         : tokens_.empty()    ? nullptr
                                              : &tokens_.back();
    out_.error_line = token != nullptr ? token->line : 1;
    out_.error_column = token != nullptr ? token->column : 1;
  }
  [[nodiscard]] bool is(TokenKind kind, std::string_view text = {}) const {
    return at_ < tokens_.size() && tokens_[at_].kind == kind &&
           (text.empty() || tokens_[at_].text == text);
  }
  [[nodiscard]] bool is_sign(std::string_view text) const { return is(TokenKind::kSign, text); }
  [[nodiscard]] bool is_word(std::string_view text) const { return is(TokenKind::kName, text); }
  bool take(TokenKind kind, std::string_view text = {}) {
    if (!is(kind, text)) return false;
    ++at_;
    return true;
  }
  bool take_sign(std::string_view text) { return take(TokenKind::kSign, text); }
  bool take_word(std::string_view text) { return take(TokenKind::kName, text); }
  void want(TokenKind kind, std::string_view text, std::string_view what) {
    if (!take(kind, text)) fail_here(std::string(what) + " is missing");
  }

  NodePtr make(NodeKind kind, std::string text = {}) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->text = std::move(text);
    const Token& token = tokens_[std::min(at_, tokens_.size() - 1)];
    node->line = token.line;
    node->column = token.column;
    return node;
  }
  void adopt(Node& parent, NodePtr kid) {
    if (!kid) return fail_here("an expression is missing");
    parent.depth = std::max(parent.depth, kid->depth + 1);
    if (parent.depth > kMaxNodeDepth) fail_here("an expression too deep to follow");
    parent.kids.push_back(std::move(kid));
  }

  void statement() {
    const Token& token = tokens_[at_];
    Statement out;
    out.line = token.line;
    out.column = token.column;
    if (token.kind == TokenKind::kText) {
      out.tag = "text";
      out.text = token.text;
      ++at_;
    } else if (take(TokenKind::kOutputBegin)) {
      out.tag = "output";
      value(out, list());
      want(TokenKind::kOutputEnd, {}, "}}");
    } else if (take(TokenKind::kTagBegin)) {
      tag(out);
      want(TokenKind::kTagEnd, {}, "%}");
    } else {
      return fail_here("code outside its delimiters");
    }
    if (!failed()) out_.statements.push_back(std::move(out));
  }

  void value(Statement& out, NodePtr node) {
    if (!node) return fail_here("an expression is missing");
    out.values.push_back(std::move(node));
  }

  void tag(Statement& out) {
    if (!is(TokenKind::kName)) return fail_here("a tag without a name");
    out.tag = tokens_[at_++].text;
    const std::string_view name = out.tag;
    if (name.starts_with("end")) {
      // What stands behind an end ("endblock name") is nobody's business.
      while (!is(TokenKind::kTagEnd) && at_ < tokens_.size()) ++at_;
      return close(name.substr(3));
    }
    if (name == "if" || name == "elif") {
      value(out, expression());
      if (name == "if") {
        blocks_.emplace_back("if");
      } else if (blocks_.empty() || blocks_.back() != "if") {
        fail_here("elif outside if");
      }
    } else if (name == "else") {
      if (blocks_.empty() || (blocks_.back() != "if" && blocks_.back() != "for")) {
        fail_here("else outside if and for");
      }
    } else if (name == "for") {
      loop(out);
    } else if (name == "set") {
      set(out);
    } else if (name == "macro") {
      macro(out);
    } else if (name == "call" || name == "filter") {
      if (name == "filter") out.text = is(TokenKind::kName) ? tokens_[at_].text : "";
      if (name == "call" && is_sign("(")) skip_parameters();
      value(out, expression());
      blocks_.emplace_back(name);
    } else if (name == "do") {
      value(out, list());
    } else if (name == "generation" || name == "raw") {
      blocks_.emplace_back(name);
    } else if (name != "break" && name != "continue") {
      // Judged by its name alone; its body, if it has one, is read like any other.
      while (!is(TokenKind::kTagEnd) && at_ < tokens_.size()) {
        if (is(TokenKind::kString)) out.text = tokens_[at_].text;
        ++at_;
      }
      if (name == "block" || name == "with" || name == "autoescape" || name == "trans") {
        blocks_.emplace_back(name);
      }
    }
    if (blocks_.size() > static_cast<std::size_t>(max_depth_)) fail_here("blocks nested too deep");
  }

  void close(std::string_view name) {
    if (blocks_.empty() || blocks_.back() != name) {
      return fail_here("'end" + std::string(name) + "' ends nothing");
    }
    blocks_.pop_back();
  }

  void skip_parameters() {
    while (at_ < tokens_.size() && !is(TokenKind::kTagEnd)) {
      if (take_sign(")")) return;
      ++at_;
    }
  }

  void loop(Statement& out) {
    do {
      (void)take_sign("(");
      if (!is(TokenKind::kName)) return fail_here("for without a variable");
      out.targets.push_back(make(NodeKind::kName, tokens_[at_].text));
      ++at_;
      (void)take_sign(")");
    } while (take_sign(","));
    if (!take_word("in")) return fail_here("for without in");
    value(out, disjunction());
    if (take_word("if")) value(out, expression());
    (void)take_word("recursive");
    blocks_.emplace_back("for");
  }

  void set(Statement& out) {
    do {
      if (!is(TokenKind::kName)) return fail_here("set without a name");
      NodePtr target = make(NodeKind::kName, tokens_[at_].text);
      ++at_;
      while (take_sign(".")) {
        if (!is(TokenKind::kName)) return fail_here("a name is missing behind the dot");
        NodePtr attribute = make(NodeKind::kAttribute, tokens_[at_].text);
        ++at_;
        adopt(*attribute, std::move(target));
        target = std::move(attribute);
      }
      out.targets.push_back(std::move(target));
    } while (take_sign(","));
    if (take_sign("=")) return value(out, list());
    while (take_sign("|")) {  // a block's filters
      if (!is(TokenKind::kName)) return fail_here("a filter without a name");
      NodePtr filter = make(NodeKind::kFilter, tokens_[at_].text);
      ++at_;
      adopt(*filter, make(NodeKind::kConstant, "none"));
      if (take_sign("(")) arguments(*filter);
      out.values.push_back(std::move(filter));
    }
    blocks_.emplace_back("set");
  }

  void macro(Statement& out) {
    if (!is(TokenKind::kName)) return fail_here("macro without a name");
    out.text = tokens_[at_++].text;
    want(TokenKind::kSign, "(", "(");
    while (!failed() && !take_sign(")")) {
      if (!is(TokenKind::kName)) return fail_here("a parameter is missing");
      out.targets.push_back(make(NodeKind::kName, tokens_[at_].text));
      ++at_;
      if (take_sign("=")) value(out, expression());
      if (!is_sign(")")) want(TokenKind::kSign, ",", ",");
    }
    blocks_.emplace_back("macro");
  }

  // a, b, c without brackets
  NodePtr list() {
    NodePtr first = expression();
    if (!is_sign(",")) return first;
    NodePtr out = make(NodeKind::kList);
    adopt(*out, std::move(first));
    while (!failed() && take_sign(",")) {
      if (is(TokenKind::kTagEnd) || is(TokenKind::kOutputEnd)) break;
      adopt(*out, expression());
    }
    return out;
  }

  NodePtr expression() {
    if (++depth_ > max_depth_) {
      fail_here("an expression nested too deep");
      --depth_;
      return nullptr;
    }
    NodePtr out = disjunction();
    while (!failed() && is_word("if")) {
      NodePtr choice = make(NodeKind::kChoice);
      ++at_;
      adopt(*choice, std::move(out));
      adopt(*choice, disjunction());
      if (take_word("else")) adopt(*choice, expression());
      out = std::move(choice);
    }
    --depth_;
    return out;
  }

  NodePtr binary(NodePtr left, std::string sign, NodePtr right) {
    NodePtr out = make(NodeKind::kBinary, std::move(sign));
    if (left) {
      out->line = left->line;
      out->column = left->column;
    }
    adopt(*out, std::move(left));
    adopt(*out, std::move(right));
    return out;
  }

  NodePtr disjunction() {
    NodePtr out = conjunction();
    while (!failed() && take_word("or")) out = binary(std::move(out), "or", conjunction());
    return out;
  }
  NodePtr conjunction() {
    NodePtr out = negation();
    while (!failed() && take_word("and")) out = binary(std::move(out), "and", negation());
    return out;
  }
  NodePtr negation() {
    if (!is_word("not")) return comparison();
    return unary("not", [this] { return negation(); });
  }
  template <typename F>
  NodePtr unary(std::string sign, F operand) {
    if (++depth_ > max_depth_) {
      fail_here("an expression nested too deep");
      --depth_;
      return nullptr;
    }
    NodePtr out = make(NodeKind::kUnary, std::move(sign));
    ++at_;
    adopt(*out, operand());
    --depth_;
    return out;
  }

  NodePtr comparison() {
    NodePtr out = sum();
    while (!failed()) {
      static constexpr std::array<std::string_view, 6> kSigns = {"==", "!=", "<", ">", "<=", ">="};
      const auto sign = std::ranges::find_if(kSigns, [this](auto s) { return is_sign(s); });
      if (sign != kSigns.end()) {
        ++at_;
        out = binary(std::move(out), std::string(*sign), sum());
      } else if (take_word("in")) {
        out = binary(std::move(out), "in", sum());
      } else if (is_word("not") && at_ + 1 < tokens_.size() && tokens_[at_ + 1].text == "in" &&
                 tokens_[at_ + 1].kind == TokenKind::kName) {
        at_ += 2;
        out = binary(std::move(out), "not in", sum());
      } else {
        return out;
      }
    }
    return out;
  }

  NodePtr sum() {
    NodePtr out = product();
    while (!failed() && (is_sign("+") || is_sign("-") || is_sign("~"))) {
      std::string sign = tokens_[at_++].text;
      out = binary(std::move(out), std::move(sign), product());
    }
    return out;
  }
  NodePtr product() {
    NodePtr out = power();
    while (!failed() && (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%"))) {
      std::string sign = tokens_[at_++].text;
      out = binary(std::move(out), std::move(sign), power());
    }
    return out;
  }
  NodePtr power() {
    NodePtr out = signed_value();
    while (!failed() && take_sign("**")) out = binary(std::move(out), "**", signed_value());
    return out;
  }
  NodePtr signed_value() {
    if (is_sign("-") || is_sign("+")) {
      return unary(tokens_[at_].text, [this] { return signed_value(); });
    }
    return postfix(primary());
  }

  NodePtr primary() {
    if (at_ >= tokens_.size()) {
      fail_here("an expression is missing");
      return nullptr;
    }
    const Token& token = tokens_[at_];
    if (token.kind == TokenKind::kString) {
      NodePtr out = make(NodeKind::kString);
      while (is(TokenKind::kString)) out->text += tokens_[at_++].text;  // neighbours are one text
      return out;
    }
    if (token.kind == TokenKind::kNumber) {
      NodePtr out = make(NodeKind::kNumber, token.text);
      ++at_;
      return out;
    }
    if (token.kind == TokenKind::kName) {
      static constexpr std::array<std::string_view, 6> kConstants = {"true",  "True", "false",
                                                                     "False", "none", "None"};
      const bool constant = std::ranges::find(kConstants, token.text) != kConstants.end();
      NodePtr out = make(constant ? NodeKind::kConstant : NodeKind::kName, token.text);
      ++at_;
      return out;
    }
    for (const auto& [open, close] : {std::pair{"(", ")"}, {"[", "]"}, {"{", "}"}}) {
      if (is_sign(open)) return bracket(close);
    }
    fail_here("an expression is missing");
    return nullptr;
  }

  NodePtr bracket(std::string_view close) {
    NodePtr out = make(NodeKind::kList);
    ++at_;
    bool comma = false;
    while (!failed() && !take_sign(close)) {
      adopt(*out, expression());
      if (close == "}" && take_sign(":")) adopt(*out, expression());
      if (is_sign(close)) continue;
      want(TokenKind::kSign, ",", ",");
      comma = true;
    }
    if (failed()) return nullptr;
    if (close == ")" && !comma && out->kids.size() == 1) return std::move(out->kids.front());
    return out;
  }

  NodePtr postfix(NodePtr out) {
    while (!failed() && out) {
      if (take_sign(".")) {
        if (!is(TokenKind::kName) && !is(TokenKind::kNumber)) {
          fail_here("a name is missing behind the dot");
          return nullptr;
        }
        NodePtr attribute = make(NodeKind::kAttribute, tokens_[at_].text);
        ++at_;
        adopt(*attribute, std::move(out));
        out = std::move(attribute);
      } else if (take_sign("[")) {
        out = index(std::move(out));
      } else if (take_sign("(")) {
        NodePtr call = make(NodeKind::kCall);
        call->line = out->line;
        call->column = out->column;
        adopt(*call, std::move(out));
        arguments(*call);
        out = std::move(call);
      } else if (take_sign("|")) {
        out = named(NodeKind::kFilter, std::move(out));
      } else if (take_word("is")) {
        const bool negated = take_word("not");
        out = named(NodeKind::kTest, std::move(out));
        if (negated && out) {
          NodePtr unary = make(NodeKind::kUnary, "not");
          adopt(*unary, std::move(out));
          out = std::move(unary);
        }
      } else {
        return out;
      }
    }
    return out;
  }

  NodePtr named(NodeKind kind, NodePtr of) {
    if (!is(TokenKind::kName)) {
      fail_here("a filter or test without a name");
      return nullptr;
    }
    NodePtr out = make(kind, tokens_[at_].text);
    ++at_;
    while (kind == NodeKind::kFilter && take_sign(".")) {
      if (is(TokenKind::kName)) out->text += "." + tokens_[at_++].text;
    }
    adopt(*out, std::move(of));
    if (take_sign("(")) {
      arguments(*out);
    } else if (kind == NodeKind::kTest && (is(TokenKind::kString) || is(TokenKind::kNumber) ||
                                           is_sign("[") || test_takes_name())) {
      adopt(*out, primary());  // "is equalto 'x'"
    }
    return out;
  }
  [[nodiscard]] bool test_takes_name() const {
    static constexpr std::array<std::string_view, 6> kWords = {"and", "or", "not",
                                                               "if",  "in", "else"};
    return is(TokenKind::kName) && tokens_[at_].text != "is" &&
           std::ranges::find(kWords, tokens_[at_].text) == kWords.end();
  }

  NodePtr index(NodePtr of) {
    NodePtr out = make(NodeKind::kIndex);
    adopt(*out, std::move(of));
    while (!failed() && !take_sign("]")) {
      if (take_sign(":") || take_sign(",")) {
        out->kind = NodeKind::kSlice;
      } else {
        adopt(*out, expression());
      }
    }
    if (!failed() && out->kind == NodeKind::kIndex && out->kids.size() != 2) {
      fail_here("an index is missing");
    }
    return out;
  }

  void arguments(Node& call) {
    while (!failed() && !take_sign(")")) {
      if (take_sign("*") || take_sign("**")) {
        adopt(call, expression());
      } else if (is(TokenKind::kName) && at_ + 1 < tokens_.size() &&
                 tokens_[at_ + 1].kind == TokenKind::kSign && tokens_[at_ + 1].text == "=") {
        NodePtr argument = make(NodeKind::kArgument, tokens_[at_].text);
        at_ += 2;
        adopt(*argument, expression());
        adopt(call, std::move(argument));
      } else {
        adopt(call, expression());
      }
      if (!is_sign(")")) want(TokenKind::kSign, ",", ",");
    }
  }

  const std::vector<Token>& tokens_;
  int max_depth_;
  int depth_ = 0;
  std::size_t at_ = 0;
  std::vector<std::string> blocks_;
  TemplateTree out_;
};

}  // namespace

TemplateTree parse_template(const std::vector<Token>& tokens, int max_depth) {
  return Parser(tokens, max_depth).run();
}

}  // namespace candor::model::gate
