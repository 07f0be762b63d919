// The EU AI Act's hinge, from recorded compute: who modifies a general-purpose model becomes its
// provider when the modification took more than one third of the original model's training compute
// (Commission guidelines C(2025) 7719, points 57 to 63). Where the original's compute is not known,
// one third of the threshold counts at which a model is presumed to be general-purpose, 10^23, or,
// if the original has systemic risk, 10^25. A calculation with its reasons, no legal advice.
// Pure. Amounts are decimal texts (is_decimal), compared exactly.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "passport/passport.h"

namespace candor::passport {

enum class HingeResult : std::uint8_t {
  kAbove,    // more than the line: by this measure a provider of the modified model
  kBelow,    // known, and not more than the line
  kUnknown,  // compute of a step is not recorded, and what is recorded is not above the line
};
[[nodiscard]] std::string_view to_string(HingeResult result) noexcept;

struct Hinge {
  std::string actor;  // whose modifications are added up; foreign text
  HingeResult result = HingeResult::kUnknown;
  HingeResult systemic = HingeResult::kUnknown;  // by the fallback for systemic risk; else result
  std::string modification;                      // FLOP, the sum of what is recorded
  std::size_t unrecorded = 0;                    // steps of this actor without compute
  std::string original;   // FLOP, of the pretraining steps; empty: not known, the fallback counts
  std::string reasoning;  // sentences with the numbers; no foreign text in it
};

// One for each actor who modified (every step but `pretrained`), in the order of the chain.
[[nodiscard]] std::vector<Hinge> eu_hinges(const std::vector<DescentStep>& descent);

// Exact: a + b; and whether 3 a > b.
[[nodiscard]] std::string add_decimals(std::string_view a, std::string_view b);
[[nodiscard]] bool more_than_a_third(std::string_view a, std::string_view b);

}  // namespace candor::passport
