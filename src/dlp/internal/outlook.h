// What a scan finds before overlaps are decided, and how they are: shared by Scanner::scan and the
// stream guard, so that one cannot drift from the other.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "dlp/scanner.h"

namespace candor::dlp {

struct Candidate {
  Finding finding;
  bool goes_on = false;  // a trigger's match that the text's end cut
};

struct Outlook {
  std::vector<Candidate> candidates;  // in order of begin
  // Bytes of the text before which nothing can come or change. Candidates that begin later mean
  // nothing yet, but for those that go on.
  std::size_t settled = 0;
};

// Whether a finding has the right of a trigger: its match in plain text cannot be taken back, since
// its beginning may be masked and gone.
[[nodiscard]] inline bool is_trigger(const std::vector<Detector>& detectors, const Finding& f) {
  return detectors[f.detector].stream == StreamMode::kTrigger && f.layer == Layer::kPlain;
}

// lost[i]: candidate i gives way. What overlaps a trigger's finding counts for nothing (the earlier
// of two triggers stays). Of two others that overlap the lower gives way, whether or not something
// else overlaps the higher: monitor detectors to all; of one that an organisation registered and
// one that it did not, where either holds the other, the part to the whole and, of two in one
// place, the one not registered; then by confidence, severity, length, the earlier detector, the
// plainer layer.
inline constexpr char kShadowed = 2;  // in lost: by a trigger
void give_way(const std::vector<Detector>& detectors, std::span<const Candidate> candidates,
              std::vector<char>& lost);

// Whether `next` is the next tile of the passage that `last` ends in (pass_sets.cc).
[[nodiscard]] inline bool same_passage(const std::vector<Detector>& detectors, const Finding& last,
                                       const Finding& next) {
  return last.detector == next.detector && last.layer == next.layer && last.end == next.begin &&
         detectors[next.detector].anchor == Anchor::kPassages;
}

// The bytes at the end that may be the beginning of one UTF-8 sequence: 0 to 3.
[[nodiscard]] std::size_t cut_sequence(std::string_view text);

}  // namespace candor::dlp
