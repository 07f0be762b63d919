#include "dlp/internal/outlook.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"

namespace candor::dlp {
namespace {

bool wins(const std::vector<Detector>& detectors, const Finding& a, const Finding& b) {
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
