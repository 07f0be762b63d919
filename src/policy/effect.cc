#include "policy/effect.h"

#include <algorithm>
#include <array>

namespace candor::policy {
namespace {

constexpr std::array<std::string_view, kEffects> kNames{
    "deny",   "require approval", "require justification", "route",
    "redact", "pseudonymise",     "require marking",       "warn",
    "allow"};

}  // namespace

std::string_view to_string(Effect effect) noexcept {
  return kNames[static_cast<std::size_t>(effect)];
}

std::optional<Effect> effect_from(std::string_view text) noexcept {
  const auto found = std::ranges::find(kNames, text);
  if (found == kNames.end()) return {};
  return static_cast<Effect>(found - kNames.begin());
}

bool acts_on_findings(Effect effect) noexcept {
  return effect == Effect::kRedact || effect == Effect::kPseudonymise;
}

}  // namespace candor::policy
