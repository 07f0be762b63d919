// The decoders behind encoding.h: as much as can be decoded, with the way back to the text.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dlp/encoding.h"

namespace candor::dlp {

[[nodiscard]] int base64_value(char c);  // of both alphabets; -1 for others
[[nodiscard]] int hex_value(char c);
[[nodiscard]] inline bool is_encoding_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
[[nodiscard]] inline bool is_printable(char c) {
  return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t' || c == '\r';
}
inline constexpr std::size_t kMaxGap = 16;     // bytes of white space between groups
inline constexpr std::size_t kJudged = 65536;  // characters that tell whether a chain is text
// Whether a group of either alphabet belongs to a chain.
[[nodiscard]] bool looks_encoded(std::string_view group);
[[nodiscard]] bool looks_hex(std::string_view group);
[[nodiscard]] bool utf8_like(std::string_view bytes);  // but for its two ends, which may be cut

// places: where the characters of the encoding stand in text.
[[nodiscard]] Region decode_base64(std::string_view text, std::span<const std::uint32_t> places);
[[nodiscard]] Region decode_hex(std::string_view text, std::span<const std::uint32_t> places);
[[nodiscard]] char escape_mark(Layer layer);

// Whether an escape that begins here could hide what a detector looks for. A line feed written \n
// hides nothing (the boundaries of patterns know it), so it alone makes no region.
[[nodiscard]] bool hides_a_byte(Layer layer, std::string_view rest);
// With kMayGoOn it ends before an escape that may be incomplete.
[[nodiscard]] Region decode_escapes(std::string_view text, Layer layer, std::size_t begin,
                                    std::size_t end, Ending ending = Ending::kEnds);

}  // namespace candor::dlp
