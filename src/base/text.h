// Small text helpers that several modules need: strict integers, UTF-8, terminal safety, nearest
// name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace candor {

// ASCII decimal without sign, leading zero or white space, as checkpoints and decimal-string fields
// need; kInvalidArgument otherwise or above 2^64-1.
[[nodiscard]] Result<std::uint64_t> parse_decimal(std::string_view text);

// RFC 3629: no overlong forms, surrogates or values past U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
// Bytes (1 to 4) of the well-formed sequence that text begins with; 0 if it begins with none.
[[nodiscard]] std::size_t utf8_sequence(std::string_view text) noexcept;

// Appends the bytes of a code point of at most U+10FFFF.
void append_utf8(std::string& out, std::uint32_t point);

// Appends text as a JSON string with quotes, its bytes from 0x20 on as they are: for text that is
// UTF-8, or that must stay as broken as it is.
void append_quoted(std::string& out, std::string_view text);

// For terminals (S19): C0 (but newline and tab), C1, DEL, ESC, bidirectional controls and invalid
// UTF-8 are shown as U+FFFD.
[[nodiscard]] std::string strip_controls(std::string_view text);

// The candidate with the smallest edit distance if it is near enough to be a typing error, else "".
[[nodiscard]] std::string_view nearest_name(std::string_view typed,
                                            std::span<const std::string_view> candidates);

}  // namespace candor
