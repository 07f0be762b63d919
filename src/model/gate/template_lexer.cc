#include "model/gate/template_lexer.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace candor::model::gate {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  Lexer(std::string_view text, std::size_t max_tokens) : text_(text), max_tokens_(max_tokens) {}

  TemplateTokens run() {
    bool cut = false;  // the delimiter before said: no white space behind me
    while (!failed() && at_ < text_.size()) cut = read_text(cut);
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool failed() const { return !out_.error.empty(); }
  void fail_here(std::string_view why) {
    if (failed()) return;
    out_.error = why;
    out_.error_line = line_;
    out_.error_column = column_;
  }
  [[nodiscard]] bool starts(std::string_view what) const {
    return text_.substr(at_).starts_with(what);
  }
  void advance(std::size_t count) {
    for (std::size_t i = 0; i < count && at_ < text_.size(); ++i, ++at_) {
      if (text_[at_] == '\n') {
        ++line_;
        column_ = 1;
      } else {
        ++column_;
      }
    }
  }
  void add(TokenKind kind, std::string text, std::uint32_t line, std::uint32_t column) {
    if (out_.tokens.size() >= max_tokens_) return fail_here("more tokens than the gate reads");
    out_.tokens.push_back({kind, std::move(text), line, column});
  }

  // Text up to the next delimiter, and what stands within that. True: cut white space behind it.
  bool read_text(bool cut) {
    std::size_t next = at_;
    while (true) {
      next = text_.find('{', next);
      if (next == std::string_view::npos || next + 1 >= text_.size()) next = text_.size();
      if (next >= text_.size()) break;
      const char second = text_[next + 1];
      if (second == '{' || second == '%' || second == '#') break;
      ++next;
    }
    std::string_view piece = text_.substr(at_, next - at_);
    const bool cut_before = next + 2 < text_.size() && text_[next + 2] == '-';
    const std::uint32_t line = line_;
    const std::uint32_t column = column_;
    if (cut) {
      while (!piece.empty() && is_space(piece.front())) piece.remove_prefix(1);
    }
    if (cut_before) {
      while (!piece.empty() && is_space(piece.back())) piece.remove_suffix(1);
    }
    if (!piece.empty()) add(TokenKind::kText, std::string(piece), line, column);
    advance(next - at_);
    if (at_ >= text_.size() || failed()) return false;
    if (starts("{#")) return skip_comment();
    const bool tag = starts("{%");
    add(tag ? TokenKind::kTagBegin : TokenKind::kOutputBegin, "", line_, column_);
    advance(2);
    if (starts("-") || (tag && starts("+"))) advance(1);
    const std::size_t first = out_.tokens.size();
    const bool cut_after = read_code(tag ? "%}" : "}}", tag);
    const bool raw = tag && out_.tokens.size() == first + 2 && out_.tokens[first].text == "raw" &&
                     out_.tokens[first].kind == TokenKind::kName;
    if (raw) return read_raw();
    return cut_after;
  }

  bool skip_comment() {
    const std::size_t end = text_.find("#}", at_ + 2);
    if (end == std::string_view::npos) {
      fail_here("a comment without an end");
      return false;
    }
    const bool cut = text_[end - 1] == '-' && end > at_ + 2;
    advance(end + 2 - at_);
    return cut;
  }

  bool read_raw() {
    std::size_t end = at_;
    while (true) {
      end = text_.find("{%", end);
      if (end == std::string_view::npos) {
        fail_here("raw without an end");
        return false;
      }
      std::string_view rest = text_.substr(end + 2);
      if (rest.starts_with('-')) rest.remove_prefix(1);
      while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
      if (rest.starts_with("endraw")) break;
      end += 2;
    }
    if (end > at_) add(TokenKind::kText, std::string(text_.substr(at_, end - at_)), line_, column_);
    advance(end - at_);
    return false;
  }

  bool read_code(std::string_view close, bool tag) {
    int open = 0;  // {} within an output: }} may be two of them
    while (!failed()) {
      while (at_ < text_.size() && is_space(text_[at_])) advance(1);
      if (at_ >= text_.size()) {
        fail_here("code without an end");
        return false;
      }
      const bool cut = text_[at_] == '-' && text_.substr(at_ + 1).starts_with(close);
      if ((open == 0 || tag) && (cut || starts(close))) {
        add(tag ? TokenKind::kTagEnd : TokenKind::kOutputEnd, "", line_, column_);
        advance(close.size() + (cut ? 1 : 0));
        return cut;
      }
      if (text_[at_] == '{') ++open;
      if (text_[at_] == '}') --open;
      read_token();
    }
    return false;
  }

  void read_token() {
    const std::uint32_t line = line_;
    const std::uint32_t column = column_;
    const char c = text_[at_];
    if (c == '"' || c == '\'') return read_string(c);
    std::size_t end = at_;
    if (is_digit(c)) {
      while (end < text_.size() &&
             (is_digit(text_[end]) || text_[end] == '_' ||
              (text_[end] == '.' && end + 1 < text_.size() && is_digit(text_[end + 1])))) {
        ++end;
      }
      add(TokenKind::kNumber, std::string(text_.substr(at_, end - at_)), line, column);
      return advance(end - at_);
    }
    if (is_name_byte(c)) {
      while (end < text_.size() && is_name_byte(text_[end])) {
        if (static_cast<unsigned char>(text_[end]) >= 0x80 && !out_.unicode_name) {
          out_.unicode_name = true;
          out_.unicode_line = line;
          out_.unicode_column = column;
        }
        ++end;
      }
      add(TokenKind::kName, std::string(text_.substr(at_, end - at_)), line, column);
      return advance(end - at_);
    }
    static constexpr std::array<std::string_view, 6> kPairs = {"==", "!=", "<=", ">=", "//", "**"};
    for (const std::string_view sign : kPairs) {
      if (!starts(sign)) continue;
      add(TokenKind::kSign, std::string(sign), line, column);
      return advance(2);
    }
    static constexpr std::string_view kSigns = "+-*/%~<>=()[]{},.:|";
    if (kSigns.find(c) == std::string_view::npos) return fail_here("a sign that Jinja lacks");
    add(TokenKind::kSign, std::string(1, c), line, column);
    advance(1);
  }

  void read_string(char quote) {
    const std::uint32_t line = line_;
    const std::uint32_t column = column_;
    std::string value;
    std::size_t at = at_ + 1;
    while (at < text_.size() && text_[at] != quote) {
      if (text_[at] != '\\' || at + 1 >= text_.size()) {
        value.push_back(text_[at++]);
        continue;
      }
      at = read_escape(at + 1, value);
    }
    if (at >= text_.size()) return fail_here("a text without an end");
    add(TokenKind::kString, std::move(value), line, column);
    advance(at + 1 - at_);
  }

  std::size_t read_escape(std::size_t at, std::string& value) {
    const char c = text_[at];
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits != 0) {
      std::uint32_t code = 0;
      std::size_t seen = 0;
      while (seen < digits && at + 1 + seen < text_.size()) {
        const char d = text_[at + 1 + seen];
        const int digit = is_digit(d)              ? d - '0'
                          : (d >= 'a' && d <= 'f') ? d - 'a' + 10
                          : (d >= 'A' && d <= 'F') ? d - 'A' + 10
                                                   : -1;
        if (digit < 0) break;
        code = code * 16 + static_cast<std::uint32_t>(digit);
        ++seen;
      }
      append_utf8(value, code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0xFFFD : code);
      return at + 1 + seen;
    }
    static constexpr std::string_view kFrom = "ntrabfv0";
    static constexpr std::string_view kTo{"\n\t\r\a\b\f\v\0", 8};
    const std::size_t found = kFrom.find(c);
    if (found != std::string_view::npos) {
      value.push_back(kTo[found]);
    } else {
      if (c != '\'' && c != '"' && c != '\\' && c != '\n') value.push_back('\\');
      if (c != '\n') value.push_back(c);
    }
    return at + 1;
  }

  std::string_view text_;
  std::size_t max_tokens_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1, column_ = 1;
  TemplateTokens out_;
};

}  // namespace

TemplateTokens lex_template(std::string_view text, std::size_t max_tokens) {
  return Lexer(text, max_tokens).run();
}

std::string normal_form(const std::vector<Token>& tokens) {
  std::string out;
  for (const Token& token : tokens) {
    out.push_back(static_cast<char>('a' + static_cast<int>(token.kind)));
    out += std::to_string(token.text.size());
    out.push_back(':');
    out += token.text;
  }
  return out;
}

}  // namespace candor::model::gate
