#include "dlp/stream_guard.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <tuple>

#include "dlp/fold.h"
#include "dlp/internal/decode.h"
#include "dlp/internal/opaque_watch.h"
#include "dlp/internal/outlook.h"

namespace candor::dlp {
namespace {

// While more is held, it is looked at every kHeldStep bytes only, which bounds the work.
constexpr std::size_t kEagerBytes = 8192;
// The text that one decoded byte may stand for: two hexadecimal digits and white space.
constexpr std::size_t kWidestCode = 2 + kMaxGap;
constexpr std::size_t kEscapeReach = kMarginBefore + kMarginAfter + 2 * kLongestEscape;
constexpr std::size_t kMaxRuns = 64;

// Where the last character stands that may begin an escape.
std::optional<std::size_t> last_mark(std::string_view text) {
  const char* last = nullptr;
  for (const char mark : {'%', '&', '\\'}) {
    const char* from = last == nullptr ? text.data() : last + 1;
    const auto size = static_cast<std::size_t>(text.data() + text.size() - from);
    const void* found = memrchr(from, mark, size);  // glibc's; rfind() goes byte by byte
    if (found != nullptr) last = static_cast<const char*>(found);
  }
  if (last == nullptr) return std::nullopt;
  return static_cast<std::size_t>(last - text.data());
}

// The folded text before what is held: as much as anything held may depend on.
class Context {
 public:
  explicit Context(std::size_t look_back)
      : near_(look_back), far_(look_back * kWidestCode + kEscapeReach) {}

  void add(std::string_view folded) {
    text_ += folded;
    if (text_.size() > 2 * far_) text_.erase(0, aligned(text_.size() - far_));
    start_ = start();
  }
  [[nodiscard]] std::string_view view() const { return std::string_view(text_).substr(start_); }

 private:
  // A place from which a scan sees the same of all that comes: where no encoding is under way, or
  // so far back that its beginning does not matter.
  [[nodiscard]] std::size_t start() const {
    if (text_.size() <= near_) return 0;
    const std::size_t floor = text_.size() > far_ ? aligned(text_.size() - far_) : 0;
    std::size_t at = text_.size() - near_;
    while (at > floor) {
      if (!ends_chains(text_[at])) {
        --at;
        continue;
      }
      const std::size_t from = at - std::min(at, kEscapeReach);
      const auto mark = last_mark(std::string_view(text_).substr(from, at - from));
      if (!mark) return at;
      at = from + *mark;
    }
    return floor;
  }

  // Not between two backslashes that belong together; a run that begins the text does so rightly.
  [[nodiscard]] std::size_t aligned(std::size_t at) const {
    std::size_t run = at;
    while (run > 0 && text_[run - 1] == '\\') --run;
    return at - (at - run) % 2;
  }

  std::size_t near_, far_;
  std::string text_;
  std::size_t start_ = 0;
};

// Appends parts; texts that follow each other become one.
class Parts {
 public:
  explicit Parts(std::vector<Part>& out) : out_(out), first_(out.size()) {}

  void text(std::string_view text) {
    if (text.empty()) return;
    if (out_.size() > first_ && out_.back().kind == Part::Kind::kText) {
      out_.back().text += text;
    } else {
      out_.push_back({Part::Kind::kText, std::string(text), {}});
    }
  }
  void finding(Part::Kind kind, std::string_view text, const Finding& finding) {
    if (kind == Part::Kind::kMore && text.empty()) return;
    out_.push_back({kind, std::string(text), finding});
  }

 private:
  std::vector<Part>& out_;
  std::size_t first_;
};

}  // namespace

struct StreamGuard::State {
  State(const Scanner& of, int confidence)
      : scanner(&of), min_confidence(confidence), context(of.look_back()) {
    buffers = std::ranges::any_of(
        of.detectors(), [](const Detector& d) { return d.stream == StreamMode::kBuffer; });
    notes = of.opaque() && of.detectors()[*of.opaque()].confidence >= confidence;
  }

  void take(std::string_view piece, Scanner::Scratch& scratch, Parts& parts);
  void settle(bool ended, Scanner::Scratch& scratch, Parts& parts);
  bool go_on(bool ended, Parts& parts);
  std::size_t limit_of() const;
  void release(std::size_t limit, Parts& parts);
  void advance(std::size_t size, Parts& parts);
  void watch(Parts& parts);
  void watch_bytes(std::string_view text, Parts& parts);
  void tell_runs(Parts& parts);
  void give_up(Parts& parts);

  [[nodiscard]] Finding placed(Finding finding) const {
    finding.begin += base;
    finding.end += base;
    return finding;
  }

  const Scanner* scanner;
  int min_confidence;
  bool buffers = false, notes = false;

  Context context;
  std::string held;  // from byte `base` of the field on
  std::size_t base = 0;
  std::size_t fed = 0;
  std::optional<Finding> open;  // a trigger's finding that begins at base and goes on
  std::size_t out_already = 0;  // bytes of held that are out, as that finding's
  std::optional<Finding> gave_up;
  std::optional<Finding> last;  // the last finding that is out

  OpaqueWatch base64{Layer::kBase64}, hex{Layer::kHex};
  std::vector<OpaqueRun> runs;

  // Kept for its memory.
  Outlook outlook;
  std::vector<char> lost;
  FoldedText folded;
};

void StreamGuard::State::take(std::string_view piece, Scanner::Scratch& scratch, Parts& parts) {
  while (!piece.empty()) {
    const std::string_view now = piece.substr(0, kHeldStep - fed % kHeldStep);
    piece.remove_prefix(now.size());
    fed += now.size();
    held += now;
    if (gave_up) {
      give_up(parts);
      continue;
    }
    const bool at_step = fed % kHeldStep == 0;
    if (!buffers && (at_step || held.size() - out_already <= kEagerBytes)) {
      settle(false, scratch, parts);
    }
    if (at_step && held.size() - out_already > (buffers ? kMaxBuffered : kMaxHeld)) {
      give_up(parts);
    }
  }
}

void StreamGuard::State::settle(bool ended, Scanner::Scratch& scratch, Parts& parts) {
  for (;;) {
    std::string_view text = held;
    if (!ended) text.remove_suffix(cut_sequence(text));
    if (text.empty()) return;
    scanner->look(context.view(), text, ended, scratch, min_confidence, outlook);
    if (open) {
      if (go_on(ended, parts)) return;
      continue;
    }
    give_way(scanner->detectors(), outlook.candidates, lost);
    const std::size_t limit = limit_of();
    std::optional<Finding> fired;
    for (std::size_t i = 0; i < lost.size(); ++i) {
      const Candidate& c = outlook.candidates[i];
      if (c.goes_on && lost[i] == 0 && c.finding.begin == limit) fired = placed(c.finding);
    }
    release(limit, parts);
    if (fired) {
      open = fired;
      out_already = fired->end - fired->begin;
      parts.finding(Part::Kind::kFinding, std::string_view(held).substr(0, out_already), *open);
    }
    return;
  }
}

// More of the trigger's finding; false: it has ended and is out.
bool StreamGuard::State::go_on(bool ended, Parts& parts) {
  std::size_t end = out_already;
  bool goes_on = false;
  for (const Candidate& c : outlook.candidates) {
    if (c.finding.begin != 0 || c.finding.detector != open->detector ||
        !is_trigger(scanner->detectors(), c.finding)) {
      continue;
    }
    end = std::max(end, c.finding.end);
    goes_on = goes_on || c.goes_on;
  }
  open->end = base + end;
  const std::string more = held.substr(out_already, end - out_already);
  parts.finding(Part::Kind::kMore, more, *open);
  out_already = end;
  if (goes_on && !ended) return true;
  open.reset();
  out_already = 0;
  // All else that begins in it counts for nothing.
  std::erase_if(outlook.candidates,
                [&](const Candidate& c) { return c.finding.begin != 0 || c.finding.end != end; });
  advance(end, parts);
  return false;
}

// How much of held is settled: nothing of it may reach over its end.
std::size_t StreamGuard::State::limit_of() const {
  std::size_t limit = outlook.settled;
  for (std::size_t i = 0; i < lost.size(); ++i) {
    const Candidate& c = outlook.candidates[i];
    if (c.goes_on && lost[i] == 0) limit = std::min(limit, c.finding.begin);
  }
  for (std::size_t i = lost.size(); i-- > 0;) {
    const Finding& f = outlook.candidates[i].finding;
    if (lost[i] != kShadowed && f.begin < limit && f.end > limit) limit = f.begin;
  }
  return limit;
}

void StreamGuard::State::release(std::size_t limit, Parts& parts) {
  const std::string_view text = held;
  std::size_t at = 0;
  for (std::size_t i = 0; i < lost.size(); ++i) {
    const Finding& f = outlook.candidates[i].finding;
    if (lost[i] != 0 || f.begin >= limit) continue;
    parts.text(text.substr(at, f.begin - at));
    const bool told = scanner->detectors()[f.detector].stream == StreamMode::kMonitor;
    const std::string_view bytes = text.substr(f.begin, f.end - f.begin);
    Finding whole = placed(f);
    const bool more = last && same_passage(scanner->detectors(), *last, whole);
    if (more) whole.begin = last->begin;
    if (told) {
      parts.text(bytes);
      parts.finding(Part::Kind::kNote, "", whole);
    } else {
      parts.finding(more ? Part::Kind::kMore : Part::Kind::kFinding, bytes, whole);
    }
    last = whole;
    at = f.end;
  }
  parts.text(text.substr(at, limit - at));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < lost.size(); ++i) {
    if (lost[i] != kShadowed && outlook.candidates[i].finding.begin < limit) {
      outlook.candidates[kept++] = outlook.candidates[i];
    }
  }
  outlook.candidates.resize(kept);
  advance(limit, parts);
}

// outlook.candidates: those that begin in the first `size` bytes of held.
void StreamGuard::State::advance(std::size_t size, Parts& parts) {
  if (size == 0) return;
  folded.fold(std::string_view(held).substr(0, size));
  context.add(folded.text());
  if (notes) watch(parts);
  held.erase(0, size);
  base += size;
}

void StreamGuard::State::watch(Parts& parts) {
  const std::string_view text = folded.text();
  // A piece of prose, in which no more can end than is kept anyway.
  const bool plain = folded.straight() && outlook.candidates.empty() &&
                     runs.size() + 2 * (text.size() / kMinEncoded + 1) <= kMaxRuns;
  if (plain) {
    base64.add_text(text, base, runs);
    hex.add_text(text, base, runs);
  } else {
    watch_bytes(text, parts);
  }
  const std::size_t under_way = std::min(base64.begin(), hex.begin());
  if (std::ranges::all_of(runs, [&](const OpaqueRun& run) { return run.end <= under_way; })) {
    tell_runs(parts);
  }
}

void StreamGuard::State::watch_bytes(std::string_view text, Parts& parts) {
  std::size_t next = 0;
  std::size_t covered_to = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto [begin, end] = folded.original(i, i + 1);
    for (; next < outlook.candidates.size() && outlook.candidates[next].finding.begin <= begin;
         ++next) {
      covered_to = std::max(covered_to, outlook.candidates[next].finding.end);
    }
    const bool covered = begin < covered_to;
    base64.add(text[i], base + begin, base + end, covered, runs);
    hex.add(text[i], base + begin, base + end, covered, runs);
    if (runs.size() > kMaxRuns) tell_runs(parts);
  }
}

void StreamGuard::State::tell_runs(Parts& parts) {
  if (runs.empty()) return;
  std::vector<Candidate> all;
  const Detector& detector = scanner->detectors()[*scanner->opaque()];
  for (const OpaqueRun& run : runs) {
    all.push_back({{*scanner->opaque(), run.begin, run.end, detector.confidence, run.layer}});
  }
  std::ranges::sort(all, {}, [](const Candidate& c) {
    return std::tuple(c.finding.begin, c.finding.end, c.finding.layer);
  });
  give_way(scanner->detectors(), all, lost);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (lost[i] == 0) parts.finding(Part::Kind::kNote, "", all[i].finding);
  }
  runs.clear();
}

// Fails closed: what could not be decided is a finding, and so is all that follows.
void StreamGuard::State::give_up(Parts& parts) {
  const std::string_view rest = std::string_view(held).substr(out_already);
  const std::size_t begin = base + out_already;
  if (!gave_up) {
    const std::uint32_t detector = scanner->undecided();
    gave_up = Finding{detector, begin, begin + rest.size(),
                      scanner->detectors()[detector].confidence, Layer::kPlain};
    parts.finding(Part::Kind::kFinding, rest, *gave_up);
  } else {
    gave_up->end = begin + rest.size();
    parts.finding(Part::Kind::kMore, rest, *gave_up);
  }
  base += held.size();
  held.clear();
  out_already = 0;
}

StreamGuard::StreamGuard(const Scanner& scanner, int min_confidence)
    : state_(std::make_unique<State>(scanner, min_confidence)) {}
StreamGuard::StreamGuard(StreamGuard&&) noexcept = default;
StreamGuard& StreamGuard::operator=(StreamGuard&&) noexcept = default;
StreamGuard::~StreamGuard() = default;

void StreamGuard::feed(std::string_view piece, Scanner::Scratch& scratch, std::vector<Part>& out) {
  Parts parts(out);
  state_->take(piece, scratch, parts);
}

void StreamGuard::finish(Scanner::Scratch& scratch, std::vector<Part>& out) {
  Parts parts(out);
  if (!state_->gave_up) {
    state_->settle(true, scratch, parts);
    state_->base64.finish(state_->runs);
    state_->hex.finish(state_->runs);
    state_->tell_runs(parts);
  }
  *state_ = State(*state_->scanner, state_->min_confidence);
}

std::size_t StreamGuard::held() const noexcept { return state_->held.size() - state_->out_already; }

}  // namespace candor::dlp
