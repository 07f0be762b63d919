#include "gateway/refusals.h"

#include <gtest/gtest.h>

#include "gateway/testing/fake_ledger.h"

namespace candor::gateway {
namespace {

class FakeClock final : public Clock {
 public:
  std::int64_t wall_us() override { return 1; }
  std::int64_t mono_us() override { return now; }
  std::int64_t now = 0;
};

class RefusalsTest : public testing::Test {
 protected:
  http::asio::io_context io_{1};
  FakeLedger ledger_;
  FakeClock clock_;
  AckQueue acks_{io_, ledger_, clock_};
  Refusals refusals_{acks_, [] { return ledger::Stamp{}; }, clock_};
};

TEST_F(RefusalsTest, S17_AFloodIsOneEntryForCauseSourceAndWindow) {
  for (int i = 0; i < 100'000; ++i) {
    refusals_.add(Cause::kNotAuthenticated, 401, "127.0.0.1", "", "openai.chat");
  }
  refusals_.add(Cause::kNotAuthenticated, 401, "::1", "", "openai.chat");
  refusals_.add(Cause::kMalformed, 400, "127.0.0.1", "", "");
  refusals_.flush(/*all=*/false);
  EXPECT_TRUE(ledger_.submitted().empty()) << "the window is open";
  clock_.now += Refusals::kWindowUs;
  refusals_.flush(/*all=*/false);
  const auto entries = ledger_.submitted_of<ledger::Refusal>();
  ASSERT_EQ(entries.size(), 3U);
  std::uint64_t sum = 0;
  for (const ledger::Refusal& entry : entries) sum += entry.count;
  EXPECT_EQ(sum, 100'002U);
  io_.run();
}

TEST_F(RefusalsTest, S17_ManySourcesStayBounded) {
  for (int i = 0; i < 50'000; ++i) {
    refusals_.add(Cause::kMalformed, 400, "10.0." + std::to_string(i), "", "");
  }
  refusals_.flush(/*all=*/true);
  const auto entries = ledger_.submitted_of<ledger::Refusal>();
  EXPECT_LE(entries.size(), Refusals::kMaxSources + 1);
  std::uint64_t sum = 0;
  for (const ledger::Refusal& entry : entries) sum += entry.count;
  EXPECT_EQ(sum, 50'000U);
  io_.run();
}

TEST_F(RefusalsTest, S17_WhatAFullLedgerDoesNotTakeIsCountedOnceThereIsRoom) {
  const auto add = [&] {
    refusals_.add(Cause::kLedger, 503, "::1", std::string(32, 'a'), "openai.chat");
  };
  const auto settle = [&] {
    io_.restart();
    io_.run();
  };
  ledger_.set_mode(FakeLedger::Mode::kRefuse);
  add();
  add();
  clock_.now = Refusals::kWindowUs;
  refusals_.flush(/*all=*/false);
  add();  // the next window has begun when the ledger's answer comes
  settle();
  ledger_.set_mode(FakeLedger::Mode::kAcknowledge);
  clock_.now += 1;
  refusals_.flush(/*all=*/false);
  settle();
  const auto entries = ledger_.submitted_of<ledger::Refusal>();
  ASSERT_EQ(entries.size(), 2U) << "one that was not taken, one that was";
  EXPECT_EQ(entries[1].count, 3U);
  EXPECT_EQ(entries[1].window_us, Refusals::kWindowUs + 1) << "from the first of them on";
  clock_.now += 2 * Refusals::kWindowUs;
  refusals_.flush(/*all=*/true);
  EXPECT_EQ(ledger_.submitted().size(), 2U) << "each is counted once";
  settle();
}

}  // namespace
}  // namespace candor::gateway
