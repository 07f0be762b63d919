#include "dlp/testing/plain_scan.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/text.h"
#include "dlp/fold.h"
#include "dlp/internal/compiled.h"
#include "dlp/internal/outlook.h"
#include "dlp/internal/pass.h"
#include "dlp/testing/plain_encoding.h"

namespace candor::dlp {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_small(c) || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_escape_letter(std::string_view text, std::size_t at) {
  return at > 0 && text[at - 1] == '\\' && std::string_view("nrtbfv").contains(text[at]);
}

bool is_whole_word(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_letter(text[begin]) && is_letter(text[begin - 1]) &&
      (!is_small(text[begin - 1]) || is_small(text[begin])) && !is_escape_letter(text, begin - 1)) {
    return false;
  }
  return end >= text.size() || !is_letter(text[end - 1]) || !is_small(text[end]);
}

bool starts_well(std::string_view text, Boundary boundary, std::size_t at) {
  if (boundary == Boundary::kNone || at == 0 || at >= text.size()) return true;
  const char before = text[at - 1];
  const char here = text[at];
  if (before == '\\' && is_escape_letter(text, at)) return false;
  if (boundary == Boundary::kNumber) {
    if (is_digit(before) || (is_letter(before) && !is_escape_letter(text, at - 1))) return false;
    return !((before == '.' || before == '-') && at > 1 && is_digit(text[at - 2]));
  }
  if (boundary == Boundary::kAddress && before == ':' && at > 1 && is_hex(text[at - 2])) {
    return false;
  }
  return !is_word_byte(here) || !is_word_byte(before) || is_escape_letter(text, at - 1);
}

bool ends_well(std::string_view text, Boundary boundary, std::size_t at) {
  if (boundary == Boundary::kNone || at == 0 || at >= text.size()) return true;
  const char last = text[at - 1];
  const char behind = text[at];
  if (boundary == Boundary::kNumber) {
    if (is_digit(behind) || is_letter(behind)) return false;
    return !((behind == '.' || behind == '-') && at + 1 < text.size() && is_digit(text[at + 1]));
  }
  if (boundary == Boundary::kAddress && behind == ':' && at + 1 < text.size() &&
      (is_hex(text[at + 1]) || text[at + 1] == ':')) {
    return false;
  }
  return !is_word_byte(last) || !is_word_byte(behind);
}

class PlainPass {
 public:
  PlainPass(const Compiled& compiled, std::string_view text, const Workspace& workspace,
            const std::vector<char>& wanted, std::vector<Match>& out)
      : compiled_(compiled), text_(text), workspace_(workspace), wanted_(wanted), out_(out) {}

  void digits() {
    for (std::size_t begin = 0; begin < text_.size(); ++begin) {
      if (!is_digit(text_[begin]) || (begin > 0 && is_digit(text_[begin - 1]))) continue;
      std::size_t length = 1;
      while (begin + length < text_.size() && is_digit(text_[begin + length])) ++length;
      for (const std::uint32_t index : compiled_.digit_branches) {
        const CompiledBranch& branch = compiled_.branches[index];
        if (wanted_[branch.detector] == 0 || length < branch.lead.min_run ||
            length > branch.lead.max_run || begin < branch.lead.offset) {
          continue;
        }
        (void)match_at(branch, begin - branch.lead.offset);
      }
    }
  }

  void literal(std::uint32_t detector, const std::vector<std::uint32_t>& starting,
               std::size_t begin, std::size_t end) {
    const CompiledDetector& compiled = compiled_.compiled[detector];
    switch (compiled_.detectors[detector].anchor) {
      case Anchor::kStart:
        for (const std::uint32_t index : starting) {
          if (match_at(compiled_.branches[index], begin)) break;
        }
        break;
      case Anchor::kInside:
        for (const std::uint32_t index : compiled.branches) {
          inside(compiled_.branches[index], begin);
        }
        break;
      case Anchor::kNear:
        if (!is_whole_word(text_, begin, end)) return;
        near(detector, end);
        break;
      case Anchor::kDigits:
      case Anchor::kHidden:
      case Anchor::kOpaque:
      case Anchor::kWords:
      case Anchor::kValues:
      case Anchor::kPassages: return;
    }
    if (!compiled.regexes.empty()) regexes(detector, begin, end);
  }

 private:
  void inside(const CompiledBranch& branch, std::size_t literal) {
    const auto anything = [](Span, Span) { return true; };
    if (!BranchMatcher(text_, branch.tail, anything).match(literal)) return;
    std::size_t begin = literal;
    const std::size_t earliest = literal - std::min(literal, branch.prefix_max);
    while (begin > earliest && branch.prefix.has(text_[begin - 1])) --begin;
    for (; begin + branch.prefix_min <= literal; ++begin) {
      if (branch.first.has(text_[begin]) && match_at(branch, begin)) return;
    }
  }

  void near(std::uint32_t detector, std::size_t literal_end) {
    const std::size_t until = std::min(text_.size(), literal_end + kNearBytes);
    const Boundary boundary = compiled_.detectors[detector].boundary;
    for (std::size_t at = literal_end; at < until; ++at) {
      if (!starts_well(text_, boundary, at)) continue;
      for (const std::uint32_t index : compiled_.compiled[detector].branches) {
        const CompiledBranch& branch = compiled_.branches[index];
        if (branch.first.has(text_[at]) && match_at(branch, at)) break;
      }
    }
  }

  void regexes(std::uint32_t detector, std::size_t begin, std::size_t end) {
    const Detector& described = compiled_.detectors[detector];
    const bool inside = described.anchor == Anchor::kInside;
    const bool near = described.anchor == Anchor::kNear;
    const std::size_t span = described.max_span;
    const std::size_t from = inside ? begin - std::min(begin, span) : near ? end : begin;
    const std::size_t until = std::min(text_.size(), near ? end + kNearBytes + span : begin + span);
    std::vector<Span> all;
    for (const Regex& regex : compiled_.compiled[detector].regexes) {
      regex.scan(text_.substr(from, until - from), workspace_,
                 [&](std::size_t b, std::size_t e) { all.push_back({from + b, from + e}); });
    }
    std::ranges::sort(
        all, [](Span a, Span b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
    std::size_t taken = 0;
    for (const Span s : all) {
      if (described.anchor == Anchor::kStart && s.begin != begin) continue;
      if (near && s.begin >= end + kNearBytes) continue;
      if (inside && (s.begin > begin || s.end < end)) continue;
      if (s.begin >= taken && accept(detector, s)) taken = s.end;
    }
  }

  bool match_at(const CompiledBranch& branch, std::size_t at) {
    const Boundary boundary = compiled_.detectors[branch.detector].boundary;
    if (!branch.branch.marked && !starts_well(text_, boundary, at)) return false;
    const auto accepts = [&](Span, Span marked) { return accept(branch.detector, marked); };
    return BranchMatcher(text_, branch.branch, accepts).match(at);
  }

  bool accept(std::uint32_t detector, Span place) {
    const Detector& described = compiled_.detectors[detector];
    const CompiledDetector& compiled = compiled_.compiled[detector];
    if (place.end <= place.begin || place.end - place.begin > described.max_span ||
        !starts_well(text_, described.boundary, place.begin) ||
        !ends_well(text_, described.boundary, place.end)) {
      return false;
    }
    if (compiled.check != nullptr) {
      const std::size_t good = compiled.check(text_.substr(place.begin, place.end - place.begin));
      if (good == 0) return false;
      if (good < place.end - place.begin &&
          !ends_well(text_, described.boundary, place.begin + good)) {
        return false;
      }
      place.end = place.begin + good;
    }
    int confidence = described.confidence;
    const auto stands = [&](const std::vector<std::string>& words) {
      return std::ranges::any_of(
          words, [&](const std::string& word) { return word_near(described, place, word); });
    };
    if (!compiled.near.empty() && !stands(compiled.near)) return false;
    if (!compiled.raise.empty() && stands(compiled.raise)) confidence += 40;
    if (!compiled.lower.empty() && stands(compiled.lower)) confidence -= 40;
    const bool context =
        !compiled.near.empty() || !compiled.raise.empty() || !compiled.lower.empty();
    out_.push_back({detector, place, context ? std::clamp(confidence, 0, 100) : confidence});
    return true;
  }

  // A whole word within kContextBefore before the place or max_context_after behind it. One byte
  // more on each side tells whether it is whole.
  bool word_near(const Detector& detector, Span place, const std::string& word) const {
    const std::size_t from = place.begin - std::min(place.begin, kContextBefore + 1);
    const std::size_t first =
        from + (from > 0 || place.begin > kContextBefore ? std::size_t{1} : std::size_t{0});
    const std::size_t until =
        std::min(text_.size(), place.end + detector.max_context_after +
                                   (detector.max_context_after > 0 ? std::size_t{1} : 0));
    const std::string_view window = text_.substr(from, until - from);
    for (std::size_t at = first; at + word.size() <= until; ++at) {
      if (at < place.end && at + word.size() > place.begin) continue;  // the finding's own letters
      bool same = true;
      for (std::size_t i = 0; same && i < word.size(); ++i) same = small(text_[at + i]) == word[i];
      if (same && is_whole_word(window, at - from, at - from + word.size())) return true;
    }
    return false;
  }

  const Compiled& compiled_;
  std::string_view text_;
  const Workspace& workspace_;
  const std::vector<char>& wanted_;
  std::vector<Match>& out_;
};

}  // namespace

struct PlainScan::State : Compiled {
  std::array<std::vector<std::uint32_t>, 256> by_first_byte;  // literals
  Workspace workspace;

  std::vector<Match> matches(std::string_view view, const Wanted& wanted) const {
    std::vector<char> by_detector(detectors.size(), wanted ? 0 : 1);
    if (wanted) wanted(view, by_detector);
    std::vector<Match> out;
    PlainPass pass(*this, view, workspace, by_detector, out);
    pass.digits();
    for (std::size_t at = 0; at < view.size(); ++at) {
      if (view[at] == '@') {
        for (const std::uint32_t d : at_users) {
          if (by_detector[d] != 0) pass.literal(d, {}, at, at + 1);
        }
      }
      for (const std::uint32_t index : by_first_byte[static_cast<unsigned char>(view[at])]) {
        if (!stands(literals[index], view.substr(at))) continue;
        for (const LiteralUse& use : users[index]) {
          if (by_detector[use.detector] == 0) continue;
          pass.literal(use.detector, use.branches, at, at + literals[index].text.size());
        }
      }
    }
    return out;
  }

  static bool stands(const Literal& literal, std::string_view text) {
    if (text.size() < literal.text.size()) return false;
    for (std::size_t i = 0; i < literal.text.size(); ++i) {
      if ((literal.ignore_case ? small(text[i]) : text[i]) != literal.text[i]) return false;
    }
    return true;
  }
};

PlainScan::PlainScan(std::unique_ptr<State> state) : state_(std::move(state)) {}
PlainScan::PlainScan(PlainScan&&) noexcept = default;
PlainScan::~PlainScan() = default;

Result<PlainScan> PlainScan::build(std::vector<Pack> packs) {
  auto state = std::make_unique<State>();
  TRY(compile(std::move(packs), *state));
  for (std::size_t i = 0; i < state->literals.size(); ++i) {
    const Literal& literal = state->literals[i];
    const auto add = [&](char c) {
      state->by_first_byte[static_cast<unsigned char>(c)].push_back(static_cast<std::uint32_t>(i));
    };
    add(literal.text[0]);
    if (literal.ignore_case && is_small(literal.text[0])) {
      add(static_cast<char>(literal.text[0] - 'a' + 'A'));
    }
  }
  for (const CompiledDetector& detector : state->compiled) {
    for (const Regex& regex : detector.regexes) regex.prepare(state->workspace);
  }
  return PlainScan(std::move(state));
}

std::vector<Finding> PlainScan::scan(std::string_view text, int min_confidence,
                                     const Wanted& wanted) const {
  FoldedText folded;
  folded.fold(text);
  std::vector<Candidate> found;
  const auto add = [&](const Match& match, Span place, Layer layer) {
    if (match.confidence < min_confidence) return;
    auto [begin, end] = folded.original(place.begin, place.end);
    const auto inside = [&](std::size_t at) {
      return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
    };
    // A trigger's end is told before what follows is seen, so only a whole character moves it.
    const bool trigger = state_->detectors[match.detector].stream == StreamMode::kTrigger;
    const auto in_character = [&](std::size_t at) {
      for (std::size_t back = 1; back <= std::min<std::size_t>(3, at); ++back) {
        if (utf8_sequence(text.substr(at - back)) > back) return true;
      }
      return false;
    };
    for (int i = 0; i < 3 && begin > 0 && inside(begin); ++i) --begin;
    for (int i = 0; i < 3 && (trigger ? in_character(end) : inside(end)); ++i) ++end;
    found.push_back({{match.detector, begin, end, match.confidence, layer}, false});
  };
  for (const Match& match : state_->matches(folded.text(), wanted)) {
    add(match, match.place, Layer::kPlain);
  }
  if (state_->hidden) {
    for (const auto& [begin, end] : folded.hidden()) {
      const int confidence = state_->detectors[*state_->hidden].confidence;
      if (confidence < min_confidence) continue;
      found.push_back({{*state_->hidden, begin, end, confidence, Layer::kPlain}, false});
    }
  }
  const Opened opened = plain_encodings(folded.text());
  for (const Region& region : opened.regions) {
    const bool binary = region.layer == Layer::kBase64 || region.layer == Layer::kHex;
    FoldedText inner;
    inner.fold(region.decoded);
    for (const Match& match : state_->matches(inner.text(), wanted)) {
      const auto [begin, end] = inner.original(match.place.begin, match.place.end);
      if (region.cut_begin && match.place.begin < (binary ? state_->before : kContextBefore)) {
        continue;
      }
      // What ends before the first escape is the plain text's.
      const Span place{region.from[begin], region.to[end - 1]};
      if (place.end + reach_behind(state_->detectors[match.detector]) <= region.first) continue;
      if (binary && !begins_with_text(region.decoded, begin)) continue;
      add(match, place, region.layer);
    }
  }
  if (state_->opaque && state_->detectors[*state_->opaque].confidence >= min_confidence) {
    const int confidence = state_->detectors[*state_->opaque].confidence;
    for (const OpaqueRun& run : opened.opaque) {  // whole characters, so nothing is widened
      const auto [begin, end] = folded.original(run.begin, run.end);
      found.push_back({{*state_->opaque, begin, end, confidence, run.layer}, false});
    }
  }
  std::ranges::sort(found, {}, [](const Candidate& c) {
    return std::tuple(c.finding.begin, c.finding.end, c.finding.detector, c.finding.layer);
  });
  std::vector<char> lost;
  give_way(state_->detectors, found, lost);
  std::vector<Finding> out;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (lost[i] == 0) out.push_back(found[i].finding);
  }
  return out;
}

}  // namespace candor::dlp
