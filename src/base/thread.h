// Names and manners of background threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace candor {

// Names the calling thread for top, perf and core files; the kernel keeps 15 bytes.
void name_thread(std::string_view name) noexcept;

// Keeps a long task from holding a processor while others wait for it: breathe(), called between
// small steps, sleeps once the calling thread has computed for `work` since the last rest. Waits
// for the disk do not count. For one thread.
class Pacer {
 public:
  // Never rests.
  Pacer() = default;
  Pacer(std::chrono::microseconds work, std::chrono::microseconds rest);
  void breathe();

 private:
  std::chrono::nanoseconds work_{0}, rest_{0};
  std::chrono::nanoseconds began_{0};  // of this thread's processor time
};

}  // namespace candor
