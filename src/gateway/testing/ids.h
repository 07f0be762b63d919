// Ids that a test can tell apart.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace candor::gateway::testing {

[[nodiscard]] inline Id128 id(std::uint8_t number) {
  Id128 out{};
  out.back() = static_cast<Id128::value_type>(number);
  return out;
}

}  // namespace candor::gateway::testing
