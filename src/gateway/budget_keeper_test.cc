#include "gateway/budget_keeper.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "gateway/testing/fake_ledger.h"

namespace candor::gateway {
namespace {

constexpr std::int64_t kNow = 1'795'633'230'000'000;  // 2026-11-25T19:00:30Z

class BudgetKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = store::StateDb::in_memory();
    ASSERT_OK(opened);
    state_ = *std::move(opened);
    key_ = state_
               ->create_api_key("k", {}, {}, {.owner = "ada", .team = "red", .purpose = {}}, 0,
                                system_random())
               .value()
               .key.id;
    ASSERT_OK(state_->add_subject("key:" + key_, {.id = subject_, .key_slot = 0}));
  }
  void log(const ledger::Entry& entry) {
    ledger_.submit({.entry = ledger::encode(entry).value(), .aux = {}, .priority = {}, .mark = {}},
                   [](const auto&) {});
  }
  // One exchange of the key in the log; its 7 tokens in are charged.
  void exchange() {
    ledger::Intent intent;
    intent.at.time_us = kNow;
    intent.exchange = make_id(system_random());
    intent.caller = to_hex(subject_);
    intent.caller_known_by = "api_key";
    intent.api = "openai.chat";
    intent.content = "none";
    intent.repeatable = "best_effort";
    intent.provenance.model = "m";
    ledger::Outcome outcome;
    outcome.at.time_us = kNow;
    outcome.exchange = intent.exchange;
    outcome.intent_index = entries();
    outcome.result = "complete";
    outcome.prompt_tokens = 7;
    log(intent);
    log(outcome);
  }
  std::uint64_t entries() const { return ledger_.submitted().size(); }
  std::int64_t tokens(const Budgets& budgets, const std::string& account) const {
    return budgets.counted().used(account, BudgetWindow::kMonth, kNow).tokens_in;
  }

  std::unique_ptr<store::StateDb> state_;
  FakeLedger ledger_;
  std::string key_;
  Id128 subject_ = make_id(system_random());
};

TEST_F(BudgetKeeperTest, C8_AStartCountsWhatTheLogHoldsBeyondWhatWasKept) {
  exchange();
  Budgets first;
  ASSERT_OK(load_budgets(first, *state_, ledger_, {{to_hex(subject_), "key:" + key_}}));
  EXPECT_EQ(first.position(), 2U);
  for (const auto& account : {"user:ada", "team:red", "model:m"}) {
    EXPECT_EQ(tokens(first, account), 7) << account;
  }
  EXPECT_EQ(tokens(first, "key:" + key_), 7);
  // Kept so far, with a count of its own that shows that it is not counted again.
  const std::int64_t month = window_start(BudgetWindow::kMonth, kNow / 1'000'000);
  ASSERT_OK(state_->save_use({.position = 2,
                              .newest_us = kNow,
                              .rows = {{.account = caller_account(to_hex(subject_)),
                                        .window = 2,
                                        .start_s = month,
                                        .requests = 1,
                                        .tokens_in = 100,
                                        .tokens_out = 0,
                                        .compute_us = 0}},
                              .teams = {}},
                             0));
  exchange();
  Budgets second;
  ASSERT_OK(load_budgets(second, *state_, ledger_, {{to_hex(subject_), "key:" + key_}}));
  EXPECT_EQ(second.position(), 4U);
  EXPECT_EQ(tokens(second, "team:red"), 107);
}

TEST_F(BudgetKeeperTest, C8_P3_WhoIsErasedCountsInTheTeamAloneAfterARestart) {
  exchange();
  Budgets first;
  ASSERT_OK(load_budgets(first, *state_, ledger_, {{to_hex(subject_), "key:" + key_}}));
  ASSERT_OK(state_->save_use(
      {.position = 0, .newest_us = 0, .rows = {}, .teams = {{to_hex(subject_), "red"}}}, 0));
  ASSERT_OK(state_->erase_subject(subject_));
  Budgets again;
  ASSERT_OK(load_budgets(again, *state_, ledger_, {}));  // its name is gone
  EXPECT_EQ(tokens(again, "team:red"), 7);
  EXPECT_EQ(tokens(again, "user:ada"), 0);
  EXPECT_EQ(tokens(again, "key:" + key_), 0);
}

TEST_F(BudgetKeeperTest, C8_ALogThatFollowsAClosedOneBeginsWithItsCounts) {
  ASSERT_OK(state_->load_use("candor/older"));
  const std::int64_t month = window_start(BudgetWindow::kMonth, kNow / 1'000'000);
  ASSERT_OK(state_->save_use({.position = 50,
                              .newest_us = kNow,
                              .rows = {{.account = "model:m",
                                        .window = 2,
                                        .start_s = month,
                                        .requests = 0,
                                        .tokens_in = 100,
                                        .tokens_out = 0,
                                        .compute_us = 0}},
                              .teams = {}},
                             0));
  exchange();
  Budgets budgets;
  ASSERT_OK(load_budgets(budgets, *state_, ledger_, {{to_hex(subject_), "key:" + key_}}));
  EXPECT_EQ(tokens(budgets, "model:m"), 107);
  const auto before = state_->load_use_before();
  ASSERT_OK(before);
  ASSERT_EQ(before->rows.size(), 1U);
  EXPECT_EQ(before->rows[0].tokens_in, 100);
  // A second start of the same log begins nothing anew.
  Budgets again;
  ASSERT_OK(load_budgets(again, *state_, ledger_, {{to_hex(subject_), "key:" + key_}}));
  EXPECT_EQ(tokens(again, "model:m"), 107);
}

}  // namespace
}  // namespace candor::gateway
