#include "ledger/finding.h"

#include <algorithm>

namespace candor::ledger {

std::string_view to_string(Standing standing) noexcept {
  switch (standing) {
    case Standing::kHolds: return "holds";
    case Standing::kFails: return "fails";
    case Standing::kNotExcluded: return "not excluded";
  }
  return "";
}

bool any_fails(const std::vector<Finding>& findings) {
  return std::ranges::any_of(findings,
                             [](const Finding& f) { return f.standing == Standing::kFails; });
}

}  // namespace candor::ledger
