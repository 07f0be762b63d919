#include "base/clock.h"

#include <gtest/gtest.h>

namespace candor {
namespace {

// Known answers of date(1).
TEST(ClockTest, UtcIsWrittenToTheMicrosecond) {
  EXPECT_EQ(format_utc(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_utc(1'795'489'445'678'901), "2026-11-24T03:04:05.678901Z");
  EXPECT_EQ(format_utc(951'782'400'000'001), "2000-02-29T00:00:00.000001Z");
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(ClockTest, LocalTimeCarriesItsOffset) {
  const std::string text = format_local(1'795'489'445'678'901);
  ASSERT_EQ(text.size(), std::string_view("2026-11-24T03:04:05.678901+00:00").size());
  EXPECT_TRUE(text[26] == '+' || text[26] == '-') << text;
}

TEST(ClockTest, MonotonicTimeNeverStepsBack) {
  std::int64_t last = system_clock().mono_us();
  for (int i = 0; i < 1'000; ++i) {
    const std::int64_t now = system_clock().mono_us();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, IdsDiffer) { EXPECT_NE(make_id(system_random()), make_id(system_random())); }

}  // namespace
}  // namespace candor
