#include <future>
#include <thread>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "ledger/receipt.h"
#include "store/testing/store_harness.h"

namespace candor::store {
namespace {

class LedgerTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> open(const LedgerOptions& options = small_options()) {
    return open_store(real_file_system(), folder_.path(), clock_, options);
  }
  TemporaryFolder folder_;
  FakeClock clock_;
};

TEST_F(LedgerTest, ANewLogBeginsWithAStartAndVerifies) {
  auto store = open();
  ASSERT_OK(store);
  EXPECT_TRUE((*store)->recovery().new_log);
  EXPECT_EQ((*store)->recovery().start_index, 0U);
  ASSERT_OK((*store)->ledger().publish());
  EXPECT_EQ((*store)->published_size(), 1U);
  const auto size = verify_folder(real_file_system(), folder_.path());
  ASSERT_OK(size);
  EXPECT_EQ(*size, 1U);
}

TEST_F(LedgerTest, AnExchangeIsWrittenAndItsReceiptVerifies) {
  auto store = open();
  ASSERT_OK(store);
  const auto load = add_load(**store);
  ASSERT_OK(load);
  const auto said = say(**store, *load, "key:1", "What is the capital of France?", "Paris.");
  ASSERT_OK(said);
  const auto receipt = ledger::parse_receipt(said->receipt);
  ASSERT_OK(receipt);
  const Transcript request = request_transcript("What is the capital of France?");
  const Transcript answer = answer_transcript("Paris.");
  ledger::ReceiptQuestion question;
  question.request = &request;
  question.answer = &answer;
  const auto report = ledger::verify_receipt(*receipt, question);
  ASSERT_OK(report);
  EXPECT_FALSE(ledger::any_fails(report->findings));
  const Transcript other = answer_transcript("Paris!");
  question.answer = &other;
  const auto wrong = ledger::verify_receipt(*receipt, question);
  ASSERT_OK(wrong);
  EXPECT_TRUE(ledger::any_fails(wrong->findings));
}

TEST_F(LedgerTest, EntriesOfManyThreadsAreAllThereAfterARestartAndVerify) {
  std::uint64_t acknowledged = 0;
  {
    auto store = open();
    ASSERT_OK(store);
    const auto load = add_load(**store);
    ASSERT_OK(load);
    std::atomic<int> failures{0};
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < 40; ++i) {
            if (!say(**store, *load, "key:" + std::to_string(t), "p", "a")) ++failures;
            if (i % 10 == 0 && !(*store)->ledger().publish()) ++failures;
          }
        });
      }
    }
    EXPECT_EQ(failures, 0);
    acknowledged = (*store)->ledger().head()->size;
    EXPECT_EQ(acknowledged, 2U + (8U * 40U * 2U));
    // Nothing is closed in order: as after a crash of the process.
  }
  const auto before = verify_folder(real_file_system(), folder_.path());
  ASSERT_OK(before);
  EXPECT_EQ(*before, acknowledged);
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ((*store)->recovery().previous_size, acknowledged);
  EXPECT_EQ((*store)->recovery().aborted, 0U);
  ASSERT_OK((*store)->close("signal"));
  const auto after = verify_folder(real_file_system(), folder_.path());
  ASSERT_OK(after);
  EXPECT_EQ(*after, acknowledged + 2);
}

TEST_F(LedgerTest, AReceiptIsRebuiltAfterARestart) {
  Id128 id{};
  {
    auto store = open();
    ASSERT_OK(store);
    const auto load = add_load(**store);
    ASSERT_OK(load);
    const auto said = say(**store, *load, "key:1", "prompt text", "answer text");
    ASSERT_OK(said);
    id = said->exchange;
    ASSERT_OK((*store)->close("signal"));
  }
  auto store = open();
  ASSERT_OK(store);
  const auto text = (*store)->receipt(id);
  ASSERT_OK(text);
  const auto receipt = ledger::parse_receipt(*text);
  ASSERT_OK(receipt);
  const Transcript request = request_transcript("prompt text");
  const Transcript answer = answer_transcript("answer text");
  ledger::ReceiptQuestion question;
  question.request = &request;
  question.answer = &answer;
  const auto report = ledger::verify_receipt(*receipt, question);
  ASSERT_OK(report);
  EXPECT_FALSE(ledger::any_fails(report->findings));
  EXPECT_EQ(report->head.size, (*store)->ledger().head()->size);
}

TEST_F(LedgerTest, AnOpenIntentIsAbortedWithItsLastRecordedLength) {
  Id128 id{};
  {
    auto store = open();
    ASSERT_OK(store);
    const auto load = add_load(**store);
    ASSERT_OK(load);
    const auto subject = (*store)->keys().subject("key:1");
    ASSERT_OK(subject);
    id = make_id(system_random());
    auto record = ExchangeRecord::begin((*store)->keys(), id, subject->id);
    auto intent = record.intent(intent_entry(**store, *subject, *load), request_transcript("p"),
                                request_transcript("p"), {});
    ASSERT_OK(intent);
    const auto acknowledged = submit_and_wait((*store)->ledger(), *std::move(intent));
    ASSERT_OK(acknowledged);
    ledger::Progress progress;
    progress.at = (*store)->stamp();
    progress.released_bytes = 4096;
    auto mark = record.progress(progress, *acknowledged);
    ASSERT_OK(mark);
    ASSERT_OK(submit_and_wait((*store)->ledger(), *std::move(mark)));
  }
  auto store = open();
  ASSERT_OK(store);
  EXPECT_EQ((*store)->recovery().aborted, 1U);
  const auto found = (*store)->exchange(id);
  ASSERT_OK(found);
  EXPECT_EQ(found->row.end_kind, End::kAbort);
  const auto entry = ledger::decode(*found->end);
  ASSERT_OK(entry);
  EXPECT_EQ(std::get<ledger::Abort>(*entry).released_bytes, 4096U);
  ASSERT_OK((*store)->ledger().publish());
  EXPECT_OK(verify_folder(real_file_system(), folder_.path()));
}

TEST_F(LedgerTest, S6_ASecondOwnerIsRefusedAndToldTheFirstsPid) {
  auto store = open();
  ASSERT_OK(store);
  const auto second = open();
  ASSERT_THAT(second, HasCode(Code::kFailedPrecondition));
  EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(LedgerTest, S7_AClockThatStepsBackIsAnEntry) {
  auto store = open();
  ASSERT_OK(store);
  (void)(*store)->stamp();
  clock_.set_wall_us(clock_.wall_us() - 60'000'000);
  (void)(*store)->stamp();
  ASSERT_OK((*store)->close("signal"));
  const auto entry = ledger::decode(*(*store)->ledger().read(1));
  ASSERT_OK(entry);
  ASSERT_TRUE(std::holds_alternative<ledger::ClockStep>(*entry));
  EXPECT_EQ(std::get<ledger::ClockStep>(*entry).back_us, 60'000'000);
}

}  // namespace
}  // namespace candor::store
