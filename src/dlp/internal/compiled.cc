#include "dlp/internal/compiled.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace candor::dlp {
namespace {

std::string small_letters(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Error about(const Detector& detector, std::string_view pattern, std::string_view what) {
  return {Code::kInvalidArgument,
          pattern.empty() ? fmt::format("{}: detector {}: {}", detector.origin, detector.id, what)
                          : fmt::format("{}: detector {}, pattern {}: {}", detector.origin,
                                        detector.id, pattern, what)};
}

ByteSet first_of(const Branch& branch) {
  ByteSet set;
  for (const Element& element : branch.elements) {
    set.add(element.set);
    if (element.min > 0) break;
  }
  return set;
}

// Whether elements from `index` on spell a literal, each byte an element of its own.
bool spells(const Branch& branch, std::size_t index, std::string_view literal) {
  for (const char c : literal) {
    if (index >= branch.elements.size()) return false;
    const Element& element = branch.elements[index++];
    if (element.min == 0 || !element.set.has(c)) return false;
    if (element.min == 1 && element.max == 1) continue;
    return false;
  }
  return true;
}

class Compiler {
 public:
  explicit Compiler(Compiled& out) : out_(out) { ids_.insert("text.undecided"); }

  Result<void> add(Detector detector) {
    const auto index = static_cast<std::uint32_t>(out_.detectors.size());
    if (!ids_.insert(detector.id).second)
      return std::unexpected(about(detector, "", "its id is taken"));
    CompiledDetector compiled;
    compiled.check = detector.validator.empty() ? nullptr : find_validator(detector.validator);
    for (const std::string& word : detector.near) compiled.near.push_back(small_letters(word));
    for (const std::string& word : detector.raise) compiled.raise.push_back(small_letters(word));
    for (const std::string& word : detector.lower) compiled.lower.push_back(small_letters(word));
    if (detector.anchor == Anchor::kHidden || detector.anchor == Anchor::kOpaque) {
      auto& place = detector.anchor == Anchor::kHidden ? out_.hidden : out_.opaque;
      if (place) return std::unexpected(about(detector, "", "another detector has this anchor"));
      place = index;
    }
    if (detector.stream == StreamMode::kTrigger &&
        (detector.boundary != Boundary::kNone || compiled.check != nullptr ||
         detector.anchor != Anchor::kStart || !detector.near.empty() || !detector.raise.empty() ||
         !detector.lower.empty())) {
      return std::unexpected(about(detector, "",
                                   "stream trigger takes anchor start and boundary none, and "
                                   "neither validator nor context words"));
    }
    out_.detectors.push_back(std::move(detector));
    out_.compiled.push_back(std::move(compiled));
    const Detector& added = out_.detectors.back();
    if (added.anchor == Anchor::kInside) out_.inside_detectors.push_back(index);
    if (added.fingerprints != nullptr) out_.set_detectors.push_back(index);
    for (const std::string& pattern : added.patterns) TRY(add_pattern(index, pattern));
    for (const std::string& literal : added.literals) add_literal(index, literal);
    return {};
  }

  Result<void> finish() {
    add_undecided();
    for (const auto& [literal, users] : literals_) {
      out_.literals.push_back(literal);
      out_.users.push_back(users);
    }
    out_.search = TRY(LiteralSearch::build(out_.literals));
    for (std::size_t i = 0; i < out_.literals.size(); ++i) {
      for (const LiteralUse& use : out_.users[i]) {
        // What stands near follows its literal, so no literal that may come can hold it back.
        if (out_.detectors[use.detector].anchor == Anchor::kNear) continue;
        out_.starts.add(out_.literals[i], use.detector);
      }
    }
    look_back();
    out_.digits.finish();
    return {};
  }

 private:
  // Finds nothing in a scan; it names what StreamGuard could not hold any longer.
  void add_undecided() {
    Detector detector;
    detector.id = "text.undecided";
    detector.name = "text too long to be decided in a stream";
    detector.class_name = "obfuscation";
    detector.severity = Severity::kHigh;
    detector.confidence = 100;
    detector.origin = "built in";
    out_.undecided = static_cast<std::uint32_t>(out_.detectors.size());
    out_.detectors.push_back(std::move(detector));
    out_.compiled.emplace_back();
  }

  void look_back() {
    std::size_t spans = 0;
    for (const CompiledBranch& branch : out_.branches) {
      std::size_t before_mark = 0;
      for (std::size_t i = 0; branch.branch.marked && i < branch.branch.mark_first; ++i) {
        before_mark += branch.branch.elements[i].max;
      }
      const bool digits = out_.detectors[branch.detector].anchor == Anchor::kDigits;
      std::size_t& lead = digits ? out_.digit_lead : out_.lead;
      lead = std::max(lead, before_mark);
    }
    for (std::size_t i = 0; i < out_.detectors.size(); ++i) {
      if (!out_.compiled[i].regexes.empty()) {
        spans = std::max<std::size_t>(spans, out_.detectors[i].max_span);
      }
    }
    out_.before = kContextBefore + 2 + kNearBytes + out_.starts.longest() + 64 +
                  std::max(out_.lead, out_.digit_lead) + spans;
    out_.literals_before = kNearBytes + out_.starts.longest() + out_.lead + spans;
  }

  void add_head(std::uint32_t index, const CompiledBranch& branch) {
    CompiledDetector& compiled = out_.compiled[index];
    compiled.head_set.add(branch.prefix);
    compiled.head_max = std::max(compiled.head_max, branch.prefix_max);
    if (branch.inside == 0) return;
    Head head;
    head.branch.elements.assign(
        branch.branch.elements.begin(),
        branch.branch.elements.begin() + static_cast<std::ptrdiff_t>(branch.inside));
    head.first = first_of(head.branch);
    head.marked = branch.branch.marked;
    compiled.head_first.add(head.first);
    const bool known = std::ranges::any_of(compiled.heads, [&](const Head& other) {
      return other.branch.elements == head.branch.elements && other.marked == head.marked;
    });
    if (!known) compiled.heads.push_back(std::move(head));
  }

  Result<void> add_pattern(std::uint32_t index, const std::string& pattern) {
    const Detector& detector = out_.detectors[index];
    auto branches = parse_pattern(pattern, detector.ignore_case, detector.max_span);
    if (!branches) {
      // What is only too much for unrolling is left to Vectorscan.
      if (branches.error().code() == Code::kResourceExhausted &&
          detector.anchor != Anchor::kDigits) {
        return add_regex(index, pattern);
      }
      return std::unexpected(about(detector, pattern, branches.error().message()));
    }
    for (Branch& branch : *branches) {
      CompiledBranch compiled;
      compiled.detector = index;
      compiled.first = first_of(branch);
      compiled.branch = std::move(branch);
      if (detector.anchor == Anchor::kInside && !place_inside(detector, compiled)) {
        return std::unexpected(about(detector, pattern, "holds none of the literals"));
      }
      if (detector.anchor == Anchor::kStart && !starts_with_literal(detector, compiled.branch)) {
        return std::unexpected(about(detector, pattern, "begins with none of the literals"));
      }
      const auto number = static_cast<std::uint32_t>(out_.branches.size());
      if (detector.anchor == Anchor::kDigits) {
        const auto lead = digit_lead(compiled.branch);
        if (!lead) {
          return std::unexpected(about(detector, pattern,
                                       "its first run of digits has no fixed place; use near or "
                                       "start as anchor"));
        }
        compiled.lead = *lead;
        out_.digits.add(number, compiled.branch, *lead, detector.boundary);
        out_.digit_branches.push_back(number);
        for (std::size_t byte = 0; byte < 256; ++byte) {
          if (!compiled.first.has(static_cast<char>(byte))) continue;
          (lead->offset > 0 ? out_.leads_by_first : out_.digits_by_first)[byte].push_back(number);
        }
        out_.longest_offset = std::max(out_.longest_offset, lead->offset);
      }
      if (detector.anchor == Anchor::kInside) add_head(index, compiled);
      out_.compiled[index].branches.push_back(number);
      out_.branches.push_back(std::move(compiled));
    }
    return {};
  }

  Result<void> add_regex(std::uint32_t index, const std::string& pattern) {
    const Detector& detector = out_.detectors[index];
    auto regex = Regex::compile(pattern, detector.ignore_case, detector.max_span);
    if (!regex) return std::unexpected(about(detector, pattern, regex.error().message()));
    out_.compiled[index].regexes.push_back(*std::move(regex));
    return {};
  }

  static bool starts_with_literal(const Detector& detector, const Branch& branch) {
    return std::ranges::any_of(
        detector.literals, [&](const std::string& literal) { return spells(branch, 0, literal); });
  }

  static bool place_inside(const Detector& detector, CompiledBranch& compiled) {
    const auto& elements = compiled.branch.elements;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const bool here = std::ranges::any_of(detector.literals, [&](const std::string& literal) {
        return spells(compiled.branch, i, literal);
      });
      if (here) {
        compiled.inside = i;
        compiled.tail.elements.assign(elements.begin() + static_cast<std::ptrdiff_t>(i),
                                      elements.end());
        return true;
      }
      compiled.prefix.add(elements[i].set);
      compiled.prefix_min += elements[i].min;
      compiled.prefix_max += elements[i].max;
    }
    return false;
  }

  void add_literal(std::uint32_t index, const std::string& text) {
    const Detector& detector = out_.detectors[index];
    if (text == "@") {
      out_.at_users.push_back(index);
      return;
    }
    auto& users =
        literals_[{detector.ignore_case ? small_letters(text) : text, detector.ignore_case}];
    if (!users.empty() && users.back().detector == index) return;
    LiteralUse use{index, {}};
    for (const std::uint32_t branch : out_.compiled[index].branches) {
      if (spells(out_.branches[branch].branch, 0, text)) use.branches.push_back(branch);
    }
    users.push_back(std::move(use));
  }

  Compiled& out_;
  std::set<std::string> ids_;
  std::map<Literal, std::vector<LiteralUse>> literals_;
};

}  // namespace

Result<void> compile(std::vector<Pack> packs, Compiled& out) {
  Compiler compiler(out);
  std::set<std::string> names;
  for (Pack& pack : packs) {
    if (!names.insert(pack.name).second) {
      return fail(Code::kInvalidArgument,
                  fmt::format("there are two packs of the name {}", pack.name));
    }
    for (Detector& detector : pack.detectors) TRY(compiler.add(std::move(detector)));
  }
  return compiler.finish();
}

}  // namespace candor::dlp
