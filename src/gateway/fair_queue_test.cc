#include "gateway/fair_queue.h"

#include <algorithm>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

namespace candor::gateway {
namespace {

namespace asio = http::asio;
using ::testing::ElementsAre;
using Refusal = FairQueue::Refusal;

class FairQueueTest : public ::testing::Test {
 protected:
  void TearDown() override {  // nobody waits for a turn when the stop source goes
    stop_.request(http::StopReason::kShutdown);
    settle();
  }
  // Asks for a turn; it is kept in held_ until the test gives it back.
  void ask(const std::string& caller, std::chrono::milliseconds patience = kLong,
           TurnPriority priority = TurnPriority::kNormal) {
    asio::co_spawn(io_, run(caller, patience, priority), asio::detached);
    settle();
  }
  asio::awaitable<void> run(std::string caller, std::chrono::milliseconds patience,
                            TurnPriority priority) {
    auto turn = co_await queue_->wait(caller, priority, slots_, room_,
                                      std::chrono::steady_clock::now() + patience, stop_);
    if (turn) {
      order_.push_back(caller);
      held_.emplace_back(caller, *std::move(turn));
    } else {
      refused_.emplace_back(caller, turn.error());
    }
  }
  void settle() {
    io_.restart();
    io_.poll();
  }
  void give_back() {
    held_.erase(held_.begin());
    settle();
  }
  static constexpr std::chrono::milliseconds kLong{60'000};

  asio::io_context io_{1};
  std::shared_ptr<FairQueue> queue_ = std::make_shared<FairQueue>(io_.get_executor());
  http::StopSource stop_;
  std::size_t slots_ = 1, room_ = 8;
  std::vector<std::string> order_;
  std::vector<std::pair<std::string, FairQueue::Turn>> held_;
  std::vector<std::pair<std::string, Refusal>> refused_;
};

TEST_F(FairQueueTest, S17_ACallerWithManyRequestsDoesNotKeepTheOthersWaiting) {
  for (int i = 0; i < 5; ++i) ask("flood");
  ask("ada");
  ask("bob");
  for (int i = 0; i < 6; ++i) give_back();
  EXPECT_THAT(order_, ElementsAre("flood", "ada", "bob", "flood", "flood", "flood", "flood"));
}

TEST_F(FairQueueTest, S17_OfSeveralSlotsTheOneWithFewestGetsTheNext) {
  slots_ = 3;
  for (int i = 0; i < 5; ++i) ask("flood");
  ask("ada");
  ask("ada");
  EXPECT_THAT(order_, ElementsAre("flood", "flood", "flood"));
  give_back();  // flood has two left, ada none
  give_back();  // flood one, ada one: ada was served last
  EXPECT_THAT(order_, ElementsAre("flood", "flood", "flood", "ada", "flood"));
  EXPECT_EQ(queue_->running(), 3U);
}

TEST_F(FairQueueTest, S17_AFullRoomIsTakenFromWhoeverHasMostInIt) {
  room_ = 3;
  for (int i = 0; i < 5; ++i) ask("flood");  // one runs, three wait, one is refused
  EXPECT_THAT(refused_, ElementsAre(std::pair("flood", Refusal::kFull)));
  ask("ada");
  EXPECT_EQ(refused_.size(), 2U);
  EXPECT_EQ(refused_.back(), std::pair(std::string("flood"), Refusal::kFull));
  ask("bob");
  EXPECT_EQ(refused_.size(), 3U);
  EXPECT_EQ(refused_.back().first, "flood");
  ask("eve");  // everybody has one
  EXPECT_EQ(refused_.back(), std::pair(std::string("eve"), Refusal::kFull));
  give_back();
  give_back();
  give_back();
  EXPECT_THAT(order_, ElementsAre("flood", "ada", "bob", "flood"));
}

TEST_F(FairQueueTest, AStopEndsTheWaitAndLeavesNothingBehind) {
  ask("ada");
  ask("bob");
  stop_.request(http::StopReason::kClientGone);
  settle();
  EXPECT_THAT(refused_, ElementsAre(std::pair("bob", Refusal::kStopped)));
  EXPECT_EQ(queue_->waiting(), 0U);
  give_back();
  EXPECT_EQ(queue_->running(), 0U);
}

TEST_F(FairQueueTest, ADeadlineEndsTheWait) {
  ask("ada");
  ask("bob", std::chrono::milliseconds(0));
  io_.restart();
  io_.run_one();
  settle();
  EXPECT_THAT(refused_, ElementsAre(std::pair("bob", Refusal::kDeadline)));
  EXPECT_EQ(queue_->waiting(), 0U);
}

TEST_F(FairQueueTest, WithoutABoundNobodyWaits) {
  slots_ = 0;
  for (int i = 0; i < 50; ++i) ask("ada");
  EXPECT_EQ(order_.size(), 50U);
}

TEST_F(FairQueueTest, MoreSlotsLetTheNextOnesIn) {
  ask("ada");
  ask("bob");
  slots_ = 3;
  ask("eve");
  EXPECT_THAT(order_, ::testing::UnorderedElementsAre("ada", "bob", "eve"));
}

TEST_F(FairQueueTest, C8_TurnsFollowPrioritiesAndNobodyStarves) {
  room_ = 100;
  ask("running");
  for (int i = 0; i < 26; ++i) {
    ask("low", kLong, TurnPriority::kLow);
    ask("normal", kLong, TurnPriority::kNormal);
    ask("high", kLong, TurnPriority::kHigh);
  }
  order_.clear();
  for (int i = 0; i < 26; ++i) give_back();
  const auto count = [&](const char* who) { return std::ranges::count(order_, who); };
  EXPECT_EQ(count("high"), 18);
  EXPECT_EQ(count("normal"), 6);
  EXPECT_EQ(count("low"), 2);
}

TEST_F(FairQueueTest, C8_APriorityThatNobodyWaitedInHasSavedUpNothing) {
  room_ = 200;
  ask("running");
  for (int i = 0; i < 40; ++i) ask("high", kLong, TurnPriority::kHigh);
  for (int i = 0; i < 40; ++i) give_back();
  for (int i = 0; i < 20; ++i) {
    ask("low", kLong, TurnPriority::kLow);
    ask("high", kLong, TurnPriority::kHigh);
  }
  order_.clear();
  for (int i = 0; i < 10; ++i) give_back();
  EXPECT_LE(std::ranges::count(order_, "low"), 2);
  EXPECT_GE(std::ranges::count(order_, "low"), 1);
}

TEST_F(FairQueueTest, C8_WithinAPriorityTurnsAreSharedBetweenCallers) {
  room_ = 100;
  ask("running");
  for (int i = 0; i < 5; ++i) ask("flood", kLong, TurnPriority::kHigh);
  ask("ada", kLong, TurnPriority::kHigh);
  order_.clear();
  for (int i = 0; i < 2; ++i) give_back();
  EXPECT_THAT(order_, testing::UnorderedElementsAre("flood", "ada"));
}

}  // namespace
}  // namespace candor::gateway
