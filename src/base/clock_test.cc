#include "base/clock.h"

#include <set>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"

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

TEST(RandomTest, NoBytesAreGivenTwiceHoweverManyAreTaken) {
  std::set<Id128> seen;
  for (int i = 0; i < 5'000; ++i) EXPECT_TRUE(seen.insert(make_id(system_random())).second);
  std::array<std::byte, 1000> large{};
  system_random().fill(large);
  EXPECT_GT(std::set<std::byte>(large.begin(), large.end()).size(), 100U);
}

TEST(RandomTest, AChildDoesNotGetItsParentsNextBytes) {
  (void)make_id(system_random());  // the buffer is filled
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Id128 id = make_id(system_random());
    _exit(write(ends[1], id.data(), id.size()) == ssize_t{16} ? 0 : 1);
  }
  const Id128 ours = make_id(system_random());
  Id128 theirs{};
  ASSERT_EQ(read(ends[0], theirs.data(), theirs.size()), 16);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_NE(ours, theirs);
  close(ends[0]);
  close(ends[1]);
}

TEST(ClockTest, AnIdReadsBackFromItsHexDigits) {
  const Id128 id = make_id(system_random());
  EXPECT_EQ(id_from_hex(to_hex(id)).value(), id);
  for (const char* text :
       {"", "00", "0123456789abcdef0123456789abcde", "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdef00", "0123456789abcdef0123456789abcdeg"}) {
    EXPECT_FALSE(id_from_hex(text).has_value()) << text;
  }
}

TEST(ClockTest, IdsDiffer) { EXPECT_NE(make_id(system_random()), make_id(system_random())); }

}  // namespace
}  // namespace candor
