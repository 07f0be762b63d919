// Code points that an engine cut between two pieces of one text. Internal to EngineReader.
//
// A piece may end in the first bytes of a UTF-8 sequence, or in the first half of a surrogate pair
// that was escaped (\ud83d), and the next piece begin with the rest. Strict JSON refuses both, so
// such a payload is read in a second, slower way: parse_pieces() takes the loose bytes off the ends
// of its strings, parses the rest, and puts them back. A loose surrogate is kept as the three bytes
// that UTF-8 would have if it allowed surrogates (ED A0..BF xx).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json.h"

namespace candor::dialect {

// json::parse for payloads without loose ends; otherwise strings of the value may begin or end with
// loose bytes, and bytes loose within a string are U+FFFD. Keys never hold loose bytes.
[[nodiscard]] Result<json::Value> parse_pieces(std::string_view payload,
                                               const json::Limits& limits);

// Joins the pieces of one text.
class TextAssembler {
 public:
  // The whole code points that piece completes; an incomplete end is held (at most 5 bytes).
  [[nodiscard]] std::string feed(std::string_view piece);
  // What is still held, as U+FFFD; empty if nothing is.
  [[nodiscard]] std::string flush();

 private:
  std::string held_;
};

}  // namespace candor::dialect
