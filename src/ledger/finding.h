// What a verification found, in words a person can act on: which promise (docs/architecture.md),
// does it hold, and where it broke. Shared by receipts and whole logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace candor::ledger {

enum class Standing : std::uint8_t {
  kHolds,
  kFails,        // evidence: signed or hashed bytes do not lead where they must
  kNotExcluded,  // cannot be told from what was given, e.g. a rollback without an anchor
};
[[nodiscard]] std::string_view to_string(Standing standing) noexcept;

struct Finding {
  std::string promise;  // "P1".."P10", or "S4", "S18"
  Standing standing = Standing::kHolds;
  std::string what;   // one sentence; never user text
  std::string where;  // "entry 17", "request.received messages/0/parts/0/text"; may be empty
};

[[nodiscard]] bool any_fails(const std::vector<Finding>& findings);

}  // namespace candor::ledger
