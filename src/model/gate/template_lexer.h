// Tokens of a chat template (Jinja 2.11 and later, as Hugging Face and llama.cpp's minja read it):
// text outside the delimiters, and the names, texts, numbers and signs within. Hostile input: each
// token costs at most its own bytes, and their number is bounded. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace candor::model::gate {

enum class TokenKind : std::uint8_t {
  kText,         // outside the delimiters, white space cut where the delimiters say so
  kOutputBegin,  // {{
  kOutputEnd,    // }}
  kTagBegin,     // {%
  kTagEnd,       // %}
  kName,
  kString,  // decoded
  kNumber,
  kSign,
};

struct Token {
  TokenKind kind = TokenKind::kText;
  std::string text;
  std::uint32_t line = 1, column = 1;  // from 1; columns count bytes
};

struct TemplateTokens {
  std::vector<Token> tokens;
  std::string error;  // empty: all of it was read
  std::uint32_t error_line = 0, error_column = 0;
  bool unicode_name = false;  // a name in code holds something other than ASCII
  std::uint32_t unicode_line = 0, unicode_column = 0;
};

[[nodiscard]] TemplateTokens lex_template(std::string_view text, std::size_t max_tokens);

// The tokens without comments, spacing and style of quotes, as one text: two templates of the same
// normal form do the same.
[[nodiscard]] std::string normal_form(const std::vector<Token>& tokens);

}  // namespace candor::model::gate
