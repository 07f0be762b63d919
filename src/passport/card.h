// A passport as a page that people read: Markdown and HTML with the same content. Every text of the
// passport is foreign and escaped: none of it can be markup, a link, or a table's cell of its own.
// Pure.
#pragma once

#include <string>
#include <string_view>

#include "passport/passport.h"

namespace candor::passport {

struct CardFacts {
  std::string digest;     // the document's SHA-256, hex
  std::string signature;  // one sentence: by whom, or that nobody signed
};

[[nodiscard]] std::string card_markdown(const Passport& passport, const CardFacts& facts);
[[nodiscard]] std::string card_html(const Passport& passport, const CardFacts& facts);

// For text inside a line: lines never begin with it.
[[nodiscard]] std::string escape_markdown(std::string_view text);
[[nodiscard]] std::string escape_html(std::string_view text);

}  // namespace candor::passport
