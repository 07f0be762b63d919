#include "cel/internal/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace candor::cel {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return begins_name(c) || is_digit(c); }

struct Sign {
  std::string_view text;
  Token token;
};
constexpr std::array kSigns{
    Sign{"&&", Token::kAnd},        Sign{"||", Token::kOr},        Sign{"==", Token::kEqual},
    Sign{"!=", Token::kNotEqual},   Sign{"<=", Token::kLessEqual}, Sign{">=", Token::kGreaterEqual},
    Sign{"<", Token::kLess},        Sign{">", Token::kGreater},    Sign{"?", Token::kQuestion},
    Sign{":", Token::kColon},       Sign{"+", Token::kPlus},       Sign{"-", Token::kMinus},
    Sign{"*", Token::kStar},        Sign{"/", Token::kSlash},      Sign{"%", Token::kPercent},
    Sign{"!", Token::kNot},         Sign{".", Token::kDot},        Sign{",", Token::kComma},
    Sign{"(", Token::kOpenRound},   Sign{")", Token::kCloseRound}, Sign{"[", Token::kOpenSquare},
    Sign{"]", Token::kCloseSquare}, Sign{"{", Token::kOpenCurly},  Sign{"}", Token::kCloseCurly}};

}  // namespace

bool is_reserved(std::string_view name) {
  static constexpr std::array<std::string_view, 17> kReserved{
      "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
      "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};
  return std::ranges::find(kReserved, name) != kReserved.end();
}

Problem Lexer::wrong(std::size_t place, std::size_t length, std::string message) const {
  return {Problem::What::kSyntax,
          static_cast<std::uint32_t>(place),
          static_cast<std::uint32_t>(std::max<std::size_t>(length, 1)),
          std::move(message),
          {}};
}

void Lexer::skip_blank() {
  while (at_ < source_.size()) {
    const char c = source_[at_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
      ++at_;
    } else if (source_.substr(at_, 2) == "//") {
      at_ = std::min(source_.find('\n', at_), source_.size());
    } else {
      return;
    }
  }
}

std::expected<Lexeme, Problem> Lexer::next() {
  skip_blank();
  const std::size_t begin = at_;
  if (begin == source_.size()) {
    return Lexeme{Token::kEnd, static_cast<std::uint32_t>(begin), 0, {}};
  }
  const char c = source_[begin];
  if (is_digit(c) || (c == '.' && is_digit(at(begin + 1)))) return number();
  if (c == '"' || c == '\'') return quoted(false, false, begin);
  if (c == '`') {
    const std::size_t end = source_.find('`', begin + 1);
    const std::string_view name = source_.substr(begin + 1, end - begin - 1);
    const bool good =
        end != std::string_view::npos && !name.empty() && std::ranges::all_of(name, [](char x) {
          return in_name(x) || x == '.' || x == '-' || x == '/' || x == ' ';
        });
    if (!good) {
      return std::unexpected(
          wrong(begin, 1, "a quoted field holds letters, digits, and _ . - / only"));
    }
    at_ = end + 1;
    return Lexeme{Token::kQuotedName, static_cast<std::uint32_t>(begin),
                  static_cast<std::uint32_t>(at_ - begin), std::string(name)};
  }
  if (begins_name(c)) {
    std::size_t end = begin;
    while (in_name(at(end))) ++end;
    const std::string_view name = source_.substr(begin, end - begin);
    if ((at(end) == '"' || at(end) == '\'') && name.size() <= 2) {
      const bool raw = name.find_first_of("rR") != std::string_view::npos;
      const bool bytes = name.find_first_of("bB") != std::string_view::npos;
      if ((raw ? 1U : 0U) + (bytes ? 1U : 0U) == name.size()) {
        at_ = end;
        return quoted(raw, bytes, begin);
      }
    }
    at_ = end;
    const Token token = name == "true"    ? Token::kTrue
                        : name == "false" ? Token::kFalse
                        : name == "null"  ? Token::kNull
                        : name == "in"    ? Token::kIn
                                          : Token::kName;
    return Lexeme{token, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(name.size()),
                  std::string(name)};
  }
  for (const Sign& sign : kSigns) {
    if (source_.substr(begin).starts_with(sign.text)) {
      at_ += sign.text.size();
      return Lexeme{sign.token,
                    static_cast<std::uint32_t>(begin),
                    static_cast<std::uint32_t>(sign.text.size()),
                    {}};
    }
  }
  return std::unexpected(
      wrong(begin, utf8_sequence(source_.substr(begin)), "this character has no meaning here"));
}

std::expected<Lexeme, Problem> Lexer::number() {
  const std::size_t begin = at_;
  Token token = Token::kInt;
  if (at(at_) == '0' && (at(at_ + 1) == 'x' || at(at_ + 1) == 'X') && is_hex(at(at_ + 2))) {
    at_ += 2;
    while (is_hex(at(at_))) ++at_;
  } else {
    while (is_digit(at(at_))) ++at_;
    if (at(at_) == '.' && is_digit(at(at_ + 1))) {
      token = Token::kDouble;
      ++at_;
      while (is_digit(at(at_))) ++at_;
    }
    const std::size_t sign = at(at_ + 1) == '+' || at(at_ + 1) == '-' ? 1 : 0;
    if ((at(at_) == 'e' || at(at_) == 'E') && is_digit(at(at_ + 1 + sign))) {
      token = Token::kDouble;
      at_ += 1 + sign;
      while (is_digit(at(at_))) ++at_;
    }
  }
  Lexeme out{token, static_cast<std::uint32_t>(begin), 0,
             std::string(source_.substr(begin, at_ - begin))};
  if (token == Token::kInt && (at(at_) == 'u' || at(at_) == 'U')) {
    out.token = Token::kUint;
    ++at_;
  }
  if (in_name(at(at_))) {
    return std::unexpected(wrong(begin, at_ + 1 - begin, "a number ends before a letter"));
  }
  out.length = static_cast<std::uint32_t>(at_ - begin);
  return out;
}

std::expected<void, Problem> Lexer::escape(bool bytes, std::string& out) {
  const std::size_t begin = at_;  // at the backslash
  const char c = at(at_ + 1);
  static constexpr std::string_view kLetters = "abfnrtv\\?\"'`";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\?\"'`";
  if (const std::size_t known = kLetters.find(c); c != '\0' && known != std::string_view::npos) {
    out += kMeanings[known];
    at_ += 2;
    return {};
  }
  std::size_t digits = 0;
  int base = 16;
  std::size_t skip = 2;
  if (c == 'x' || c == 'X') {
    digits = 2;
  } else if ((c == 'u' || c == 'U') && !bytes) {
    digits = c == 'u' ? 4 : 8;
  } else if (c >= '0' && c <= '3') {
    digits = 3;
    base = 8;
    skip = 1;
  } else {
    return std::unexpected(wrong(begin, 2, "no such escape in a text"));
  }
  const std::string_view number = source_.substr(std::min(begin + skip, source_.size()), digits);
  std::uint32_t point = 0;
  const auto [end, error] =
      std::from_chars(number.data(), number.data() + number.size(), point, base);
  if (error != std::errc{} || number.size() != digits || end != number.data() + digits) {
    return std::unexpected(wrong(begin, skip + digits, "the escape needs more digits"));
  }
  at_ += skip + digits;
  if (bytes) {
    out += static_cast<char>(point);
  } else if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
    return std::unexpected(wrong(begin, skip + digits, "no such character"));
  } else {
    append_utf8(out, point);
  }
  return {};
}

std::expected<Lexeme, Problem> Lexer::quoted(bool raw, bool bytes, std::size_t begin) {
  const char quote = at(at_);
  const std::string three(3, quote);
  const bool is_long = source_.substr(at_).starts_with(three);
  at_ += is_long ? 3 : 1;
  Lexeme out{bytes ? Token::kBytes : Token::kString, static_cast<std::uint32_t>(begin), 0, {}};
  for (;;) {
    if (at_ >= source_.size()) {
      return std::unexpected(wrong(begin, at_ - begin, "this text is not closed"));
    }
    const char c = source_[at_];
    if (is_long ? source_.substr(at_).starts_with(three) : c == quote) {
      at_ += is_long ? 3 : 1;
      break;
    }
    if (!is_long && (c == '\n' || c == '\r')) {
      return std::unexpected(wrong(begin, at_ - begin, "this text is not closed on its line"));
    }
    if (c == '\\' && !raw) {
      if (auto done = escape(bytes, out.text); !done) return std::unexpected(done.error());
      continue;
    }
    out.text += c;
    ++at_;
  }
  out.length = static_cast<std::uint32_t>(at_ - begin);
  return out;
}

}  // namespace candor::cel
