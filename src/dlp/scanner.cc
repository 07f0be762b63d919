#include "dlp/scanner.h"

#include <algorithm>
#include <functional>
#include <ranges>

#include <fmt/format.h>

#include "base/text.h"
#include "dlp/fold.h"
#include "dlp/internal/compiled.h"
#include "dlp/internal/outlook.h"
#include "dlp/internal/pass.h"
#include "dlp/internal/sweep.h"
#include "dlp/sample_text.h"

namespace candor::dlp {
namespace {

constexpr std::size_t kSampleBytes = 128U << 10U;

}  // namespace

struct Scanner::Scratch {
  Workspace workspace;
  FoldedText plain, inner;
  Swept swept;
  std::vector<LiteralHit> hits;
  std::vector<Match> matches;
  Opened opened;
  std::string joined;
  std::vector<Candidate> found;
  std::vector<char> lost;
  std::vector<std::uint64_t> looked;  // bytes examined, by detector; empty: not counted
};

struct Scanner::State : Compiled {
  // Matches that begin before the floor may be left out.
  void run(std::string_view view, std::size_t floor, Scratch& scratch, Pending* pending) const;
  // Fills scratch.found with all that is found in text, in order; context: folded text before it.
  // pending: of context and the folded text together, where the text may go on.
  void collect(std::string_view context, std::string_view text, Scratch& scratch,
               int min_confidence, Pending* pending) const;
  void collect_region(const Region& region, std::size_t context, Scratch& scratch,
                      const std::function<void(const Match&, Span, Layer)>& add,
                      Pending* pending) const;
};

void Scanner::ScratchDeleter::operator()(Scratch* scratch) const { delete scratch; }

Scanner::Scanner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;
Scanner::~Scanner() = default;

const std::vector<Detector>& Scanner::detectors() const noexcept { return state_->detectors; }
std::uint32_t Scanner::undecided() const noexcept { return state_->undecided; }
std::optional<std::uint32_t> Scanner::opaque() const noexcept { return state_->opaque; }
std::size_t Scanner::look_back() const noexcept { return state_->before; }

Result<Scanner> Scanner::build(std::vector<Pack> packs) {
  auto state = std::make_unique<State>();
  TRY(compile(std::move(packs), *state));
  Scanner scanner(std::move(state));
  // The floor of cost: what each detector's anchors make of a text that holds nothing on purpose.
  static const std::string sample = sample_text(kSampleBytes, 1);
  const auto scratch = scanner.make_scratch();
  scratch->looked.assign(scanner.detectors().size(), 0);
  std::vector<Finding> found;
  scanner.scan(sample, *scratch, found);
  for (std::size_t i = 0; i < scratch->looked.size(); ++i) {
    if (scratch->looked[i] * 2 <= sample.size()) continue;
    const Detector& detector = scanner.detectors()[i];
    return fail(
        Code::kInvalidArgument,
        fmt::format("{}: detector {}, pattern {}: too slow: it examines {:.1f} bytes for "
                    "each byte of ordinary text, where at most 0.5 are allowed (about 200 "
                    "MB/s); give it rarer literals",
                    detector.origin, detector.id, detector.patterns.front(),
                    static_cast<double>(scratch->looked[i]) / static_cast<double>(sample.size())));
  }
  return scanner;
}

Scanner::ScratchPtr Scanner::make_scratch() const {
  ScratchPtr scratch(new Scratch);  // NOLINT(cppcoreguidelines-owning-memory): its deleter is ours
  state_->search.prepare(scratch->workspace);
  for (const CompiledDetector& detector : state_->compiled) {
    for (const Regex& regex : detector.regexes) regex.prepare(scratch->workspace);
  }
  return scratch;
}

void Scanner::State::run(std::string_view view, std::size_t floor, Scratch& scratch,
                         Pending* pending) const {
  const std::size_t reach = std::max({lead, digit_lead, longest_offset});
  sweep(view, scratch.swept, floor - std::min(floor, reach));
  scratch.hits.clear();
  search.scan(view, scratch.workspace, scratch.hits, floor - std::min(floor, literals_before));
  scratch.matches.clear();
  Pass(*this, view, floor, scratch.workspace, scratch.looked, scratch.matches, pending)
      .run(scratch.swept, scratch.hits);
}

void Scanner::State::collect(std::string_view context, std::string_view text, Scratch& scratch,
                             int min_confidence, Pending* pending) const {
  scratch.found.clear();
  scratch.plain.fold(text);
  std::string_view view = scratch.plain.text();
  if (!context.empty()) {
    scratch.joined.assign(context).append(view);
    view = scratch.joined;
  }
  const auto add = [&](const Match& match, Span place, Layer layer) {
    if (match.confidence < min_confidence || place.begin < context.size()) return;
    auto [begin, end] =
        scratch.plain.original(place.begin - context.size(), place.end - context.size());
    const auto inside = [&](std::size_t at) {
      return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
    };
    // A trigger's end is told before what follows is seen, so only a whole character moves it.
    const bool trigger = detectors[match.detector].stream == StreamMode::kTrigger;
    const auto in_character = [&](std::size_t at) {
      for (std::size_t back = 1; back <= std::min<std::size_t>(3, at); ++back) {
        if (utf8_sequence(text.substr(at - back)) > back) return true;
      }
      return false;
    };
    for (int i = 0; i < 3 && begin > 0 && inside(begin); ++i) --begin;
    for (int i = 0; i < 3 && (trigger ? in_character(end) : inside(end)); ++i) ++end;
    const Finding finding{match.detector, begin, end, match.confidence, layer};
    // More of a broken sequence may follow.
    if (pending != nullptr && end == text.size() && !is_trigger(detectors, finding)) {
      pending->add(place.begin);
    }
    scratch.found.push_back(
        {finding, pending != nullptr && match.touched && is_trigger(detectors, finding)});
  };

  run(view, context.size(), scratch, pending);
  for (const Match& match : scratch.matches) add(match, match.place, Layer::kPlain);
  if (hidden && detectors[*hidden].confidence >= min_confidence) {
    for (const auto& [begin, end] : scratch.plain.hidden()) {
      const Finding finding{*hidden, begin, end, detectors[*hidden].confidence, Layer::kPlain};
      scratch.found.push_back({finding, false});
    }
  }

  open_encodings(view, scratch.swept.hints, scratch.opened,
                 pending != nullptr ? Ending::kMayGoOn : Ending::kEnds, context.size());
  for (const Region& region : scratch.opened.regions) {
    if (region.end <= context.size() && !region.open) continue;
    collect_region(region, context.size(), scratch, std::ref(add), pending);
  }
  if (pending != nullptr) {
    for (const std::size_t place : scratch.opened.undecided) pending->add(place);
  } else if (opaque && context.empty() && detectors[*opaque].confidence >= min_confidence) {
    // Whole characters already; a stray byte behind them is not the run's, and a stream guard has
    // told its end by then.
    for (const OpaqueRun& run : scratch.opened.opaque) {
      const auto [begin, end] = scratch.plain.original(run.begin, run.end);
      scratch.found.push_back(
          {{*opaque, begin, end, detectors[*opaque].confidence, run.layer}, false});
    }
  }
  std::ranges::sort(scratch.found, {}, [](const Candidate& c) {
    return std::tuple(c.finding.begin, c.finding.end, c.finding.detector, c.finding.layer);
  });
}

void Scanner::State::collect_region(const Region& region, std::size_t context, Scratch& scratch,
                                    const std::function<void(const Match&, Span, Layer)>& add,
                                    Pending* pending) const {
  const bool binary = region.layer == Layer::kBase64 || region.layer == Layer::kHex;
  std::string_view decoded = region.decoded;
  if (region.open) {
    const std::size_t cut = cut_sequence(decoded);
    if (cut > 0) pending->add(region.from[decoded.size() - cut]);
    decoded.remove_suffix(cut);
  }
  scratch.inner.fold(decoded);
  const std::string_view view = scratch.inner.text();
  if (region.open && scratch.inner.ends_in_dropped() < decoded.size()) {
    pending->add(region.from[scratch.inner.ends_in_dropped()]);
  }
  const auto from = [&](std::size_t at) {
    return std::size_t{region.from[scratch.inner.original(at, at + 1).first]};
  };
  const auto places = std::views::iota(std::size_t{0}, view.size());
  Pending inside{.floor = *std::ranges::lower_bound(places, context, {}, from)};
  run(view, inside.floor, scratch, region.open ? &inside : nullptr);
  if (region.open && inside.at < view.size()) pending->add(from(inside.at));
  const std::size_t seen_before = binary ? before : kContextBefore;
  for (const Match& match : scratch.matches) {
    const auto [begin, end] = scratch.inner.original(match.place.begin, match.place.end);
    const Span place{region.from[begin], region.to[end - 1]};
    if (region.cut_begin && match.place.begin < seen_before) continue;
    // What ends before the first escape is the plain text's (encoding.h, Region::first).
    if (place.end + reach_behind(detectors[match.detector]) <= region.first) continue;
    if (region.open &&
        (region.unsure || match.touched || (binary && begin + kMinText > decoded.size()))) {
      pending->add(place.begin);
    } else if (!(region.cut_end && match.touched) &&
               (!binary || begins_with_text(decoded, begin))) {
      add(match, place, region.layer);
    }
  }
}

void Scanner::scan(std::string_view text, Scratch& scratch, std::vector<Finding>& out,
                   int min_confidence) const {
  out.clear();
  state_->collect({}, text, scratch, min_confidence, nullptr);
  give_way(state_->detectors, scratch.found, scratch.lost);
  for (std::size_t i = 0; i < scratch.found.size(); ++i) {
    if (scratch.lost[i] != 0) continue;
    const Finding& finding = scratch.found[i].finding;
    if (!out.empty() && same_passage(state_->detectors, out.back(), finding)) {
      out.back().end = finding.end;
    } else {
      out.push_back(finding);
    }
  }
}

void Scanner::look(std::string_view context, std::string_view text, bool ended, Scratch& scratch,
                   int min_confidence, Outlook& out) const {
  Pending pending{.floor = context.size()};
  state_->collect(context, text, scratch, min_confidence, ended ? nullptr : &pending);
  out.candidates = scratch.found;
  out.settled = text.size();
  if (ended) return;
  out.settled = scratch.plain.ends_in_dropped();
  if (pending.at - context.size() < scratch.plain.text().size()) {
    const std::size_t at = pending.at - context.size();
    out.settled = std::min(out.settled, scratch.plain.original(at, at + 1).first);
  }
  for (int i = 0; i < 3 && out.settled > 0 && out.settled < text.size() &&
                  (static_cast<unsigned char>(text[out.settled]) & 0xC0U) == 0x80;
       ++i) {
    --out.settled;
  }
}

std::vector<Finding> Scanner::scan(std::string_view text) const {
  const auto scratch = make_scratch();
  std::vector<Finding> out;
  scan(text, *scratch, out);
  return out;
}

}  // namespace candor::dlp
