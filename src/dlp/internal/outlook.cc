#include "dlp/internal/outlook.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace candor::dlp {
namespace {

bool holds(const Finding& whole, const Finding& part) {
  return whole.begin <= part.begin && part.end <= whole.end;
}

bool wins(const std::vector<Detector>& detectors, const Finding& a, const Finding& b) {
  const Detector& of_a = detectors[a.detector];
  const Detector& of_b = detectors[b.detector];
  const bool told = of_a.stream == StreamMode::kMonitor || of_b.stream == StreamMode::kMonitor;
  if (!told && is_registered(of_a.anchor) != is_registered(of_b.anchor)) {
    const bool a_holds_b = holds(a, b);
    const bool b_holds_a = holds(b, a);
    if (a_holds_b && b_holds_a) return is_registered(of_a.anchor);
    if (a_holds_b || b_holds_a) return a_holds_b;
  }
  const auto rank = [&](const Finding& f) {
    const Detector& detector = detectors[f.detector];
    return std::tuple(detector.stream != StreamMode::kMonitor, f.confidence, detector.severity,
                      f.end - f.begin, ~f.detector, -static_cast<int>(f.layer));
  };
  return rank(a) > rank(b);
}

}  // namespace

void give_way(const std::vector<Detector>& detectors, std::span<const Candidate> candidates,
              std::vector<char>& lost) {
  lost.assign(candidates.size(), 0);
  const auto overlap = [](const Finding& a, const Finding& b) {
    return a.begin < b.end && b.begin < a.end;
  };
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Finding& trigger = candidates[i].finding;
    if (lost[i] != 0 || !is_trigger(detectors, trigger)) continue;
    for (std::size_t j = 0; j < candidates.size(); ++j) {
      if (j != i && overlap(trigger, candidates[j].finding)) lost[j] = kShadowed;
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (lost[i] == kShadowed) continue;
    const Finding& one = candidates[i].finding;
    for (std::size_t j = i + 1; j < candidates.size() && candidates[j].finding.begin < one.end;
         ++j) {
      if (lost[j] == kShadowed) continue;
      lost[wins(detectors, one, candidates[j].finding) ? j : i] = 1;
    }
  }
}

std::size_t cut_sequence(std::string_view text) {
  for (std::size_t size = 1; size <= 3 && size <= text.size(); ++size) {
    const auto lead = static_cast<unsigned char>(text[text.size() - size]);
    if ((lead & 0xC0U) == 0x80) continue;
    const std::size_t whole = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return whole > size ? size : 0;
  }
  return 0;
}

}  // namespace candor::dlp
