// What one caller may take in a while (S17): exchanges by the minute and bytes of sealed content by
// the hour, as token buckets that fill evenly. Nothing is charged before it is known, so a caller
// may overdraw once by one exchange and then waits longer. io thread only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace candor::gateway {

struct QuotaLimits {
  std::uint64_t exchanges_per_minute = 0;  // 0: no limit
  std::uint64_t bytes_per_hour = 0;        // 0: no limit
};

class Quotas {
 public:
  static constexpr std::size_t kMaxCallers = 100'000;

  // Takes one exchange. Otherwise how many seconds until there is one again (1 or more).
  [[nodiscard]] std::optional<std::int64_t> refuse(std::string_view caller,
                                                   const QuotaLimits& limits, std::int64_t now_us);
  void charge(std::string_view caller, std::uint64_t bytes, const QuotaLimits& limits,
              std::int64_t now_us);
  [[nodiscard]] std::size_t callers() const noexcept { return callers_.size(); }

 private:
  struct Account {
    double exchanges = 0, bytes = 0;  // left
    std::int64_t at_us = 0;
  };
  Account& account(std::string_view caller, const QuotaLimits& limits, std::int64_t now_us);
  std::map<std::string, Account, std::less<>> callers_;
};

}  // namespace candor::gateway
