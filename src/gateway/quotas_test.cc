#include "gateway/quotas.h"

#include <gtest/gtest.h>

namespace candor::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

TEST(QuotasTest, S17_AFullMinuteMayBeTakenAtOnceAndThenFillsEvenly) {
  Quotas quotas;
  const QuotaLimits limits{.exchanges_per_minute = 6};
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(quotas.refuse("ada", limits, 0)) << i;
  EXPECT_EQ(quotas.refuse("ada", limits, 0), 10);
  EXPECT_FALSE(quotas.refuse("bob", limits, 0));  // has an account of his own
  EXPECT_EQ(quotas.refuse("ada", limits, 4 * kSecond), 6);
  EXPECT_FALSE(quotas.refuse("ada", limits, 10 * kSecond));
  EXPECT_TRUE(quotas.refuse("ada", limits, 10 * kSecond));
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(quotas.refuse("ada", limits, 600 * kSecond));
  EXPECT_TRUE(quotas.refuse("ada", limits, 600 * kSecond));
}

TEST(QuotasTest, S17_BytesAreChargedWhenKnownAndAnOverdraftIsWaitedOff) {
  Quotas quotas;
  const QuotaLimits limits{.bytes_per_hour = 3'600};
  EXPECT_FALSE(quotas.refuse("ada", limits, 0));
  quotas.charge("ada", 3'700, limits, 0);
  EXPECT_EQ(quotas.refuse("ada", limits, 0), 101);
  EXPECT_TRUE(quotas.refuse("ada", limits, 99 * kSecond));
  EXPECT_FALSE(quotas.refuse("ada", limits, 102 * kSecond));
}

TEST(QuotasTest, WithoutALimitNothingIsKept) {
  Quotas quotas;
  for (int i = 0; i < 1'000; ++i) EXPECT_FALSE(quotas.refuse("ada", {}, 0));
  quotas.charge("ada", 1'000'000, {}, 0);
  EXPECT_EQ(quotas.callers(), 0U);
}

TEST(QuotasTest, AClockThatStandsStillOrStepsBackGivesNothing) {
  Quotas quotas;
  const QuotaLimits limits{.exchanges_per_minute = 1};
  EXPECT_FALSE(quotas.refuse("ada", limits, 100 * kSecond));
  EXPECT_TRUE(quotas.refuse("ada", limits, 50 * kSecond));
}

TEST(QuotasTest, TheNumberOfAccountsIsBounded) {
  Quotas quotas;
  const QuotaLimits limits{.exchanges_per_minute = 1};
  for (std::size_t i = 0; i < Quotas::kMaxCallers + 10; ++i) {
    EXPECT_FALSE(quotas.refuse(std::to_string(i), limits, 0));
  }
  EXPECT_LE(quotas.callers(), Quotas::kMaxCallers);
}

}  // namespace
}  // namespace candor::gateway
