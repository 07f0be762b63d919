// How fast this machine reads memory.
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include <unistd.h>

#include "models/fit.h"

namespace candor::models {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBuffer = 192U << 20U;  // beyond the caches of this decade's machines
constexpr auto kTime = std::chrono::milliseconds(250);

// Sums 64-bit words in eight lanes, so that adding is no bound.
std::uint64_t read_once(const std::uint64_t* data, std::size_t words) {
  std::uint64_t lanes[8] = {};
  for (std::size_t i = 0; i + 8 <= words; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += data[i + lane];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t lane : lanes) sum += lane;
  return sum;
}

template <typename Work>
double per_second(std::size_t threads, std::size_t unit, const Work& work) {
  std::vector<std::thread> running;
  std::vector<double> rates(threads);
  for (std::size_t t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      work(t);  // pages are there, the clock is up
      const auto start = Clock::now();
      std::size_t done = 0;
      double seconds = 0;
      do {
        work(t);
        done += unit;
        seconds = std::chrono::duration<double>(Clock::now() - start).count();
      } while (seconds < std::chrono::duration<double>(kTime).count());
      rates[t] = static_cast<double>(done) / seconds;
    });
  }
  for (std::thread& thread : running) thread.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

Machine measure_machine() {
  Machine out;
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) {
    out.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  }
  const std::size_t words = kBuffer / sizeof(std::uint64_t);
  std::vector<std::uint64_t> data(words, 0x0123456789abcdefULL);
  std::vector<std::uint64_t> sums(threads * 8);
  const std::size_t share = words / threads;
  out.bytes_per_second = per_second(threads, share * sizeof(std::uint64_t), [&](std::size_t t) {
    sums[t * 8] += read_once(data.data() + t * share, share);
  });
  volatile std::uint64_t keep = 0;  // nothing of it may be optimised away
  for (const std::uint64_t sum : sums) keep = keep + sum;
  return out;
}

}  // namespace candor::models
