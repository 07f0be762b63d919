#include "dlp/scanner.h"

#include <algorithm>

#include <fmt/format.h>

#include "dlp/fold.h"
#include "dlp/internal/compiled.h"
#include "dlp/internal/pass.h"
#include "dlp/internal/sweep.h"
#include "dlp/sample_text.h"

namespace candor::dlp {
namespace {

constexpr std::size_t kSampleBytes = 128U << 10U;

// Higher confidence, then severity, then length, then the earlier detector, then the plainer layer.
bool wins(const std::vector<Detector>& detectors, const Finding& a, const Finding& b) {
  const auto rank = [&](const Finding& f) {
    return std::tuple(f.confidence, detectors[f.detector].severity, f.end - f.begin, ~f.detector,
                      -static_cast<int>(f.layer));
  };
  return rank(a) > rank(b);
}

}  // namespace

struct Scanner::State : Compiled {};

struct Scanner::Scratch {
  Workspace workspace;
  FoldedText plain, inner;
  Swept swept;
  std::vector<LiteralHit> hits;
  std::vector<Match> matches;
  Opened opened;
  std::vector<Finding> found;
  std::vector<char> lost;
  std::vector<std::uint64_t> looked;  // bytes examined, by detector; empty: not counted
};

void Scanner::ScratchDeleter::operator()(Scratch* scratch) const { delete scratch; }

Scanner::Scanner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;
Scanner::~Scanner() = default;

const std::vector<Detector>& Scanner::detectors() const noexcept { return state_->detectors; }

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

void Scanner::scan(std::string_view text, Scratch& scratch, std::vector<Finding>& out,
                   int min_confidence) const {
  out.clear();
  scratch.found.clear();
  scratch.plain.fold(text);
  const std::string_view folded = scratch.plain.text();
  const auto add = [&](std::uint32_t detector, Span place, int confidence, Layer layer) {
    if (confidence < min_confidence) return;
    auto [begin, end] = scratch.plain.original(place.begin, place.end);
    const auto inside = [&](std::size_t at) {
      return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
    };
    for (int i = 0; i < 3 && begin > 0 && inside(begin); ++i) --begin;
    for (int i = 0; i < 3 && inside(end); ++i) ++end;
    scratch.found.push_back({detector, begin, end, confidence, layer});
  };
  const auto run = [&](std::string_view view) {
    sweep(view, scratch.swept);
    scratch.hits.clear();
    state_->search.scan(view, scratch.workspace, scratch.hits);
    scratch.matches.clear();
    Pass(*state_, view, scratch.workspace, scratch.looked, scratch.matches)
        .run(scratch.swept, scratch.hits);
  };

  run(folded);
  for (const Match& match : scratch.matches) {
    add(match.detector, match.place, match.confidence, Layer::kPlain);
  }
  if (state_->hidden) {
    const Detector& detector = state_->detectors[*state_->hidden];
    for (const auto& [begin, end] : scratch.plain.hidden()) {
      if (detector.confidence < min_confidence) break;
      scratch.found.push_back({*state_->hidden, begin, end, detector.confidence, Layer::kPlain});
    }
  }

  open_encodings(folded, scratch.swept.hints, scratch.opened);
  for (const Region& region : scratch.opened.regions) {
    scratch.inner.fold(region.decoded);
    const std::string_view view = scratch.inner.text();
    run(view);
    for (const Match& match : scratch.matches) {
      const Detector& detector = state_->detectors[match.detector];
      if (region.cut_begin && match.place.begin < kContextBefore) continue;
      if (region.cut_end &&
          match.place.end + detector.max_context_after + kBoundaryBytes > view.size()) {
        continue;
      }
      const auto [begin, end] = scratch.inner.original(match.place.begin, match.place.end);
      add(match.detector, {region.from[begin], region.to[end - 1]}, match.confidence, region.layer);
    }
  }
  if (state_->opaque) {
    for (const OpaqueRun& opaque : scratch.opened.opaque) {
      add(*state_->opaque, {opaque.begin, opaque.end},
          state_->detectors[*state_->opaque].confidence, opaque.layer);
    }
  }

  std::vector<Finding>& found = scratch.found;
  std::ranges::sort(
      found, {}, [](const Finding& f) { return std::tuple(f.begin, f.end, f.detector, f.layer); });
  scratch.lost.assign(found.size(), 0);
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (std::size_t j = i + 1; j < found.size() && found[j].begin < found[i].end; ++j) {
      scratch.lost[wins(state_->detectors, found[i], found[j]) ? j : i] = 1;
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (scratch.lost[i] == 0) out.push_back(found[i]);
  }
}

std::vector<Finding> Scanner::scan(std::string_view text) const {
  const auto scratch = make_scratch();
  std::vector<Finding> out;
  scan(text, *scratch, out);
  return out;
}

}  // namespace candor::dlp
