// A detector as data, as docs/formats/detector-packs.md defines it. Values; no behaviour.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/fingerprints.h"

namespace candor::dlp {

enum class Severity : std::uint8_t { kLow, kMedium, kHigh, kCritical };

enum class Anchor : std::uint8_t {
  kStart,   // the pattern begins with one of the literals
  kInside,  // one of the literals stands in the pattern
  kNear,    // the pattern follows one of the literals within kNearBytes
  kDigits,  // a run of digits fits the pattern's first run of digits
  kHidden,  // no pattern: more than kMaxDropped dropped characters in a row
  kOpaque,  // no pattern: encoded text that cannot be opened
  // What an organisation registered, no pattern (fingerprints.h).
  kWords,     // a list of words and names
  kValues,    // values of a table's columns, as fingerprints
  kPassages,  // passages of documents, as fingerprints
};

[[nodiscard]] constexpr bool is_registered(Anchor anchor) {
  return anchor == Anchor::kWords || anchor == Anchor::kValues || anchor == Anchor::kPassages;
}

// What must not touch a match.
enum class Boundary : std::uint8_t { kWord, kNumber, kAddress, kNone };

// What a detector obliges a stream guard to (docs/formats/detector-packs.md, "Streams").
enum class StreamMode : std::uint8_t {
  // Hold text back only while it could still become a finding. Whether [b, e) of the folded text is
  // a finding depends on nothing outside [b - kContextBefore, e + max(max_context_after,
  // kBoundaryBytes)), and e - b <= max_span.
  kExact,
  // Mask from where the pattern has matched at its shortest, to the match's end. The guard must not
  // wait for the end, since it may be thousands of bytes away, so nothing may take the match back:
  // no boundary, validator or context words, and it stands above all that it overlaps.
  kTrigger,
  kBuffer,   // hold the whole field until it ends
  kMonitor,  // nothing is held; a finding may come after release, and gives way to all
};

struct Detector {
  std::string id, name, class_name, pack;
  Severity severity = Severity::kMedium;
  std::vector<std::string> countries;
  Anchor anchor = Anchor::kStart;
  std::vector<std::string> literals;
  bool ignore_case = false;
  std::vector<std::string> patterns;
  Boundary boundary = Boundary::kWord;
  std::vector<std::string> near;
  std::string validator;
  int confidence = 80;
  std::vector<std::string> raise, lower;
  std::uint32_t max_span = 0;
  std::uint32_t max_context_after = 0;
  StreamMode stream = StreamMode::kExact;
  std::vector<std::string> words;                    // Anchor::kWords, as the pack has them
  std::shared_ptr<const Fingerprints> fingerprints;  // of a registered anchor; shared by copies
  std::vector<std::string> match, no_match;          // with [[ ]] around the finding in match
  std::string origin;                                // "financial.toml:12", for messages
};

struct Pack {
  std::string name;
  std::vector<Detector> detectors;
};

// Of folded text.
inline constexpr std::size_t kContextBefore = 96;  // where context words are looked for
inline constexpr std::size_t kNearBytes = 96;      // how far behind its literal Anchor::kNear looks
inline constexpr std::size_t kBoundaryBytes = 2;   // what a boundary may look at behind a match
// Dropped characters (ignorable ones and marks) in a row that a candidate may hold.
inline constexpr std::size_t kMaxDropped = 32;
inline constexpr std::uint32_t kLongestSpan = 16384;
inline constexpr std::uint32_t kLongestContextAfter = 256;

// How far behind a match lies what may decide whether it is one: a boundary, context words and the
// byte that tells whether the last of them is whole.
[[nodiscard]] inline std::size_t reach_behind(const Detector& detector) {
  return std::max<std::size_t>(detector.max_context_after + std::size_t{1}, kBoundaryBytes);
}

[[nodiscard]] std::string_view to_string(Severity severity) noexcept;
[[nodiscard]] std::string_view to_string(Anchor anchor) noexcept;
[[nodiscard]] std::string_view to_string(StreamMode mode) noexcept;

}  // namespace candor::dlp
