// CEL's lexis. One token of look-ahead is all that the parser needs.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "cel/problem.h"

namespace candor::cel {

enum class Token : std::uint8_t {
  kEnd,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kName,
  kQuotedName,
  kTrue,
  kFalse,
  kNull,
  kIn,
  kAnd,
  kOr,
  kQuestion,
  kColon,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
  kNot,
  kDot,
  kComma,
  kOpenRound,
  kCloseRound,
  kOpenSquare,
  kCloseSquare,
  kOpenCurly,
  kCloseCurly,
};

struct Lexeme {
  Token token = Token::kEnd;
  std::uint32_t place = 0;
  std::uint32_t length = 0;
  // A name, a number's digits (without u), or the decoded text of a string.
  std::string text;
};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}
  [[nodiscard]] std::expected<Lexeme, Problem> next();

 private:
  void skip_blank();
  [[nodiscard]] std::expected<Lexeme, Problem> number();
  // prefix: characters before the quote (r, b, rb ...).
  [[nodiscard]] std::expected<Lexeme, Problem> quoted(bool raw, bool bytes, std::size_t begin);
  [[nodiscard]] std::expected<void, Problem> escape(bool bytes, std::string& out);
  [[nodiscard]] Problem wrong(std::size_t place, std::size_t length, std::string message) const;
  [[nodiscard]] char at(std::size_t i) const { return i < source_.size() ? source_[i] : '\0'; }

  std::string_view source_;
  std::size_t at_ = 0;
};

[[nodiscard]] bool is_reserved(std::string_view name);  // if, for, package ... but not true, in

}  // namespace candor::cel
