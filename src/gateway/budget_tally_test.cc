#include "gateway/budget_tally.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::gateway {
namespace {

constexpr std::int64_t kS = 1'000'000;
// 2026-11-25T19:00:30Z and the beginnings around it, by `date -u -d ... +%s`.
constexpr std::int64_t kNow = 1'795'633'230;
constexpr std::int64_t kDay = 1'795'564'800;
constexpr std::int64_t kMonth = 1'793'491'200;
constexpr std::int64_t kNextMonth = 1'796'083'200;

TEST(BudgetWindowTest, WindowsAreThoseOfTheCalendarInUtc) {
  EXPECT_EQ(window_start(BudgetWindow::kMinute, kNow), kNow - 30);
  EXPECT_EQ(window_end(BudgetWindow::kMinute, kNow), kNow + 30);
  EXPECT_EQ(window_start(BudgetWindow::kDay, kNow), kDay);
  EXPECT_EQ(window_end(BudgetWindow::kDay, kNow), kDay + 86'400);
  EXPECT_EQ(window_start(BudgetWindow::kMonth, kNow), kMonth);
  EXPECT_EQ(window_end(BudgetWindow::kMonth, kNow), kNextMonth);
  EXPECT_EQ(window_start(BudgetWindow::kMonth, kNextMonth), kNextMonth);
  EXPECT_EQ(window_end(BudgetWindow::kMonth, kNextMonth - 1), kNextMonth);
  EXPECT_EQ(window_end(BudgetWindow::kMonth, kNextMonth), 1'798'761'600);     // over the year's end
  EXPECT_EQ(window_end(BudgetWindow::kMonth, 1'835'395'200), 1'835'481'600);  // 29 February 2028
}

TEST(TallyTest, AWindowForgetsTheOneBefore) {
  Tally tally;
  tally.begin(kNow * kS);
  tally.add("a", {.requests = 1, .tokens_in = 5});
  EXPECT_EQ(tally.used("a", BudgetWindow::kMinute, kNow * kS).tokens_in, 5);
  EXPECT_EQ(tally.used("a", BudgetWindow::kMinute, (kNow + 30) * kS).tokens_in, 0);
  EXPECT_EQ(tally.used("a", BudgetWindow::kDay, (kNow + 30) * kS).tokens_in, 5);
  tally.begin((kDay + 86'400) * kS);
  tally.add("a", {.requests = 1, .tokens_in = 2});
  EXPECT_EQ(tally.used("a", BudgetWindow::kDay, (kDay + 86'400) * kS).tokens_in, 2);
  EXPECT_EQ(tally.used("a", BudgetWindow::kMonth, (kDay + 86'400) * kS).tokens_in, 7);
  EXPECT_EQ(tally.used("a", BudgetWindow::kMonth, kNextMonth * kS).requests, 0);
}

TEST(TallyTest, S7_AClockThatIsSetBackOpensNoWindowAgain) {
  Tally tally;
  tally.begin(kNow * kS);
  tally.add("a", {.requests = 1});
  tally.begin((kNow - 3'600) * kS);
  tally.add("a", {.requests = 1});
  EXPECT_EQ(tally.used("a", BudgetWindow::kMinute, (kNow - 3'600) * kS).requests, 2);
}

class LogTallyTest : public testing::Test {
 protected:
  static ledger::Stamp at(std::int64_t s, std::uint8_t boot = 1) {
    ledger::Stamp stamp;
    stamp.time_us = (kNow + s) * kS;
    stamp.mono_us = s * kS;
    stamp.boot[0] = std::byte{boot};
    return stamp;
  }
  static ledger::Intent intent(std::uint8_t id, std::int64_t s, std::string caller = "ada") {
    ledger::Intent entry;
    entry.at = at(s);
    entry.exchange[0] = std::byte{id};
    entry.caller = std::move(caller);
    entry.provenance.model = "m";
    entry.received_bytes = 101;
    return entry;
  }
  static ledger::Outcome outcome(std::uint8_t id, std::uint64_t index, std::int64_t s) {
    ledger::Outcome entry;
    entry.at = at(s);
    entry.exchange[0] = std::byte{id};
    entry.intent_index = index;
    entry.result = "complete";
    entry.prompt_tokens = 7;
    entry.completion_tokens = 3;
    entry.queued_us = 1 * kS;
    entry.total_us = 3 * kS;
    return entry;
  }
  // Counts log_ from an entry on, given what stood below.
  Tally count(Tally from = {}, std::size_t first = 0) {
    LogTally tally(std::move(from));
    const auto read = [&](std::uint64_t index) -> Result<ledger::Entry> { return log_.at(index); };
    if (first > 0) tally.follow(log_.at(first - 1));
    for (std::size_t i = first; i < log_.size(); ++i) EXPECT_OK(tally.take(log_[i], read));
    return tally.tally();
  }
  static Use month(const Tally& tally, const std::string& account) {
    return tally.used(account, BudgetWindow::kMonth, kNow * kS);
  }
  std::vector<ledger::Entry> log_;
};

TEST_F(LogTallyTest, C8_AnExchangeIsChargedToItsCallerAndItsModel) {
  log_ = {intent(1, 0), outcome(1, 0, 2), intent(2, 3, "bob")};
  const Tally tally = count();
  EXPECT_EQ(month(tally, "caller:ada"),
            (Use{.requests = 1, .tokens_in = 7, .tokens_out = 3, .compute_us = 2 * kS}));
  EXPECT_EQ(month(tally, "caller:bob"), (Use{.requests = 1}));
  EXPECT_EQ(month(tally, "model:m").requests, 2);
}

TEST_F(LogTallyTest, C8_WhatWasCutShortIsChargedByItsBytes) {
  ledger::Outcome cut = outcome(1, 0, 2);
  cut.result = "cancelled";
  cut.prompt_tokens = 0;
  log_ = {intent(1, 0), cut};
  EXPECT_EQ(month(count(), "caller:ada").tokens_in, 26);  // 101 bytes
}

TEST_F(LogTallyTest, C8_ACrashIsChargedUpToTheRunsLastEntry) {
  ledger::Abort abort;
  abort.at = at(100, /*boot=*/2);
  abort.exchange[0] = std::byte{1};
  abort.released_bytes = 9;
  ledger::Refusal last;
  last.at = at(5);
  log_ = {intent(1, 0), last, abort};
  const Use used = month(count(), "caller:ada");
  EXPECT_EQ(used, (Use{.requests = 1, .tokens_in = 26, .tokens_out = 3, .compute_us = 5 * kS}));
  // And the same from wherever the counts were kept.
  for (std::size_t kept = 1; kept < log_.size(); ++kept) {
    const auto all = std::exchange(log_, {log_.begin(), log_.begin() + static_cast<long>(kept)});
    const Tally below = count();
    log_ = all;
    EXPECT_EQ(month(count(below, kept), "caller:ada"), used) << kept;
  }
}

TEST_F(LogTallyTest, C8_AnEndWithoutItsIntentIsNotCountedInSilence) {
  log_ = {intent(1, 0), outcome(2, 0, 1)};
  LogTally tally{Tally()};
  const auto read = [&](std::uint64_t index) -> Result<ledger::Entry> { return log_.at(index); };
  EXPECT_OK(tally.take(log_[0], read));
  EXPECT_THAT(tally.take(log_[1], read), HasCode(Code::kDataLoss));
}

}  // namespace
}  // namespace candor::gateway
