// The decoders behind encoding.h: as much as can be decoded, with the way back to the text.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dlp/encoding.h"

namespace candor::dlp {

inline constexpr auto kBase64Values = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  signed char next = 0;
  for (char c = 'A'; c <= 'Z'; ++c) values[static_cast<unsigned char>(c)] = next++;
  for (char c = 'a'; c <= 'z'; ++c) values[static_cast<unsigned char>(c)] = next++;
  for (char c = '0'; c <= '9'; ++c) values[static_cast<unsigned char>(c)] = next++;
  values['+'] = values['-'] = 62;
  values['/'] = values['_'] = 63;
  return values;
}();
// Of both alphabets; -1 for others.
[[nodiscard]] inline int base64_value(char c) {
  return kBase64Values[static_cast<unsigned char>(c)];
}
[[nodiscard]] inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
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

// No chain of base64 or hex goes over it.
[[nodiscard]] inline bool ends_chains(char c) {
  return base64_value(c) < 0 && !is_encoding_space(c) && c != ':';
}

// What base64 or hex decodes to. places: where its characters stand in text.
[[nodiscard]] std::string decode_digits(std::string_view text, Layer layer,
                                        std::span<const std::uint32_t> places);
// The first of the two characters that hold byte `index` of that.
[[nodiscard]] inline std::size_t digit_of_byte(Layer layer, std::size_t index) {
  return layer == Layer::kHex ? 2 * index : index / 3 * 4 + index % 3;
}
[[nodiscard]] Region region_of(Layer layer, std::span<const std::uint32_t> places,
                               std::string decoded);
[[nodiscard]] char escape_mark(Layer layer);

// Whether an escape that begins here could hide what a detector looks for. A line feed written \n
// hides nothing (the boundaries of patterns know it), so it alone makes no region.
[[nodiscard]] bool hides_a_byte(Layer layer, std::string_view rest);
// With kMayGoOn it ends before an escape that may be incomplete.
[[nodiscard]] Region decode_escapes(std::string_view text, Layer layer, std::size_t begin,
                                    std::size_t end, Ending ending = Ending::kEnds);

}  // namespace candor::dlp
