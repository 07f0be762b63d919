#include "base/thread.h"

#include <array>

#include <gtest/gtest.h>
#include <pthread.h>

namespace candor {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock;

std::string name_of_this_thread() {
  std::array<char, 16> text{};
  EXPECT_EQ(pthread_getname_np(pthread_self(), text.data(), text.size()), 0);
  return text.data();
}

TEST(ThreadTest, ANameIsCutToWhatTheKernelKeeps) {
  name_thread("publisher");
  EXPECT_EQ(name_of_this_thread(), "publisher");
  name_thread("a name of twenty-one b");
  EXPECT_EQ(name_of_this_thread(), "a name of twent");
}

void compute(Time::duration span) {
  for (const auto end = Time::now() + span; Time::now() < end;) {
  }
}

TEST(PacerTest, RestsOnlyAfterItsShareOfWork) {
  Pacer pacer(1s, 500ms);
  const auto begin = Time::now();
  for (int i = 0; i < 1000; ++i) pacer.breathe();
  EXPECT_LT(Time::now() - begin, 500ms);
}

TEST(PacerTest, RestsAfterWork) {
  Pacer pacer(1us, 50ms);
  compute(5ms);
  const auto begin = Time::now();
  pacer.breathe();
  EXPECT_GE(Time::now() - begin, 50ms);
}

TEST(PacerTest, WithoutAShareNeverRests) {
  Pacer pacer;
  compute(5ms);
  const auto begin = Time::now();
  pacer.breathe();
  EXPECT_LT(Time::now() - begin, 50ms);
}

}  // namespace
}  // namespace candor
