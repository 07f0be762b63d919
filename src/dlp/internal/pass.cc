#include "dlp/internal/pass.h"

#include <algorithm>

namespace candor::dlp {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return is_small(c) || (c >= 'A' && c <= 'Z'); }

// The letter of an escape such as \n, which touches what follows it in JSON and source code.
bool is_escape_letter(std::string_view text, std::size_t at) {
  return at > 0 && text[at - 1] == '\\' && std::string_view("nrtbfv").contains(text[at]);
}

// Not the middle of a longer word; parts of camelCase are words.
bool is_whole_word(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_letter(text[begin]) && is_letter(text[begin - 1]) &&
      (!is_small(text[begin - 1]) || is_small(text[begin])) && !is_escape_letter(text, begin - 1)) {
    return false;
  }
  return end >= text.size() || !is_letter(text[end - 1]) || !is_small(text[end]);
}

}  // namespace

void Pass::run(const Swept& swept, const std::vector<LiteralHit>& hits) {
  if (pending_ != nullptr) open_end(swept.digits);
  digit_runs(swept.digits);
  for (const std::uint32_t at : swept.ats) {
    if (at + compiled_.lead < floor_) continue;
    for (const std::uint32_t detector : compiled_.at_users) literal({detector, {}}, at, at + 1);
  }
  for (const LiteralHit& hit : hits) {
    const std::size_t begin = hit.end - compiled_.literals[hit.literal].text.size();
    for (const LiteralUse& use : compiled_.users[hit.literal]) literal(use, begin, hit.end);
  }
  sets();
}

void Pass::digit_runs(const std::vector<DigitRun>& runs) {
  for (const DigitRun& run : runs) {
    if (run.begin + compiled_.digit_lead < floor_) continue;
    const std::size_t end = run.begin + run.length;
    if (pending_ != nullptr && end == text_.size()) return;  // open_digits() looks at it
    compiled_.digits.each(
        text_, run, [&](Boundary boundary) { return starts_well(boundary, run.begin); },
        [&](std::uint32_t index) {
          const CompiledBranch& branch = compiled_.branches[index];
          if (run.begin < branch.lead.offset || run.length < branch.lead.min_run ||
              run.length > branch.lead.max_run) {
            return;
          }
          const std::size_t before = out_.size();
          (void)match_at(branch, run.begin - branch.lead.offset);
          tried(branch.detector, run.begin - branch.lead.offset, before);
        });
  }
}

void Pass::literal(const LiteralUse& use, std::size_t begin, std::size_t end) {
  const std::uint32_t detector = use.detector;
  const CompiledDetector& compiled = compiled_.compiled[detector];
  const Anchor anchor = compiled_.detectors[detector].anchor;
  if (anchor != Anchor::kNear && begin + compiled_.lead < floor_ && compiled.regexes.empty())
    return;
  switch (anchor) {
    case Anchor::kStart: {
      const std::size_t before = out_.size();
      for (const std::uint32_t index : use.branches) {
        if (match_at(compiled_.branches[index], begin)) break;
      }
      tried(detector, begin, before);
      break;
    }
    case Anchor::kInside:
      for (const std::uint32_t index : compiled.branches) inside(compiled_.branches[index], begin);
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

void Pass::inside(const CompiledBranch& branch, std::size_t literal) {
  const auto anything = [](Span, Span) { return true; };
  BranchMatcher tail(text_, branch.tail, anything);
  const bool fits = tail.match(literal);
  count(branch.detector, tail.looked());
  touched_ |= tail.touched();
  looked(walk_back(branch.detector, literal), literal);
  if (!fits) return;
  std::size_t begin = literal;
  const std::size_t earliest = literal - std::min(literal, branch.prefix_max);
  while (begin > earliest && branch.prefix.has(text_[begin - 1])) --begin;
  for (; begin + branch.prefix_min <= literal; ++begin) {
    if (!branch.first.has(text_[begin])) continue;
    const std::size_t before = out_.size();
    const bool matched = match_at(branch, begin);
    tried(branch.detector, begin, before);
    if (matched) return;
  }
}

void Pass::near(std::uint32_t detector, std::size_t literal_end) {
  const std::size_t until = std::min(text_.size(), literal_end + kNearBytes);
  count(detector, until - literal_end);
  const Boundary boundary = compiled_.detectors[detector].boundary;
  const std::size_t first = floor_ - std::min(floor_, compiled_.lead);
  for (std::size_t at = std::max(literal_end, first); at < until && matters(detector, at); ++at) {
    if (!starts_well(boundary, at)) continue;
    const std::size_t before = out_.size();
    for (const std::uint32_t index : compiled_.compiled[detector].branches) {
      const CompiledBranch& branch = compiled_.branches[index];
      if (branch.first.has(text_[at]) && match_at(branch, at)) break;
    }
    tried(detector, at, before);
  }
}

void Pass::regexes(std::uint32_t detector, std::size_t begin, std::size_t end) {
  const Detector& described = compiled_.detectors[detector];
  std::size_t from = begin;
  std::size_t until = begin + described.max_span;
  if (described.anchor == Anchor::kInside)
    from = begin - std::min<std::size_t>(begin, described.max_span);
  if (described.anchor == Anchor::kNear) {
    from = end;
    until = end + kNearBytes + described.max_span;
  }
  touched_ |= until > text_.size();
  looked(from, text_.size());
  until = std::min(until, text_.size());
  count(detector, until - from);
  std::vector<Span> all;
  for (const Regex& regex : compiled_.compiled[detector].regexes) {
    regex.scan(text_.substr(from, until - from), workspace_,
               [&](std::size_t b, std::size_t e) { all.push_back({from + b, from + e}); });
  }
  // The longest of each beginning first.
  std::ranges::sort(
      all, [](Span a, Span b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
  std::size_t taken = 0;
  for (const Span span : all) {
    if (described.anchor == Anchor::kStart && span.begin != begin) continue;
    if (described.anchor == Anchor::kNear && span.begin >= end + kNearBytes) continue;
    if (described.anchor == Anchor::kInside && (span.begin > begin || span.end < end)) continue;
    if (span.begin < taken) continue;
    const std::size_t before = out_.size();
    if (accept(detector, span)) taken = span.end;
    tried(detector, span.begin, before);
  }
}

bool Pass::match_at(const CompiledBranch& branch, std::size_t at) {
  if (at > text_.size() || !matters(branch.detector, at)) return false;
  if (!branch.branch.marked && !starts_well(compiled_.detectors[branch.detector].boundary, at)) {
    return false;
  }
  const auto accepts = [&](Span, Span marked) { return accept(branch.detector, marked); };
  BranchMatcher matcher(text_, branch.branch, accepts);
  const bool matched = matcher.match(at);
  count(branch.detector, matcher.looked());
  touched_ |= matcher.touched();
  return matched;
}

void Pass::looked(std::size_t first, std::size_t last) {
  if (touched_ && pending_ != nullptr) pending_->add_between(first, last);
  touched_ = false;
}

void Pass::tried(std::uint32_t detector, std::size_t begin, std::size_t matches_before) {
  if (!touched_) return;
  touched_ = false;
  for (std::size_t i = matches_before; i < out_.size(); ++i) out_[i].touched = true;
  if (pending_ == nullptr) return;
  // A trigger that has matched stands, however far it goes on.
  const bool certain = compiled_.detectors[detector].stream == StreamMode::kTrigger;
  if (!certain || out_.size() == matches_before) pending_->add(begin);
}

bool Pass::starts_well(Boundary boundary, std::size_t at) const {
  if (boundary == Boundary::kNone || at == 0 || at >= text_.size()) return true;
  const char before = text_[at - 1];
  const char here = text_[at];
  if (before == '\\' && is_escape_letter(text_, at)) return false;  // it begins one letter later
  if (boundary == Boundary::kNumber) {
    if (is_digit(before) || (is_letter(before) && !is_escape_letter(text_, at - 1))) return false;
    return !(std::string_view(".,-").contains(before) && at > 1 && is_digit(text_[at - 2]) &&
             before != ',');
  }
  if (boundary == Boundary::kAddress && before == ':' && at > 1 && is_hex(text_[at - 2])) {
    return false;
  }
  return !is_word_byte(here) || !is_word_byte(before) || is_escape_letter(text_, at - 1);
}

bool Pass::ends_well(Boundary boundary, std::size_t at) {
  if (boundary == Boundary::kNone || at == 0) return true;
  if (at >= text_.size()) {
    touched_ = true;
    return true;
  }
  const char last = text_[at - 1];
  const char behind = text_[at];
  if (boundary != Boundary::kWord && at + 1 == text_.size() &&
      std::string_view(".-:").contains(behind)) {
    touched_ = true;
  }
  if (boundary == Boundary::kNumber) {
    if (is_digit(behind) || is_letter(behind)) return false;
    return !(std::string_view(".-").contains(behind) && at + 1 < text_.size() &&
             is_digit(text_[at + 1]));
  }
  if (boundary == Boundary::kAddress && behind == ':' && at + 1 < text_.size() &&
      (is_hex(text_[at + 1]) || text_[at + 1] == ':')) {
    return false;
  }
  return !is_word_byte(last) || !is_word_byte(behind);
}

bool Pass::accept(std::uint32_t detector, Span marked) {
  const Detector& described = compiled_.detectors[detector];
  const CompiledDetector& compiled = compiled_.compiled[detector];
  if (marked.end <= marked.begin || marked.end - marked.begin > described.max_span) return false;
  if (!starts_well(described.boundary, marked.begin) ||
      !ends_well(described.boundary, marked.end)) {
    return false;
  }
  if (compiled.check != nullptr) {
    const std::size_t good = compiled.check(text_.substr(marked.begin, marked.end - marked.begin));
    if (good == 0) return false;
    if (good < marked.end - marked.begin && !ends_well(described.boundary, marked.begin + good)) {
      return false;
    }
    marked.end = marked.begin + good;
  }
  const int confidence = confidence_of(detector, marked);
  if (confidence < 0) return false;
  out_.push_back({detector, marked, confidence});
  return true;
}

int Pass::confidence_of(std::uint32_t detector, Span place) {
  const CompiledDetector& compiled = compiled_.compiled[detector];
  int confidence = compiled_.detectors[detector].confidence;
  if (compiled.near.empty() && compiled.raise.empty() && compiled.lower.empty()) return confidence;
  open_window(compiled_.detectors[detector], place);
  if (!compiled.near.empty() && !has_word(compiled.near)) return -1;
  if (!compiled.raise.empty() && has_word(compiled.raise)) confidence += 40;
  if (!compiled.lower.empty() && has_word(compiled.lower)) confidence -= 40;
  return std::clamp(confidence, 0, 100);
}

void Pass::open_window(const Detector& detector, Span place) {
  // One byte more on each side tells whether a word is whole.
  const std::size_t from = place.begin - std::min(place.begin, kContextBefore + 1);
  const std::size_t wanted =
      place.end + detector.max_context_after + (detector.max_context_after > 0 ? 1U : 0U);
  const std::size_t until = std::min(text_.size(), wanted);
  touched_ |= wanted > text_.size();
  window_first_ = from > 0 || place.begin > kContextBefore ? 1 : 0;
  window_text_ = text_.substr(from, until - from);
  window_.assign(window_text_);
  // The finding's own letters are no context.
  for (char& c : window_) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::fill(window_.begin() + static_cast<std::ptrdiff_t>(place.begin - from),
            window_.begin() + static_cast<std::ptrdiff_t>(place.end - from), '\0');
}

bool Pass::has_word(const std::vector<std::string>& words) const {
  const std::string_view window = window_;
  for (const std::string& word : words) {
    for (std::size_t at = window.find(word, window_first_); at != std::string_view::npos;
         at = window.find(word, at + 1)) {
      if (is_whole_word(window_text_, at, at + word.size())) return true;
    }
  }
  return false;
}

}  // namespace candor::dlp
