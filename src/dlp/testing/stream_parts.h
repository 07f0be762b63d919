// What a stream guard told, without what depends on the pieces; and what one scan of the whole text
// would have told, the oracle of C15.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "dlp/stream_guard.h"

namespace candor::dlp::testing {

// Parts without what depends on the pieces: texts joined, findings whole, notes apart.
struct Told {
  std::vector<Part> parts;
  std::vector<Finding> notes;
  bool operator==(const Told&) const = default;
};

[[nodiscard]] inline Told joined(const std::vector<Part>& parts) {
  Told told;
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::kNote) {
      told.notes.push_back(part.finding);
      continue;
    }
    const bool goes_on =
        part.kind == Part::Kind::kMore || (part.kind == Part::Kind::kText && !told.parts.empty() &&
                                           told.parts.back().kind == Part::Kind::kText);
    if (!goes_on) {
      told.parts.push_back(part);
      continue;
    }
    CANDOR_CHECK(!told.parts.empty());
    told.parts.back().text += part.text;
    told.parts.back().finding = part.finding;
  }
  std::ranges::sort(told.notes, {}, &Finding::begin);
  return told;
}

[[nodiscard]] inline Told oracle(const Scanner& scanner, Scanner::Scratch& scratch,
                                 std::string_view text,
                                 int min_confidence = kDefaultMinConfidence) {
  Told told;
  std::vector<Finding> findings;
  scanner.scan(text, scratch, findings, min_confidence);
  std::size_t at = 0;
  const auto plain = [&](std::size_t until) {
    if (until > at)
      told.parts.push_back({Part::Kind::kText, std::string(text.substr(at, until - at)), {}});
    at = until;
  };
  for (const Finding& f : findings) {
    if (scanner.detectors()[f.detector].stream == StreamMode::kMonitor) {
      told.notes.push_back(f);
      continue;
    }
    plain(f.begin);
    told.parts.push_back(
        {Part::Kind::kFinding, std::string(text.substr(f.begin, f.end - f.begin)), f});
    at = f.end;
  }
  plain(text.size());
  return told;
}

}  // namespace candor::dlp::testing
