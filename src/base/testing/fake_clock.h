// Time and randomness that a test sets. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <random>

#include "base/clock.h"

namespace candor {

// Starts at 2026-01-01T00:00:00Z, and at 1 s of monotonic time.
class FakeClock final : public Clock {
 public:
  std::int64_t wall_us() override { return wall_us_.load(); }
  std::int64_t mono_us() override { return mono_us_.load(); }
  void advance_us(std::int64_t by) {
    wall_us_ += by;
    mono_us_ += by;
  }
  void set_wall_us(std::int64_t to) { wall_us_ = to; }  // somebody sets the machine's clock

 private:
  std::atomic<std::int64_t> wall_us_{1'767'225'600'000'000};
  std::atomic<std::int64_t> mono_us_{1'000'000};
};

// The same bytes for the same seed and calls.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(std::span<std::byte> out) override {
    const std::lock_guard lock(mutex_);
    for (std::byte& b : out) b = static_cast<std::byte>(engine_() & 0xFFU);
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace candor
