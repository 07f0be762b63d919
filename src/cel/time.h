// Timestamps and durations as CEL has them: RFC 3339 text, years 1 to 9999; durations of at most
// 315,576,000,000 seconds either way (protobuf's own bounds). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cel/value.h"

namespace candor::cel {

inline constexpr std::int64_t kMinTimestamp = -62'135'596'800;  // 0001-01-01T00:00:00Z
inline constexpr std::int64_t kMaxTimestamp = 253'402'300'799;  // 9999-12-31T23:59:59Z
inline constexpr std::int64_t kMaxDuration = 315'576'000'000;

struct Instant {  // of either kind: see Kind::kTimestamp and Kind::kDuration
  std::int64_t seconds = 0;
  std::uint32_t nanos = 0;
};

[[nodiscard]] std::optional<Instant> parse_timestamp(std::string_view text) noexcept;
[[nodiscard]] std::string format_timestamp(Instant time);
// "1h30m", "-1.5s", "100ms": a sign, then numbers with h, m, s, ms, us or ns.
[[nodiscard]] std::optional<Instant> parse_duration(std::string_view text) noexcept;
[[nodiscard]] std::string format_duration(Instant length);  // "90s", "-1.500000001s"
[[nodiscard]] bool in_range(Kind kind, Instant time) noexcept;

// Seconds since the epoch as a date and time of day (proleptic Gregorian calendar).
struct Civil {
  std::int64_t year = 1970;
  int month = 1, day = 1;  // from 1
  int hour = 0, minute = 0, second = 0;
  int weekday = 4;  // 0 is Sunday
  int year_day = 0;
};
[[nodiscard]] Civil to_civil(std::int64_t seconds) noexcept;
[[nodiscard]] std::int64_t days_from_civil(std::int64_t year, int month, int day) noexcept;

}  // namespace candor::cel
