// Detectors made ready for scanning: patterns unrolled, anchors indexed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dlp/detector.h"
#include "dlp/internal/digit_index.h"
#include "dlp/internal/literal_starts.h"
#include "dlp/internal/pattern.h"
#include "dlp/internal/vectorscan.h"
#include "dlp/pack.h"
#include "dlp/validators.h"

namespace candor::dlp {

struct CompiledBranch {
  std::uint32_t detector = 0;
  Branch branch;
  ByteSet first;  // what it can begin with
  // Anchor::kInside: elements [0, inside) stand before the literal; they take prefix_min to
  // prefix_max bytes of prefix.
  std::size_t inside = 0;
  Branch tail;
  ByteSet prefix;
  std::size_t prefix_min = 0, prefix_max = 0;
  DigitLead lead;  // Anchor::kDigits
};

// What stands before the literal of Anchor::kInside, once for all branches that share it.
struct Head {
  Branch branch;
  ByteSet first;
  bool marked = false;
};

struct CompiledDetector {
  Validator check = nullptr;
  std::vector<std::string> near, raise, lower;  // in small letters
  std::vector<std::uint32_t> branches;
  std::vector<Regex> regexes;  // patterns that could not be unrolled
  std::vector<Head> heads;     // Anchor::kInside; of at most head_max bytes of head_set
  ByteSet head_set, head_first;
  std::size_t head_max = 0;
};

struct LiteralUse {
  std::uint32_t detector = 0;
  std::vector<std::uint32_t> branches;  // Anchor::kStart: those that begin with this literal
};

struct Compiled {
  std::vector<Detector> detectors;
  std::vector<CompiledDetector> compiled;
  std::vector<CompiledBranch> branches;
  std::vector<Literal> literals;
  std::vector<std::vector<LiteralUse>> users;  // of each literal
  std::vector<std::uint32_t> at_users;         // detectors whose literal is "@"
  LiteralSearch search;
  DigitIndex digits;
  std::optional<std::uint32_t> hidden, opaque;  // detectors
  std::vector<std::uint32_t> set_detectors;     // of what an organisation registered
  std::uint32_t undecided = 0;                  // the detector of what a stream guard cannot decide
  // For texts that may go on.
  LiteralStarts starts;
  std::vector<std::uint32_t> digit_branches;  // of Anchor::kDigits
  // Those by each byte that they can begin with: with bytes before the run of digits, and without.
  std::array<std::vector<std::uint32_t>, 256> leads_by_first, digits_by_first;
  std::vector<std::uint32_t> inside_detectors;
  std::size_t longest_offset = 0;
  // Bytes of a match before its marked part, at most: of branches by digits, and of all others.
  std::size_t digit_lead = 0, lead = 0;
  std::size_t before = 0;  // folded bytes before a finding beyond which nothing decides about it
  std::size_t literals_before = 0;  // the same for where a literal begins
};

[[nodiscard]] Result<void> compile(std::vector<Pack> packs, Compiled& out);

[[nodiscard]] inline bool is_word_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

}  // namespace candor::dlp
