#include "dlp/internal/digit_index.h"

#include <map>
#include <utility>

namespace candor::dlp {
namespace {

constexpr std::size_t kMostCounted = 64;  // repetitions beyond it are not told apart

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// The states of a branch as an automaton: how far it is, and how often the element there has
// matched. It may say that something is possible which is not, never the other way round.
class States {
 public:
  explicit States(const Branch& branch) : branch_(branch) {
    for (const Element& element : branch.elements) {
      first_.push_back(size_);
      size_ += std::min<std::size_t>(element.max, kMostCounted) + 1;
    }
    on_.assign(size_ + 1, 0);
    enter(on_, 0);
  }
  // The whole branch has matched.
  [[nodiscard]] bool accepting() const { return on_[size_] != 0; }
  [[nodiscard]] ByteSet next() const {
    ByteSet set;
    each([&](std::size_t element, std::size_t) { set.add(branch_.elements[element].set); });
    return set;
  }
  // After a byte for which fits(set) holds.
  template <typename Fits>
  void step(const Fits& fits) {
    std::vector<char> after(size_ + 1, 0);
    each([&](std::size_t element, std::size_t count) {
      if (!fits(branch_.elements[element].set)) return;
      const std::size_t now = std::min<std::size_t>(count + 1, kMostCounted);
      after[first_[element] + now] = 1;
      if (now >= std::min<std::size_t>(branch_.elements[element].min, kMostCounted)) {
        enter(after, element + 1);
      }
    });
    on_ = std::move(after);
  }

 private:
  // What may still match once more.
  template <typename Visit>
  void each(const Visit& visit) const {
    for (std::size_t element = 0; element < branch_.elements.size(); ++element) {
      const std::size_t most = branch_.elements[element].max;
      for (std::size_t count = 0; count <= std::min(most, kMostCounted); ++count) {
        const bool goes_on = count < most;
        if (on_[first_[element] + count] != 0 && goes_on) visit(element, count);
      }
    }
  }
  void enter(std::vector<char>& states, std::size_t element) const {
    for (; element < branch_.elements.size(); ++element) {
      states[first_[element]] = 1;
      if (branch_.elements[element].min > 0) return;
    }
    states[size_] = 1;
  }

  const Branch& branch_;
  std::vector<std::size_t> first_;  // of each element's states
  std::size_t size_ = 0;            // and the one that accepts
  std::vector<char> on_;
};

}  // namespace

void DigitIndex::add(std::uint32_t number, const Branch& branch, const DigitLead& lead,
                     Boundary boundary) {
  Added added;
  added.number = number;
  added.lead = lead;
  added.boundary = boundary;
  added.marked = branch.marked;
  std::size_t skipped = 0;
  for (const Element& element : branch.elements) {
    if (skipped < lead.offset) {
      skipped += element.min;
      added.before.insert(added.before.begin(), element.min, element.set);
    } else {
      added.branch.elements.push_back(element);
    }
  }
  added_.push_back(std::move(added));
}

// Bytes that no element tells apart are of one class.
void DigitIndex::make_classes() {
  std::array<std::size_t, 256> of{};
  std::size_t count = 1;
  const auto refine = [&](const auto& has) {
    std::map<std::pair<std::size_t, bool>, std::size_t> finer;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const auto key = std::pair(of[byte], has(static_cast<char>(byte)));
      of[byte] = finer.emplace(key, finer.size()).first->second;
    }
    count = finer.size();
  };
  refine([](char c) { return is_alphanumeric(c); });
  for (const Added& added : added_) {
    refine([&](char c) { return added.lead.next.has(c); });
    for (const ByteSet& set : added.before) refine([&](char c) { return set.has(c); });
    for (const Element& element : added.branch.elements) {
      refine([&](char c) { return element.set.has(c); });
    }
  }
  classes_ = count;
  example_.assign(count, 0);
  for (std::size_t byte = 0; byte < 256; ++byte) {
    class_of_[byte] = static_cast<std::uint8_t>(of[byte]);
    example_[of[byte]] = static_cast<char>(byte);
  }
}

void DigitIndex::fill(std::size_t length, std::size_t next, List& list) const {
  const bool text_ends = next == classes_;
  for (const Added& added : added_) {
    const DigitLead& lead = added.lead;
    const bool fits = length >= lead.min_run && length <= lead.max_run;
    const bool longer = length == kLongest && lead.max_run > kLongest;
    if (!fits && !longer) continue;
    const bool ends =
        text_ends || added.boundary == Boundary::kNone || !is_alphanumeric(example_[next]);
    const bool goes_on = !text_ends && lead.next.has(example_[next]);
    if (!goes_on && !(lead.may_end && ends)) continue;

    std::array<ByteSet, kAfter> after;
    std::size_t known = 0;  // bytes behind the next one that are decided
    if (!longer && !text_ends) {
      const auto digit = [](const ByteSet& set) { return set.meets(digit_set()); };
      // It may be over before the run is where no boundary forbids that.
      const bool anywhere = added.marked || added.boundary == Boundary::kNone;
      States states(added.branch);
      bool over = false;
      for (std::size_t i = 0; i < length; ++i) {
        states.step(digit);
        over |= states.accepting() && (anywhere || i + 1 == length);
      }
      states.step([&](const ByteSet& set) { return set.has(example_[next]); });
      while (known < kAfter && !over && !states.accepting()) {
        after[known++] = states.next();
        states.step([](const ByteSet&) { return true; });
      }
    }
    if (list.empty() || list.back().branches.size() == 64) {
      list.push_back({});
      for (auto& masks : list.back().before) masks.assign(classes_ + 1, 0);
      for (auto& masks : list.back().after) masks.assign(classes_, 0);
    }
    Group& group = list.back();
    const std::uint64_t bit = 1ULL << group.branches.size();
    group.branches.push_back(added.number);
    group.all |= bit;
    for (std::size_t one = 0; one <= classes_; ++one) {
      for (std::size_t i = 0; i < kBefore; ++i) {
        const bool free = i >= added.before.size();
        if (free || (one < classes_ && added.before[i].has(example_[one]))) {
          group.before[i][one] |= bit;
        }
      }
      for (std::size_t i = 0; i < kAfter && one < classes_; ++i) {
        if (i >= known || after[i].has(example_[one])) group.after[i][one] |= bit;
      }
    }
    if (lead.offset == 0 && !added.marked)
      group.bound[static_cast<std::size_t>(added.boundary)] |= bit;
  }
}

void DigitIndex::finish() {
  make_classes();
  std::map<List, std::uint16_t> known;
  slots_.assign((kLongest + 1) * (classes_ + 1), 0);
  for (std::size_t length = 0; length <= kLongest; ++length) {
    for (std::size_t next = 0; next <= classes_; ++next) {
      List list;
      if (length > 0) fill(length, next, list);
      const auto [place, added] =
          known.emplace(std::move(list), static_cast<std::uint16_t>(lists_.size()));
      if (added) lists_.push_back(place->first);
      slots_[length * (classes_ + 1) + next] = place->second;
    }
  }
  added_.clear();
}

}  // namespace candor::dlp
