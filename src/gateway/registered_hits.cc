#include "gateway/registered_hits.h"

#include <algorithm>

namespace candor::gateway {

std::uint32_t RegisteredHits::wait_s(std::string_view caller, std::uint32_t most,
                                     std::int64_t now_us) const {
  const auto found = callers_.find(caller);
  if (most == 0 || found == callers_.end() || found->second.hits <= most) return 0;
  const std::int64_t left_us = found->second.begin_us + kWindowUs - now_us;
  return left_us <= 0 ? 0 : static_cast<std::uint32_t>((left_us + 999'999) / 1'000'000);
}

void RegisteredHits::add(std::string_view caller, std::uint32_t hits, std::int64_t now_us) {
  if (hits == 0) return;
  auto found = callers_.find(caller);
  if (found == callers_.end()) {
    if (callers_.size() == kMostCallers) {
      callers_.erase(std::ranges::min_element(
          callers_, {}, [](const auto& entry) { return entry.second.begin_us; }));
    }
    found = callers_.emplace(caller, Window{.begin_us = now_us, .hits = 0}).first;
  } else if (now_us - found->second.begin_us >= kWindowUs) {
    found->second = {.begin_us = now_us, .hits = 0};
  }
  found->second.hits += hits;
}

}  // namespace candor::gateway
