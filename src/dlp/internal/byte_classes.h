// Which bytes of a text are of which class, a bit each, sixteen bytes at a time: so that groups of
// an encoding's alphabet are found and judged by words of 64 bits.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

namespace candor::dlp {

class BitText {
 public:
  void assign(std::size_t size) { words_.assign(size / 64 + 2, 0); }
  [[nodiscard]] std::uint64_t& word(std::size_t index) { return words_[index]; }
  // 64 bits from `at` on.
  [[nodiscard]] std::uint64_t from(std::size_t at) const {
    const std::size_t index = at / 64;
    const std::size_t shift = at % 64;
    if (shift == 0) return words_[index];
    return words_[index] >> shift | words_[index + 1] << (64 - shift);
  }
  // The first place from `at` on whose bit is `set`; may lie behind the text, by less than 128.
  [[nodiscard]] std::size_t find(std::size_t at, bool set) const {
    std::size_t index = at / 64;
    if (index >= words_.size()) return words_.size() * 64;
    std::uint64_t word = (set ? words_[index] : ~words_[index]) & (~0ULL << (at % 64));
    while (word == 0) {
      if (++index == words_.size()) return words_.size() * 64;
      word = set ? words_[index] : ~words_[index];
    }
    return index * 64 + static_cast<std::size_t>(std::countr_zero(word));
  }
  // The first place from `at` on where twenty set bits begin; like find().
  [[nodiscard]] std::size_t find_twenty(std::size_t at) const;

  // visit(begin, end) for each run of set bits in [from, until), whose ends are no run's middle.
  template <typename Visit>
  void each_run(std::size_t from, std::size_t until, const Visit& visit) const {
    std::size_t begin = 0;
    std::uint64_t before = 0;  // 1: a run reaches to this word's border
    for (std::size_t index = from / 64; index * 64 < until; ++index) {
      std::uint64_t word = words_[index];
      if (index == from / 64) word &= ~0ULL << (from % 64);
      if (until - index * 64 < 64) word &= (1ULL << (until % 64)) - 1;
      // Where runs begin and where they have ended, in turn.
      for (std::uint64_t turns = word ^ (word << 1U | before); turns != 0; turns &= turns - 1) {
        const std::size_t at = index * 64 + static_cast<std::size_t>(std::countr_zero(turns));
        if ((word >> (at % 64) & 1U) != 0) {
          begin = at;
        } else {
          visit(begin, at);
        }
      }
      before = word >> 63U;
    }
    if (before != 0) visit(begin, until);
  }

 private:
  std::vector<std::uint64_t> words_;
};

struct ByteClasses {
  BitText base64;        // of both alphabets
  BitText hex;           // digits of either case
  BitText hex_or_joint;  // those, and what may stand between groups of them
  // A capital behind a small letter, a digit behind something else or something else behind it.
  BitText turns;
};

// No byte before `from` need be classified.
void classify(std::string_view text, ByteClasses& out, std::size_t from = 0);

}  // namespace candor::dlp
