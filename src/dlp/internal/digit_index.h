// Which branches are worth trying at a run of digits: an index by the run's length and the byte
// behind it, and masks by the two bytes before the run and the three after that one. A branch that
// is left out would have failed there without looking at what follows.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dlp/detector.h"
#include "dlp/internal/pattern.h"
#include "dlp/internal/sweep.h"

namespace candor::dlp {

class DigitIndex {
 public:
  // lead: of the branch, whose number is `number`; both are read until finish() has returned.
  void add(std::uint32_t number, const Branch& branch, const DigitLead& lead, Boundary boundary);
  void finish();

  // try_it(number) for each branch that may match at the run, in the order of adding.
  // starts(boundary): whether a finding of that boundary may begin with the run.
  template <typename Starts, typename Try>
  void each(std::string_view text, DigitRun run, const Starts& starts, const Try& try_it) const {
    const std::size_t end = run.begin + std::size_t{run.length};
    const std::size_t next = end < text.size() ? class_of(text[end]) : classes_;
    const std::size_t length = std::min<std::size_t>(run.length, kLongest);
    for (const Group& group : lists_[slots_[length * (classes_ + 1) + next]]) {
      std::uint64_t may = group.all;
      for (std::size_t i = 0; i < kBefore; ++i) {
        may &= group.before[i][i < run.begin ? class_of(text[run.begin - 1 - i]) : classes_];
      }
      for (std::size_t i = 0; i < kAfter && end + 1 + i < text.size(); ++i) {
        may &= group.after[i][class_of(text[end + 1 + i])];
      }
      for (const Boundary kind : {Boundary::kWord, Boundary::kNumber, Boundary::kAddress}) {
        const std::uint64_t bound = group.bound[static_cast<std::size_t>(kind)];
        if ((may & bound) != 0 && !starts(kind)) may &= ~bound;
      }
      for (; may != 0; may &= may - 1) {
        try_it(group.branches[static_cast<std::size_t>(std::countr_zero(may))]);
      }
    }
  }

 private:
  static constexpr std::size_t kLongest = 40;  // longer runs count as this long
  static constexpr std::size_t kBoundaries = 4;
  static constexpr std::size_t kBefore = 2, kAfter = 3;  // bytes

  struct Added {
    std::uint32_t number = 0;
    std::vector<ByteSet> before;  // of the byte before the run, of the one before that, ...
    Branch branch;                // from the run's begin on
    DigitLead lead;
    Boundary boundary = Boundary::kNone;
    bool marked = false;
  };
  // Up to 64 branches; bit i of a mask is branches[i].
  struct Group {
    std::vector<std::uint32_t> branches;
    std::uint64_t all = 0;
    // By the class of the byte that many before the run, and behind the one that is behind it.
    std::array<std::vector<std::uint64_t>, kBefore> before;
    std::array<std::vector<std::uint64_t>, kAfter> after;
    std::array<std::uint64_t, kBoundaries> bound{};  // those whose boundary the run must keep
    bool operator==(const Group&) const = default;
    auto operator<=>(const Group&) const = default;
  };
  using List = std::vector<Group>;

  [[nodiscard]] std::size_t class_of(char c) const {
    return class_of_[static_cast<unsigned char>(c)];
  }
  void make_classes();
  void fill(std::size_t length, std::size_t next, List& list) const;

  std::vector<Added> added_;
  std::array<std::uint8_t, 256> class_of_{};
  std::vector<char> example_;  // a byte of each class
  std::size_t classes_ = 0;    // the class behind the last one: the text ends
  std::vector<std::uint16_t> slots_;
  std::vector<List> lists_;
};

}  // namespace candor::dlp
