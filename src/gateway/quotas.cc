#include "gateway/quotas.h"

#include <algorithm>
#include <cmath>

namespace candor::gateway {
namespace {

constexpr double kMinuteUs = 60e6;
constexpr double kHourUs = 3'600e6;

}  // namespace

Quotas::Account& Quotas::account(std::string_view caller, const QuotaLimits& limits,
                                 std::int64_t now_us) {
  const auto most_exchanges = static_cast<double>(limits.exchanges_per_minute);
  const auto most_bytes = static_cast<double>(limits.bytes_per_hour);
  auto found = callers_.find(caller);
  if (found == callers_.end()) {
    if (callers_.size() >= kMaxCallers) {
      // Full accounts say nothing; if none is full, everybody starts anew.
      std::erase_if(callers_, [&](const auto& item) {
        return static_cast<double>(now_us - item.second.at_us) > kHourUs;
      });
      if (callers_.size() >= kMaxCallers) callers_.clear();
    }
    found = callers_.emplace(caller, Account{most_exchanges, most_bytes, now_us}).first;
  }
  Account& account = found->second;
  const auto passed = static_cast<double>(std::max<std::int64_t>(now_us - account.at_us, 0));
  account.exchanges =
      std::min(most_exchanges, account.exchanges + passed * most_exchanges / kMinuteUs);
  account.bytes = std::min(most_bytes, account.bytes + passed * most_bytes / kHourUs);
  account.at_us = now_us;
  return account;
}

std::optional<std::int64_t> Quotas::refuse(std::string_view caller, const QuotaLimits& limits,
                                           std::int64_t now_us) {
  if (limits.exchanges_per_minute == 0 && limits.bytes_per_hour == 0) return std::nullopt;
  Account& a = account(caller, limits, now_us);
  double wait_us = 0;
  if (limits.exchanges_per_minute != 0 && a.exchanges < 1) {
    wait_us = (1 - a.exchanges) * kMinuteUs / static_cast<double>(limits.exchanges_per_minute);
  }
  if (limits.bytes_per_hour != 0 && a.bytes <= 0) {
    wait_us =
        std::max(wait_us, (1 - a.bytes) * kHourUs / static_cast<double>(limits.bytes_per_hour));
  }
  if (wait_us > 0) return static_cast<std::int64_t>(std::ceil(std::max(wait_us / 1e6, 1.0)));
  if (limits.exchanges_per_minute != 0) a.exchanges -= 1;
  return std::nullopt;
}

void Quotas::charge(std::string_view caller, std::uint64_t bytes, const QuotaLimits& limits,
                    std::int64_t now_us) {
  if (limits.bytes_per_hour == 0) return;
  account(caller, limits, now_us).bytes -= static_cast<double>(bytes);
}

}  // namespace candor::gateway
