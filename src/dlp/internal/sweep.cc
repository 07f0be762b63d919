#include "dlp/internal/sweep.h"

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace candor::dlp {
namespace {

struct Masks {  // bit i: byte i of 64
  std::uint64_t digits = 0, ats = 0, percents = 0, ampersands = 0, backslashes = 0;
};

#if defined(__SSE2__)
Masks masks_of(const char* block) {
  Masks masks;
  const __m128i below_zero = _mm_set1_epi8('0' - 1);
  const __m128i above_nine = _mm_set1_epi8('9' + 1);
  const auto bits = [](__m128i lanes) {
    return static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(lanes)));
  };
  for (int part = 0; part < 4; ++part) {
    __m128i bytes;
    std::memcpy(&bytes, block + part * 16, 16);
    const int shift = part * 16;
    // Bytes from 0x80 on are negative, hence below '0'.
    masks.digits |=
        bits(_mm_and_si128(_mm_cmpgt_epi8(bytes, below_zero), _mm_cmplt_epi8(bytes, above_nine)))
        << shift;
    masks.ats |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('@'))) << shift;
    masks.percents |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('%'))) << shift;
    masks.ampersands |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('&'))) << shift;
    masks.backslashes |= bits(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))) << shift;
  }
  return masks;
}
#else
Masks masks_of(const char* block) {
  Masks masks;
  for (int i = 0; i < 64; ++i) {
    const std::uint64_t bit = 1ULL << i;
    const char c = block[i];
    if (c >= '0' && c <= '9') masks.digits |= bit;
    if (c == '@') masks.ats |= bit;
    if (c == '%') masks.percents |= bit;
    if (c == '&') masks.ampersands |= bit;
    if (c == '\\') masks.backslashes |= bit;
  }
  return masks;
}
#endif

}  // namespace

void sweep(std::string_view text, Swept& out, std::size_t floor) {
  out.digits.clear();
  out.ats.clear();
  while (floor > 0 && text[floor - 1] >= '0' && text[floor - 1] <= '9') --floor;
  const std::string_view before = text.substr(0, floor);
  std::uint64_t percents = before.contains('%') ? 1 : 0;
  std::uint64_t ampersands = before.contains('&') ? 1 : 0;
  std::uint64_t backslashes = before.contains('\\') ? 1 : 0;
  bool open = false;  // the last run of digits reaches to the block's border
  char rest[64];
  for (std::size_t at = floor; at < text.size(); at += 64) {
    const char* block = text.data() + at;
    if (text.size() - at < 64) {
      std::memset(rest, 0, sizeof rest);
      std::memcpy(rest, block, text.size() - at);
      block = rest;
    }
    const Masks masks = masks_of(block);
    percents |= masks.percents;
    ampersands |= masks.ampersands;
    backslashes |= masks.backslashes;
    for (std::uint64_t ats = masks.ats; ats != 0; ats &= ats - 1) {
      out.ats.push_back(static_cast<std::uint32_t>(at) +
                        static_cast<std::uint32_t>(std::countr_zero(ats)));
    }
    std::uint64_t digits = masks.digits;
    if (open && (digits & 1U) == 0) open = false;
    while (digits != 0) {
      const int from = std::countr_zero(digits);
      const int length = std::countr_one(digits >> from);
      if (open && from == 0) {
        out.digits.back().length += static_cast<std::uint32_t>(length);
      } else {
        out.digits.push_back({static_cast<std::uint32_t>(at) + static_cast<std::uint32_t>(from),
                              static_cast<std::uint32_t>(length)});
      }
      open = from + length == 64;
      if (open) break;
      digits &= ~0ULL << (from + length);
    }
  }
  out.hints = {
      .percent = percents != 0, .ampersand = ampersands != 0, .backslash = backslashes != 0};
}

}  // namespace candor::dlp
