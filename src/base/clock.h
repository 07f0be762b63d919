// Time and randomness as seams, so tests need no sleeps. Wall time is microseconds since the Unix
// epoch (UTC); monotonic time is microseconds since an arbitrary start and never steps back.
// Implementations are thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace candor {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::int64_t wall_us() = 0;
  [[nodiscard]] virtual std::int64_t mono_us() = 0;
};
[[nodiscard]] Clock& system_clock();

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> out) = 0;
};
// The kernel's generator (getrandom). Ends the process if the kernel refuses: no key is ever weak.
[[nodiscard]] Random& system_random();

// 128 random bits, 32 lower-case hex digits in text: exchange ids, boot nonces.
using Id128 = std::array<std::byte, 16>;
[[nodiscard]] Id128 make_id(Random& random);
// kInvalidArgument: not 32 lower-case hex digits.
[[nodiscard]] Result<Id128> id_from_hex(std::string_view text);

// 2026-11-24T03:04:05.678901Z, and the same instant in local time with its offset (for terminals).
[[nodiscard]] std::string format_utc(std::int64_t wall_us);
[[nodiscard]] std::string format_local(std::int64_t wall_us);

}  // namespace candor
