#include "gateway/budgets.h"

#include <gmock/gmock.h>

namespace candor::gateway {
namespace {

constexpr std::int64_t kS = 1'000'000;
constexpr std::int64_t kNow = 1'795'633'230 * kS;  // 2026-11-25T19:00:30Z

class BudgetsTest : public testing::Test {
 protected:
  static Payer payer(std::string user = "ada", std::string team = "red", std::string key = "k1") {
    return {.caller = "p-" + key,
            .user = std::move(user),
            .team = std::move(team),
            .key = std::move(key),
            .model = "m"};
  }
  void limit(BudgetScope scope, std::string name, BudgetWindow window, BudgetLimits limits) {
    list_.push_back({.scope = scope, .name = std::move(name), .window = window, .limits = limits});
    budgets_.set_budgets(list_);
  }
  // One whole exchange; false: refused.
  bool ask(const Payer& who, Use end = {}, std::int64_t now = kNow) {
    auto ticket = budgets_.admit(who, now);
    if (!ticket) {
      refusal_ = ticket.error();
      return false;
    }
    budgets_.settle(*budgets_.submitted(*ticket, {.requests = 1}, now), index_++);
    budgets_.settle(*budgets_.submitted(*ticket, end, now), index_++);
    return true;
  }
  Budgets budgets_;
  std::vector<Budget> list_;
  std::uint64_t index_ = 0;
  std::optional<Budgets::Refusal> refusal_;
};

TEST_F(BudgetsTest, C8_RequestsBeyondALimitWaitForTheNextWindow) {
  limit(BudgetScope::kUser, "*", BudgetWindow::kMinute, {.requests = 2});
  EXPECT_TRUE(ask(payer()));
  EXPECT_TRUE(ask(payer()));
  EXPECT_FALSE(ask(payer()));
  EXPECT_EQ(refusal_->retry_after_s, 30);
  EXPECT_EQ(refusal_->what, "requests");
  EXPECT_TRUE(ask(payer("bob", "red", "k2")));  // has a budget of his own
  EXPECT_TRUE(ask(payer(), {}, kNow + 30 * kS));
}

TEST_F(BudgetsTest, C8_AReservationCountsBeforeItsEntryDoes) {
  limit(BudgetScope::kUser, "ada", BudgetWindow::kDay, {.requests = 1});
  auto first = budgets_.admit(payer(), kNow);
  ASSERT_TRUE(first);
  EXPECT_FALSE(budgets_.admit(payer(), kNow));
  const auto charge = budgets_.submitted(*first, {.requests = 1}, kNow);
  EXPECT_FALSE(budgets_.admit(payer(), kNow));
  first = Budgets::Ticket();
  EXPECT_FALSE(budgets_.admit(payer(), kNow));  // it stands in the log, or will
  budgets_.settle(*charge, std::nullopt);       // the ledger did not take it
  EXPECT_TRUE(budgets_.admit(payer(), kNow));
  {
    const auto refused_later = budgets_.admit(payer(), kNow);
  }
  EXPECT_TRUE(budgets_.admit(payer(), kNow));
}

TEST_F(BudgetsTest, C8_TokensAndComputingTimeCountWhenTheAnswerHasEnded) {
  limit(BudgetScope::kTeam, "red", BudgetWindow::kDay, {.tokens = 10});
  limit(BudgetScope::kModel, "m", BudgetWindow::kMonth, {.seconds = 5});
  EXPECT_TRUE(ask(payer(), {.tokens_in = 4, .tokens_out = 5, .compute_us = 1 * kS}));
  EXPECT_TRUE(ask(payer("bob", "red", "k2"), {.tokens_in = 90, .compute_us = 1 * kS}));
  EXPECT_FALSE(ask(payer()));
  EXPECT_EQ(refusal_->what, "tokens");
  EXPECT_TRUE(ask(payer("cy", "", "k3"), {.compute_us = 3 * kS}));
  EXPECT_FALSE(ask(payer("cy", "", "k3")));
  EXPECT_EQ(refusal_->scope, BudgetScope::kModel);
  EXPECT_EQ(refusal_->window, BudgetWindow::kMonth);
}

TEST_F(BudgetsTest, C8_WhoChangesTeamTakesAlongWhatItUsed) {
  EXPECT_TRUE(ask(payer("ada", ""), {.tokens_in = 5}));
  EXPECT_TRUE(ask(payer("bob", "red", "k2"), {.tokens_in = 7}));
  EXPECT_TRUE(ask(payer("ada", "red"), {.tokens_in = 1}));
  const auto used = [&](const char* account) {
    return budgets_.counted().used(account, BudgetWindow::kMonth, kNow).tokens_in;
  };
  EXPECT_EQ(used("team:red"), 13);
  EXPECT_TRUE(ask(payer("ada", "blue"), {.tokens_in = 2}));
  EXPECT_EQ(used("team:red"), 7);
  EXPECT_EQ(used("team:blue"), 8);
  EXPECT_EQ(used("caller:p-k1"), 8);
  EXPECT_EQ(used("user:ada"), 8);
  EXPECT_EQ(budgets_.members().at("p-k1").team, "blue");
}

TEST_F(BudgetsTest, C8_RunningAnswersCountExactly) {
  limit(BudgetScope::kKey, "k1", BudgetWindow::kDay, {.streams = 2});
  auto one = budgets_.admit(payer(), kNow);
  auto two = budgets_.admit(payer(), kNow);
  ASSERT_TRUE(two);
  const auto three = budgets_.admit(payer(), kNow);
  ASSERT_FALSE(three);
  EXPECT_EQ(three.error().what, "streams");
  EXPECT_EQ(three.error().retry_after_s, 1);
  Budgets::Ticket moved = *std::move(one);
  EXPECT_FALSE(budgets_.admit(payer(), kNow));
  moved = Budgets::Ticket();
  EXPECT_TRUE(budgets_.admit(payer(), kNow));
}

TEST_F(BudgetsTest, C8_ChargesCountInTheLogsOrderWhateverTheOrderOfAcknowledgements) {
  auto ticket = budgets_.admit(payer(), kNow);
  const auto first = budgets_.submitted(*ticket, {.requests = 1}, kNow);
  const auto second = budgets_.submitted(*ticket, {.tokens_in = 5}, kNow);
  budgets_.settle(*second, 8);
  EXPECT_EQ(budgets_.position(), 0U);
  EXPECT_EQ(budgets_.counted().used("user:ada", BudgetWindow::kDay, kNow), Use{});
  budgets_.settle(*first, 7);
  EXPECT_EQ(budgets_.position(), 9U);
  EXPECT_EQ(budgets_.counted().used("user:ada", BudgetWindow::kDay, kNow),
            (Use{.requests = 1, .tokens_in = 5}));
}

TEST_F(BudgetsTest, C8_ARestartKeepsWhatUsersTeamsKeysAndModelsUsed) {
  EXPECT_TRUE(ask(payer(), {.tokens_in = 5}));
  EXPECT_TRUE(ask(payer("ada", "blue", "k2"), {.tokens_in = 7}));
  Tally kept;  // callers and models alone, as they are written
  kept.begin(budgets_.counted().newest_us());
  for (const auto& [account, periods] : budgets_.counted().accounts()) {
    if (!account.starts_with("caller:") && !account.starts_with("model:")) continue;
    kept.merge(account, periods);
  }
  std::vector<Payer> members;
  for (const auto& [pseudonym, member] : budgets_.members()) members.push_back(member);
  Budgets again;
  again.restore(kept, members, budgets_.position());
  for (const auto& [account, periods] : budgets_.counted().accounts()) {
    EXPECT_EQ(again.counted().used(account, BudgetWindow::kMonth, kNow),
              budgets_.counted().used(account, BudgetWindow::kMonth, kNow))
        << account;
  }
  EXPECT_EQ(again.counted().used("user:ada", BudgetWindow::kDay, kNow).tokens_in, 12);
  EXPECT_EQ(again.position(), 4U);
}

TEST_F(BudgetsTest, C8_P3_AnErasureEndsThePersonsCountsAndKeepsTheTeams) {
  EXPECT_TRUE(ask(payer(), {.tokens_in = 5}));
  EXPECT_TRUE(ask(payer("ada", "red", "k2"), {.tokens_in = 7}));
  budgets_.forget("p-k1");
  const auto used = [&](const char* account) {
    return budgets_.counted().used(account, BudgetWindow::kMonth, kNow).tokens_in;
  };
  EXPECT_EQ(used("user:ada"), 7);
  EXPECT_EQ(used("key:k1"), 0);
  EXPECT_EQ(used("team:red"), 12);
  EXPECT_EQ(used("model:m"), 12);
  EXPECT_EQ(used("caller:p-k1"), 5);  // as the log says, of nobody now
  budgets_.forget("p-k1");            // once
  EXPECT_EQ(used("user:ada"), 7);
}

TEST_F(BudgetsTest, C8_ACorrectionReachesEverythingThatTheCallerCountsIn) {
  EXPECT_TRUE(ask(payer(), {.tokens_in = 5}));
  const Period more{.start_s = window_start(BudgetWindow::kDay, kNow / kS),
                    .use = {.tokens_in = 100}};
  budgets_.correct("caller:p-k1", BudgetWindow::kDay, more);
  for (const char* account : {"caller:p-k1", "user:ada", "team:red", "key:k1"}) {
    EXPECT_EQ(budgets_.counted().used(account, BudgetWindow::kDay, kNow).tokens_in, 105) << account;
    EXPECT_EQ(budgets_.counted().used(account, BudgetWindow::kMonth, kNow).tokens_in, 5) << account;
  }
}

TEST_F(BudgetsTest, C8_HeadersTellWhatIsLeftOfTheNearestLimit) {
  limit(BudgetScope::kUser, "*", BudgetWindow::kMinute, {.requests = 10, .tokens = 100});
  limit(BudgetScope::kTeam, "red", BudgetWindow::kDay, {.requests = 3});
  EXPECT_TRUE(ask(payer(), {.tokens_in = 1, .tokens_out = 2}));
  http::Headers headers;
  budgets_.add_headers(payer(), kNow, headers);
  EXPECT_EQ(headers.find("x-ratelimit-limit-requests"), "3");
  EXPECT_EQ(headers.find("x-ratelimit-remaining-requests"), "2");
  EXPECT_EQ(headers.find("x-ratelimit-reset-requests"), "4h59m30s");
  EXPECT_EQ(headers.find("x-ratelimit-remaining-tokens"), "97");
  EXPECT_EQ(headers.find("x-ratelimit-reset-tokens"), "30s");
  EXPECT_FALSE(headers.find("x-ratelimit-limit-seconds"));
}

TEST_F(BudgetsTest, C9_PolicyHearsWhatIsLeftAndThatNothingBoundsTheRest) {
  EXPECT_EQ(budgets_.summary(payer(), kNow).requests_left, BudgetSummary::kUnlimited);
  limit(BudgetScope::kUser, "ada", BudgetWindow::kDay, {.requests = 4});
  EXPECT_TRUE(ask(payer()));
  const BudgetSummary summary = budgets_.summary(payer(), kNow);
  EXPECT_EQ(summary.requests_left, 3);
  EXPECT_EQ(summary.used_percent, 25);
  EXPECT_EQ(summary.tokens_left, BudgetSummary::kUnlimited);
  EXPECT_EQ(budgets_.summary(payer("bob"), kNow).used_percent, 0);
}

TEST_F(BudgetsTest, C8_AllListsABudgetOfEachForEveryoneWhoUsedIt) {
  limit(BudgetScope::kUser, "*", BudgetWindow::kDay, {.requests = 4});
  EXPECT_TRUE(ask(payer("ada")));
  EXPECT_TRUE(ask(payer("bob", "", "k2")));
  std::vector<std::string> names;
  for (const BudgetState& state : budgets_.all(kNow)) names.push_back(state.name);
  EXPECT_THAT(names, testing::ElementsAre("ada", "bob"));
}

}  // namespace
}  // namespace candor::gateway
