// What is claimed about a model's descent, held against what its weights say (D13). A reference is
// known by name alone, so a claim can be supported or contradicted only where it names one, or says
// where the chain begins. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lineage/verdict.h"

namespace candor::lineage {

enum class ClaimVerdict : std::uint8_t {
  kNothingClaimed,
  kSupported,     // a model that the claim names is the one that the weights descend from
  kContradicted,  // the weights are not of a model that is named, or of another than the first one
  kNotShown,      // neither
};
[[nodiscard]] std::string_view to_string(ClaimVerdict verdict) noexcept;

struct Claim {
  std::vector<std::string> names;  // of all models in the chain, oldest first; foreign text
  bool complete = false;           // it says who trained the original model
};

struct ClaimCheck {
  ClaimVerdict verdict = ClaimVerdict::kNothingClaimed;
  std::string reason;  // a sentence; holds foreign names
};
// matches: Index::look_up's.
[[nodiscard]] ClaimCheck check_claim(const Claim& claim, std::span<const Index::Match> matches);

// Whether a name means a reference: its words, in order and together, whatever stands between or
// around ("HuggingFaceTB/SmolLM2-135M-Instruct.Q4_1.gguf" means "SmolLM2-135M-Instruct", but
// "tinyllama-7b" does not mean "llama-7b").
[[nodiscard]] bool means(std::string_view name, std::string_view reference);

}  // namespace candor::lineage
