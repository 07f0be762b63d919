// What reading decisions out of a log needs besides it.
#pragma once

#include <vector>

#include "context.h"
#include "dlp/pack.h"
#include "gateway/replay.h"

namespace candor::cli {

// The built-in packs and those that the configuration names.
[[nodiscard]] Result<std::vector<dlp::Pack>> packs_in_force(const Context& context);
// The built-in detectors and those that the configuration names.
[[nodiscard]] Result<gateway::DetectorsById> detectors_in_force(const Context& context);
// Who stands behind pseudonyms, as the running server tells whoever administrates it; none without.
[[nodiscard]] gateway::NamesByPseudonym callers(const Context& context);

}  // namespace candor::cli
