// What a rule can do, strictest first, and which effects conflict (docs/formats/policy.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace candor::policy {

enum class Effect : std::uint8_t {
  kDeny,                  // the request is refused, or the answer ends with an explanation
  kRequireApproval,       // until somebody else has approved it
  kRequireJustification,  // until the caller has said why
  kRoute,                 // another model answers
  kRedact,                // selected findings are masked
  kPseudonymise,          // selected findings are replaced by stable stand-ins
  kRequireMarking,        // the answer is marked as made by a machine
  kWarn,                  // the caller is told
  kAllow,
};
inline constexpr int kEffects = 9;

// As rule files and results write them: "require approval".
[[nodiscard]] std::string_view to_string(Effect effect) noexcept;
[[nodiscard]] std::optional<Effect> effect_from(std::string_view text) noexcept;
// Whether it acts on findings, and so takes `select`.
[[nodiscard]] bool acts_on_findings(Effect effect) noexcept;
[[nodiscard]] inline bool stricter(Effect a, Effect b) noexcept { return a < b; }
// Whether a request under it is refused, and an answer ends.
[[nodiscard]] inline bool refuses(Effect effect) noexcept {
  return !stricter(Effect::kRequireJustification, effect);
}

}  // namespace candor::policy
