// Fingerprints of what an organisation registers (C3): values of table columns, and passages of
// documents. Fingerprints under a key of each set are kept, never what they were made from. Whoever
// holds a set can try guesses against it: a set of short numbers gives these away to patience, so a
// set is as confidential as the table.
//
// Normal form: folded text (fold.h), ASCII letters made small, only value bytes kept (ASCII letters
// and digits, and every byte outside ASCII). "DE89 3704-0044" and "de8937040044" are one value.
//
// Values: a value is a row of whole words (runs of value bytes), at most kMaxWordGap other bytes
// between two. Its fingerprint is SipHash-2-4 of its normal form.
// Passages: winnowing (Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document
// fingerprinting", SIGMOD 2003): hashes of all rows of `gram` value bytes, a polynomial modulo
// 2^61 - 1 in a base drawn from the key, of which the least of every kWinnow in a row is kept, the
// rightmost where two are equal. So a copied passage of gram + kWinnow - 1 value bytes is found.
//
// Pure; immutable once made, so any thread may read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/short_hash.h"

namespace candor::dlp {

inline constexpr std::size_t kMaxWordGap = 3;
inline constexpr std::size_t kMaxValueBytes = 63;  // of a normal form
inline constexpr std::size_t kMinValueBytes = 6;   // registered values; words may be shorter
inline constexpr std::uint32_t kMaxValueWords = 12;
inline constexpr std::uint32_t kDefaultGram = 40, kMinGram = 16, kMaxGram = 128;
inline constexpr std::size_t kWinnow = 24;
inline constexpr std::size_t kMostFingerprints = 1U << 20U;

[[nodiscard]] constexpr bool is_value_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         static_cast<unsigned char>(c) >= 0x80;
}
[[nodiscard]] constexpr char small_letter(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// The one class of every set of values: who is stopped must not learn from which table (L2).
inline constexpr std::string_view kRegisteredClass = "registered.data";

struct Fingerprints {
  crypto::ShortKey key{};
  std::vector<std::uint64_t> hashes;  // ascending, no two equal
  std::uint64_t lengths = 0;          // values: bit n where one has n bytes in normal form
  std::uint32_t max_words = 0;        // values: words of the longest
  std::uint32_t gram = 0;             // passages
  bool operator==(const Fingerprints&) const = default;

  [[nodiscard]] bool contains(std::uint64_t hash) const;
};

// A value's normal form and its words; nothing where it cannot be found again: no word, more than
// kMaxValueBytes or kMaxValueWords, or words further apart than kMaxWordGap.
struct NormalValue {
  std::string text;
  std::uint32_t words = 0;
  std::size_t span = 0;  // bytes of folded text from its first word to its last
};
[[nodiscard]] std::optional<NormalValue> normal_value(std::string_view value);

// The hashes of all rows of `gram` value bytes of a folded text, front to back, in constant memory
// but for the row's places.
class GramRoll {
 public:
  GramRoll(const crypto::ShortKey& key, std::uint32_t gram);

  struct Gram {
    std::uint64_t hash = 0;
    std::size_t begin = 0, end = 0;  // of the folded text
  };
  // The next byte, at place `at`; a gram where it completes one.
  [[nodiscard]] std::optional<Gram> add(char c, std::size_t at);
  // Where the n-th last value byte stands (1: the last), n at most gram; nothing where there are
  // fewer.
  [[nodiscard]] std::optional<std::size_t> place_of_last(std::size_t n) const;

 private:
  struct Kept {
    std::uint64_t term = 0;  // what its byte added to the hash
    std::size_t at = 0;
  };
  std::uint64_t base_, top_;  // the base, and its power gram - 1
  std::vector<Kept> row_;     // a ring
  std::size_t count_ = 0;
  std::uint64_t hash_ = 0;
};

// The fingerprints to keep of one document's text; empty where it is shorter than a gram.
[[nodiscard]] std::vector<std::uint64_t> winnow(std::string_view text, const crypto::ShortKey& key,
                                                std::uint32_t gram);

}  // namespace candor::dlp
