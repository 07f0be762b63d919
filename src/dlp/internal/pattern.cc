#include "dlp/internal/pattern.h"

#include <algorithm>

#include <fmt/format.h>

namespace candor::dlp {
namespace {

constexpr std::size_t kMaxBranches = 256;
constexpr std::size_t kMaxElements = 512;
constexpr std::size_t kMaxDepth = 16;
constexpr std::uint64_t kMaxWays = 1U << 14U;  // of one branch to be tried at one place

ByteSet make_set(std::initializer_list<std::pair<char, char>> ranges) {
  ByteSet set;
  for (const auto& [from, to] : ranges) {
    set.add(static_cast<unsigned char>(from), static_cast<unsigned char>(to));
  }
  return set;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

using Branches = std::vector<Branch>;

class Parser {
 public:
  Parser(std::string_view pattern, bool ignore_case, std::uint32_t max_span)
      : pattern_(pattern), ignore_case_(ignore_case), max_span_(max_span) {}

  Result<Branches> parse() {
    Branches branches = TRY(alternatives(0));
    if (at_ != pattern_.size()) return wrong("an unmatched )");
    return branches;
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Code::kInvalidArgument, fmt::format("{} at offset {}", what, at_));
  }
  [[nodiscard]] static std::unexpected<Error> too_much() {
    return fail(Code::kResourceExhausted, "too many branches");
  }
  [[nodiscard]] bool done() const { return at_ == pattern_.size(); }
  [[nodiscard]] char peek() const { return pattern_[at_]; }

  Result<Branches> alternatives(std::size_t depth) {
    if (depth > kMaxDepth) return wrong("groups nested too deep");
    Branches all = TRY(sequence(depth));
    while (!done() && peek() == '|') {
      ++at_;
      for (Branch& branch : TRY(sequence(depth))) all.push_back(std::move(branch));
      if (all.size() > kMaxBranches) return too_much();
    }
    return all;
  }

  Result<Branches> sequence(std::size_t depth) {
    Branches so_far(1);
    while (!done() && peek() != '|' && peek() != ')') {
      if (peek() == '(') {
        const bool marks = !pattern_.substr(at_).starts_with("(?");
        if (!marks && !pattern_.substr(at_).starts_with("(?:")) {
          return wrong("a group other than (...) and (?:...)");
        }
        if (marks && (marked_ || depth > 0)) return wrong("a second or a nested marked group");
        marked_ = marked_ || marks;
        at_ += marks ? 1 : 3;
        Branches inner = TRY(alternatives(depth + 1));
        if (done()) return wrong("a group without its )");
        ++at_;
        if (marks) {
          if (!done() && std::string_view("?*+{").contains(peek())) {
            return wrong("a repeated marked group");
          }
          for (Branch& branch : inner) {
            branch.marked = true;
            branch.mark_first = 0;
            branch.mark_last = branch.elements.size();
          }
          so_far = TRY(join(so_far, inner));
          continue;
        }
        const auto [min, max] = TRY(count());
        so_far = TRY(repeat(so_far, inner, min, max));
        continue;
      }
      ByteSet set = TRY(atom());
      if (ignore_case_) set = without_case(set);
      const auto [min, max] = TRY(count());
      if (max == 0) continue;
      for (Branch& branch : so_far) {
        branch.elements.push_back({.set = set, .min = min, .max = max});
        if (branch.elements.size() > kMaxElements) return too_much();
      }
    }
    return so_far;
  }

  static Result<Branches> join(const Branches& left, const Branches& right) {
    if (left.size() * right.size() > kMaxBranches) return too_much();
    Branches all;
    for (const Branch& a : left) {
      for (const Branch& b : right) {
        Branch both = a;
        if (b.marked) {
          both.marked = true;
          both.mark_first = a.elements.size() + b.mark_first;
          both.mark_last = a.elements.size() + b.mark_last;
        }
        both.elements.insert(both.elements.end(), b.elements.begin(), b.elements.end());
        if (both.elements.size() > kMaxElements) return too_much();
        all.push_back(std::move(both));
      }
    }
    return all;
  }

  // Greedy: more repetitions stand first.
  static Result<Branches> repeat(const Branches& before, const Branches& inner, std::uint32_t min,
                                 std::uint32_t max) {
    if (max > 64) return too_much();
    std::vector<Branches> by_count;
    Branches run = before;
    for (std::uint32_t n = 0; n <= max; ++n) {
      if (n >= min) by_count.push_back(run);
      if (n < max) run = TRY(join(run, inner));
    }
    Branches all;
    for (auto each = by_count.rbegin(); each != by_count.rend(); ++each) {
      all.insert(all.end(), each->begin(), each->end());
      if (all.size() > kMaxBranches) return too_much();
    }
    return all;
  }

  Result<std::uint32_t> number() {
    const std::size_t from = at_;
    std::uint32_t value = 0;
    while (!done() && peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (value > (1U << 16U)) return wrong("a count above 65536");
      ++at_;
    }
    if (at_ == from) return wrong("a count without a number");
    return value;
  }

  Result<std::pair<std::uint32_t, std::uint32_t>> count() {
    std::pair<std::uint32_t, std::uint32_t> range{1, 1};
    if (done()) return range;
    switch (peek()) {
      case '?': range = {0, 1}; break;
      case '*': range = {0, max_span_}; break;
      case '+': range = {1, max_span_}; break;
      case '{': {
        ++at_;
        range.first = TRY(number());
        range.second = range.first;
        if (!done() && peek() == ',') {
          ++at_;
          range.second = max_span_;
          if (!done() && peek() != '}') range.second = TRY(number());
        }
        if (done() || peek() != '}') return wrong("a count without its }");
        if (range.first > range.second) return wrong("a count whose bounds are swapped");
        break;
      }
      default: return range;
    }
    ++at_;
    if (!done() && std::string_view("?+*").contains(peek())) {
      return wrong("a lazy or possessive count");
    }
    return range;
  }

  Result<ByteSet> atom() {
    ByteSet set;
    const char c = pattern_[at_++];
    switch (c) {
      case '.':
        set.add('\n');
        set.invert();
        return set;
      case '[': return bytes();
      case '\\': return escape();
      case '^':
      case '$':
      case '*':
      case '+':
      case '?':
      case '{':
      case ']':
      case '}':
        --at_;
        return wrong(fmt::format("'{}' where a character should stand (write \\{})", c, c));
      default: set.add(static_cast<unsigned char>(c)); return set;
    }
  }

  Result<ByteSet> escape() {
    if (done()) return wrong("a \\ at the end");
    const char c = pattern_[at_++];
    ByteSet set;
    switch (c) {
      case 'd': return digit_set();
      case 'D':
        set = digit_set();
        set.invert();
        return set;
      case 'w': return word_set();
      case 'W':
        set = word_set();
        set.invert();
        return set;
      case 's': return space_set();
      case 'S':
        set = space_set();
        set.invert();
        return set;
      case 'n': set.add('\n'); return set;
      case 'r': set.add('\r'); return set;
      case 't': set.add('\t'); return set;
      case 'x': {
        unsigned value = 0;
        for (int i = 0; i < 2; ++i) {
          if (done()) return wrong("\\x without two digits");
          const char d = pattern_[at_++];
          if (d >= '0' && d <= '9') {
            value = value * 16 + static_cast<unsigned>(d - '0');
          } else if (d >= 'a' && d <= 'f') {
            value = value * 16 + static_cast<unsigned>(d - 'a' + 10);
          } else if (d >= 'A' && d <= 'F') {
            value = value * 16 + static_cast<unsigned>(d - 'A' + 10);
          } else {
            return wrong("\\x without two digits");
          }
        }
        set.add(static_cast<unsigned char>(value));
        return set;
      }
      default:
        if (is_letter(c) || (c >= '0' && c <= '9')) {
          return wrong(fmt::format("\\{}, which is not in the subset,", c));
        }
        set.add(static_cast<unsigned char>(c));
        return set;
    }
  }

  static const ByteSet& space_set() {
    static const ByteSet set = make_set({{'\t', '\r'}, {' ', ' '}});
    return set;
  }

  // A character of a class, or \xHH, or an escaped character.
  Result<unsigned char> one_byte() {
    const char c = pattern_[at_++];
    if (c != '\\') return static_cast<unsigned char>(c);
    if (done()) return wrong("a \\ at the end");
    if (is_letter(peek()) && peek() != 'x') return wrong("a range that ends in an escape");
    const ByteSet set = TRY(escape());
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (set.has(static_cast<char>(byte))) return static_cast<unsigned char>(byte);
    }
    return wrong("an empty escape");
  }

  Result<ByteSet> bytes() {
    ByteSet set;
    bool inverted = false;
    if (!done() && peek() == '^') {
      inverted = true;
      ++at_;
    }
    bool first = true;
    while (!done() && (first || peek() != ']')) {
      first = false;
      if (peek() == '[' && pattern_.substr(at_).starts_with("[:")) return wrong("a named class");
      const bool named = peek() == '\\' && at_ + 1 < pattern_.size() &&
                         is_letter(pattern_[at_ + 1]) && pattern_[at_ + 1] != 'x';
      if (named) {  // \d and its like are no ends of ranges
        ++at_;
        set.add(TRY(escape()));
        continue;
      }
      const unsigned char from = TRY(one_byte());
      if (at_ + 1 < pattern_.size() && peek() == '-' && pattern_[at_ + 1] != ']') {
        ++at_;
        const unsigned char to = TRY(one_byte());
        if (from > to) return wrong("a range whose ends are swapped");
        set.add(from, to);
      } else {
        set.add(from);
      }
    }
    if (done()) return wrong("a [ without its ]");
    ++at_;
    if (ignore_case_) set = without_case(set);
    if (inverted) set.invert();
    return set;
  }

  static ByteSet without_case(ByteSet set) {
    for (char c = 'a'; c <= 'z'; ++c) {
      const char upper = static_cast<char>(c - 'a' + 'A');
      if (set.has(c)) set.add(static_cast<unsigned char>(upper));
      if (set.has(upper)) set.add(static_cast<unsigned char>(c));
    }
    return set;
  }

  std::string_view pattern_;
  bool ignore_case_;
  std::uint32_t max_span_;
  std::size_t at_ = 0;
  bool marked_ = false;
};

// Whether a byte of element `index` could also begin what follows it.
bool is_certain(const Branch& branch, std::size_t index) {
  const Element& element = branch.elements[index];
  if (element.min == element.max) return true;
  for (std::size_t next = index + 1; next < branch.elements.size(); ++next) {
    if (branch.elements[next].set.meets(element.set)) return false;
    if (branch.elements[next].min > 0) return true;
  }
  return false;  // the last one: a shorter match may satisfy boundary or validator
}

}  // namespace

const ByteSet& digit_set() {
  static const ByteSet set = make_set({{'0', '9'}});
  return set;
}

const ByteSet& word_set() {
  static const ByteSet set = make_set({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}});
  return set;
}

Result<std::vector<Branch>> parse_pattern(std::string_view pattern, bool ignore_case,
                                          std::uint32_t max_span) {
  std::vector<Branch> branches = TRY(Parser(pattern, ignore_case, max_span).parse());
  for (Branch& branch : branches) {
    std::uint64_t ways = 1;
    std::uint64_t least = 0;
    for (std::size_t i = 0; i < branch.elements.size(); ++i) {
      Element& element = branch.elements[i];
      least += element.min;
      element.certain = is_certain(branch, i);
      const bool last = i + 1 == branch.elements.size();
      if (!element.certain && !last) ways *= element.max - element.min + 1;
      if (ways > kMaxWays) {
        return fail(Code::kResourceExhausted, "too much backtracking");
      }
    }
    if (least == 0) return fail(Code::kInvalidArgument, "it may match nothing");
  }
  return branches;
}

std::optional<DigitLead> digit_lead(const Branch& branch) {
  const ByteSet& digits = digit_set();
  DigitLead lead;
  std::size_t i = 0;
  for (; i < branch.elements.size(); ++i) {
    const Element& element = branch.elements[i];
    if (element.set.within(digits)) break;
    if (element.min != element.max || element.set.meets(digits)) return std::nullopt;
    lead.offset += element.min;
  }
  if (i == branch.elements.size()) return std::nullopt;
  bool fixed = true;  // no optional separator was skipped yet
  lead.may_end = true;
  for (; i < branch.elements.size(); ++i) {
    const Element& element = branch.elements[i];
    if (element.set.within(digits)) {
      if (fixed) lead.min_run += element.min;
      lead.max_run += element.max;
      if (!fixed && element.min > 0) lead.may_end = true;
      continue;
    }
    lead.next.add(element.set);
    if (element.set.meets(digits)) {  // the run may go on into this element
      lead.max_run += 1U << 16U;
      if (element.min > 0) lead.may_end = false;
      for (++i; i < branch.elements.size(); ++i) lead.next.add(branch.elements[i].set);
      lead.may_end = true;
      break;
    }
    if (element.min > 0) {
      lead.may_end = false;
      break;
    }
    fixed = false;
  }
  if (lead.min_run == 0) return std::nullopt;
  return lead;
}

}  // namespace candor::dlp
