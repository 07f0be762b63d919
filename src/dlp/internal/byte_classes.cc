#include "dlp/internal/byte_classes.h"

#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace candor::dlp {
namespace {

struct Masks {  // bit i: byte i of 64
  std::uint64_t small = 0, capital = 0, digit = 0;
  std::uint64_t small_af = 0, capital_af = 0;
  std::uint64_t others_of_base64 = 0, joints = 0;  // +-/_; colon and white space
};

#if defined(__SSE2__)
Masks masks_of(const char* block) {
  Masks masks;
  // Bytes from 0x80 on are negative, hence below every first.
  const auto within = [](__m128i bytes, char first, char last) {
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(first - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(last + 1))));
  };
  const auto is = [](__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
  for (int part = 0; part < 4; ++part) {
    __m128i bytes;
    std::memcpy(&bytes, block + part * 16, 16);
    const int shift = part * 16;
    const auto put = [shift](std::uint64_t& mask, __m128i lanes) {
      mask |= static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(lanes))) << shift;
    };
    put(masks.small, within(bytes, 'a', 'z'));
    put(masks.capital, within(bytes, 'A', 'Z'));
    put(masks.digit, within(bytes, '0', '9'));
    put(masks.small_af, within(bytes, 'a', 'f'));
    put(masks.capital_af, within(bytes, 'A', 'F'));
    put(masks.others_of_base64, _mm_or_si128(_mm_or_si128(is(bytes, '+'), is(bytes, '-')),
                                             _mm_or_si128(is(bytes, '/'), is(bytes, '_'))));
    put(masks.joints, _mm_or_si128(_mm_or_si128(_mm_or_si128(is(bytes, ' '), is(bytes, '\n')),
                                                _mm_or_si128(is(bytes, '\r'), is(bytes, '\t'))),
                                   is(bytes, ':')));
  }
  return masks;
}
#else
Masks masks_of(const char* block) {
  Masks masks;
  for (int i = 0; i < 64; ++i) {
    const std::uint64_t bit = 1ULL << i;
    const char c = block[i];
    if (c >= 'a' && c <= 'z') masks.small |= bit;
    if (c >= 'A' && c <= 'Z') masks.capital |= bit;
    if (c >= '0' && c <= '9') masks.digit |= bit;
    if (c >= 'a' && c <= 'f') masks.small_af |= bit;
    if (c >= 'A' && c <= 'F') masks.capital_af |= bit;
    if (c == '+' || c == '-' || c == '/' || c == '_') masks.others_of_base64 |= bit;
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':') masks.joints |= bit;
  }
  return masks;
}
#endif

}  // namespace

std::size_t BitText::find_twenty(std::size_t at) const {
  const auto both = [](std::uint64_t low, std::uint64_t high, unsigned by) {
    return low >> by | high << (64 - by);
  };
  for (std::size_t index = at / 64; index + 1 < words_.size(); ++index) {
    // The bits of this word and of the first 19 behind it.
    std::uint64_t low = words_[index];
    std::uint64_t high = words_[index + 1];
    if (index == at / 64) low &= ~0ULL << (at % 64);
    if (low == 0) continue;
    low &= both(low, high, 1);
    high &= high >> 1U;
    low &= both(low, high, 2);
    high &= high >> 2U;
    const std::uint64_t four = low;
    const std::uint64_t four_behind = high;
    low &= both(low, high, 4);
    high &= high >> 4U;
    low &= both(low, high, 8) & both(four, four_behind, 16);
    if (low != 0) return index * 64 + static_cast<std::size_t>(std::countr_zero(low));
  }
  return words_.size() * 64;
}

void classify(std::string_view text, ByteClasses& out, std::size_t from) {
  for (BitText* bits : {&out.base64, &out.hex, &out.hex_or_joint, &out.turns}) {
    bits->assign(text.size());
  }
  std::uint64_t small_before = 0;  // of the byte before the block, in the lowest bit
  std::uint64_t digit_before = 0;
  char rest[64];
  for (std::size_t at = from / 64 * 64; at < text.size(); at += 64) {
    const char* block = text.data() + at;
    if (text.size() - at < 64) {
      std::memset(rest, 0, sizeof rest);
      std::memcpy(rest, block, text.size() - at);
      block = rest;
    }
    const Masks masks = masks_of(block);
    const std::size_t index = at / 64;
    out.turns.word(index) = ((masks.small << 1U | small_before) & masks.capital) |
                            ((masks.digit << 1U | digit_before) ^ masks.digit);
    small_before = masks.small >> 63U;
    digit_before = masks.digit >> 63U;
    out.base64.word(index) = masks.small | masks.capital | masks.digit | masks.others_of_base64;
    const std::uint64_t hex = masks.digit | masks.small_af | masks.capital_af;
    out.hex.word(index) = hex;
    out.hex_or_joint.word(index) = hex | masks.joints;
  }
}

}  // namespace candor::dlp
