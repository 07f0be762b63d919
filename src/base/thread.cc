#include "base/thread.h"

#include <algorithm>
#include <array>
#include <thread>

#include <pthread.h>
#include <time.h>

namespace candor {
namespace {

std::chrono::nanoseconds processor_time() {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

void name_thread(std::string_view name) noexcept {
  std::array<char, 16> text{};
  std::ranges::copy(name.substr(0, text.size() - 1), text.begin());
  (void)pthread_setname_np(pthread_self(), text.data());
}

Pacer::Pacer(std::chrono::microseconds work, std::chrono::microseconds rest)
    : work_(work), rest_(rest), began_(processor_time()) {}

void Pacer::breathe() {
  if (rest_.count() == 0 || processor_time() - began_ < work_) return;
  std::this_thread::sleep_for(rest_);
  began_ = processor_time();
}

}  // namespace candor
