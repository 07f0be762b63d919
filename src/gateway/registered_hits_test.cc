#include "gateway/registered_hits.h"

#include <gtest/gtest.h>

namespace candor::gateway {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

TEST(RegisteredHitsTest, L2_MoreThanTheLimitWaitsForTheEndOfTheHour) {
  RegisteredHits hits;
  hits.add("a", 3, 100 * kSecond);
  EXPECT_EQ(hits.wait_s("a", 3, 101 * kSecond), 0U);
  hits.add("a", 1, 200 * kSecond);
  EXPECT_EQ(hits.wait_s("a", 3, 200 * kSecond), 3500U);
  EXPECT_EQ(hits.wait_s("a", 3, 3699 * kSecond), 1U);
  EXPECT_EQ(hits.wait_s("a", 3, 3700 * kSecond), 0U);
  EXPECT_EQ(hits.wait_s("b", 3, 200 * kSecond), 0U);  // nobody else waits
  EXPECT_EQ(hits.wait_s("a", 0, 200 * kSecond), 0U);  // no limit
  hits.add("a", 1, 3700 * kSecond);                   // a new hour
  EXPECT_EQ(hits.wait_s("a", 3, 3701 * kSecond), 0U);
}

TEST(RegisteredHitsTest, L2_CallersAreBounded) {
  RegisteredHits hits;
  for (std::size_t i = 0; i <= RegisteredHits::kMostCallers; ++i) {
    hits.add(std::to_string(i), 9, static_cast<std::int64_t>(i));
  }
  EXPECT_EQ(hits.wait_s("0", 3, 1), 0U);  // the oldest is forgotten
  EXPECT_GT(hits.wait_s("1", 3, 1), 0U);
}

}  // namespace
}  // namespace candor::gateway
