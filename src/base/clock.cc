#include "base/clock.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"

namespace candor {
namespace {

std::int64_t read_clock(clockid_t id) {
  timespec t{};
  CANDOR_CHECK(::clock_gettime(id, &t) == 0);
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
}

class SystemClock final : public Clock {
 public:
  std::int64_t wall_us() override { return read_clock(CLOCK_REALTIME); }
  std::int64_t mono_us() override { return read_clock(CLOCK_MONOTONIC); }
};

class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override {
    while (!out.empty()) {
      const auto got = ::getrandom(out.data(), out.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      CANDOR_CHECK(got > 0);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }
};

struct Split {  // floor, so that instants before 1970 come out right
  time_t seconds;
  std::int64_t micros;
};
Split split(std::int64_t wall_us) {
  std::int64_t seconds = wall_us / 1'000'000;
  std::int64_t micros = wall_us % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  return {seconds, micros};
}

std::string format_fields(const tm& t, std::int64_t micros) {
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, micros);
}

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

Id128 make_id(Random& random) {
  Id128 id{};
  random.fill(id);
  return id;
}

std::string format_utc(std::int64_t wall_us) {
  const auto [seconds, micros] = split(wall_us);
  tm t{};
  ::gmtime_r(&seconds, &t);
  return format_fields(t, micros) + "Z";
}

std::string format_local(std::int64_t wall_us) {
  const auto [seconds, micros] = split(wall_us);
  tm t{};
  ::localtime_r(&seconds, &t);
  const long offset = t.tm_gmtoff / 60;
  const long magnitude = offset < 0 ? -offset : offset;
  return fmt::format("{}{}{:02}:{:02}", format_fields(t, micros), offset < 0 ? '-' : '+',
                     magnitude / 60, magnitude % 60);
}

}  // namespace candor
