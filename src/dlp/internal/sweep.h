// The first pass over a text: runs of digits and at signs, and which escapes it may hold, found
// sixteen bytes at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dlp/encoding.h"

namespace candor::dlp {

struct DigitRun {
  std::uint32_t begin = 0, length = 0;
  bool operator==(const DigitRun&) const = default;
};

struct Swept {
  std::vector<DigitRun> digits;
  std::vector<std::uint32_t> ats;
  EncodingHints hints;
};

// Runs of digits that end, and signs that stand, before `floor` may be left out; hints are of all.
void sweep(std::string_view text, Swept& out, std::size_t floor = 0);

}  // namespace candor::dlp
