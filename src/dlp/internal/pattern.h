// A detector's pattern, unrolled into branches: sequences of byte sets with counts, without groups
// or alternatives. What a branch holds is matched by a small backtracking loop at one place, which
// costs nanoseconds where setting up an automaton costs hundreds. Linear in what it looks at but
// for neighbouring sets that overlap; how much these may cost is bounded when it is parsed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor::dlp {

class ByteSet {
 public:
  constexpr ByteSet() = default;
  void add(unsigned char c) { words_[c >> 6U] |= 1ULL << (c & 63U); }
  void add(unsigned char from, unsigned char to) {
    for (unsigned c = from; c <= to; ++c) add(static_cast<unsigned char>(c));
  }
  void add(const ByteSet& other) {
    for (std::size_t i = 0; i < 4; ++i) words_[i] |= other.words_[i];
  }
  void invert() {
    for (std::uint64_t& word : words_) word = ~word;
  }
  [[nodiscard]] bool has(char c) const {
    const auto byte = static_cast<unsigned char>(c);
    return ((words_[byte >> 6U] >> (byte & 63U)) & 1U) != 0;
  }
  [[nodiscard]] bool meets(const ByteSet& other) const {
    for (std::size_t i = 0; i < 4; ++i) {
      if ((words_[i] & other.words_[i]) != 0) return true;
    }
    return false;
  }
  [[nodiscard]] bool within(const ByteSet& other) const {
    for (std::size_t i = 0; i < 4; ++i) {
      if ((words_[i] & ~other.words_[i]) != 0) return false;
    }
    return true;
  }
  bool operator==(const ByteSet&) const = default;

 private:
  std::array<std::uint64_t, 4> words_{};
};

[[nodiscard]] const ByteSet& digit_set();
[[nodiscard]] const ByteSet& word_set();  // [A-Za-z0-9_]

struct Element {
  ByteSet set;
  std::uint32_t min = 1, max = 1;
  bool certain = false;  // what may follow cannot begin with a byte of set: no backtracking
  bool operator==(const Element&) const = default;
};

struct Branch {
  std::vector<Element> elements;
  // The marked part as elements [first, last); the whole where there is none.
  std::size_t mark_first = 0, mark_last = 0;
  bool marked = false;
};

struct Span {
  std::size_t begin = 0, end = 0;
  bool operator==(const Span&) const = default;
};

// kInvalidArgument: the syntax, with the offset. kResourceExhausted: too many branches or too much
// backtracking for this matcher. max_span bounds * + and {n,}.
[[nodiscard]] Result<std::vector<Branch>> parse_pattern(std::string_view pattern, bool ignore_case,
                                                        std::uint32_t max_span);

// Matches a branch at one place. accept(whole, marked) says whether a match counts; what it refuses
// is tried again shorter. touched(): what follows the text could have changed something.
template <typename Accept>
class BranchMatcher {
 public:
  BranchMatcher(std::string_view text, const Branch& branch, const Accept& accept)
      : text_(text), branch_(branch), accept_(accept) {}

  [[nodiscard]] bool match(std::size_t at) {
    begin_ = at;
    mark_begin_ = at;
    return from(0, at);
  }
  [[nodiscard]] std::size_t looked() const { return looked_; }
  [[nodiscard]] bool touched() const { return touched_; }

 private:
  [[nodiscard]] bool from(std::size_t index, std::size_t at) {
    if (branch_.marked && index == branch_.mark_first) mark_begin_ = at;
    if (branch_.marked && index == branch_.mark_last) mark_end_ = at;
    if (index == branch_.elements.size()) {
      const Span whole{begin_, at};
      return accept_(whole, branch_.marked ? Span{mark_begin_, mark_end_} : whole);
    }
    const Element& element = branch_.elements[index];
    const std::size_t limit = std::min<std::size_t>(text_.size() - at, element.max);
    std::size_t count = 0;
    while (count < limit && element.set.has(text_[at + count])) ++count;
    looked_ += count + 1;
    touched_ |= count == limit && limit < element.max;
    if (count < element.min) return false;
    const std::size_t mark_begin = mark_begin_;
    const std::size_t mark_end = mark_end_;
    for (;; --count) {
      if (from(index + 1, at + count)) return true;
      mark_begin_ = mark_begin;
      mark_end_ = mark_end;
      if (element.certain || count == element.min) return false;
    }
  }

  std::string_view text_;
  const Branch& branch_;
  const Accept& accept_;
  std::size_t begin_ = 0, mark_begin_ = 0, mark_end_ = 0, looked_ = 0;
  bool touched_ = false;
};

// The leading run of digits of a branch, for Anchor::kDigits; empty if it has no place of its own.
struct DigitLead {
  std::size_t offset = 0;                  // bytes before the run, always as many
  std::uint32_t min_run = 0, max_run = 0;  // how long the text's run of digits may be
  ByteSet next;                            // what may stand behind the run
  bool may_end = false;                    // the branch may end with the run
};
[[nodiscard]] std::optional<DigitLead> digit_lead(const Branch& branch);

}  // namespace candor::dlp
