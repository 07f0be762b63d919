#include "gateway/os_groups.h"

#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>

#include "base/testing/fake_clock.h"

namespace candor::gateway {
namespace {

namespace asio = http::asio;

class OsGroupsTest : public testing::Test {
 protected:
  // nullopt: the workers were asked, and have not answered.
  std::optional<std::vector<std::string>> of(std::uint32_t uid) {
    const auto found = std::make_shared<std::optional<std::vector<std::string>>>();
    asio::co_spawn(
        io_,
        [this, uid, found]() -> asio::awaitable<void> {
          *found = co_await groups_.of(uid, clock_, workers_);
        },
        asio::detached);
    io_.restart();
    workers_ended_ ? (void)io_.poll() : (void)io_.run();
    return *found;
  }
  void end_workers() {
    workers_.join();
    workers_ended_ = true;
  }
  asio::io_context io_{1};
  asio::thread_pool workers_{1};
  bool workers_ended_ = false;
  FakeClock clock_;
  OsGroups groups_;
};

TEST_F(OsGroupsTest, C7_TheSystemsGroupsAreKnownByTheirNames) {
  const auto groups = of(0);
  ASSERT_TRUE(groups);
  EXPECT_THAT(*groups, testing::Contains("root"));
  EXPECT_TRUE(std::ranges::is_sorted(*groups));
}

TEST_F(OsGroupsTest, C7_AUserWhomTheSystemDoesNotKnowHasNone) {
  EXPECT_EQ(of(3'999'999'999), std::vector<std::string>{});
}

TEST_F(OsGroupsTest, C7_TheyAreAskedForAgainAfterAWhile) {
  const auto groups = of(0);
  end_workers();
  EXPECT_EQ(of(0), groups);
  clock_.advance_us(OsGroups::kKeptUs);
  EXPECT_FALSE(of(0));
}

}  // namespace
}  // namespace candor::gateway
