// How fast this machine reads memory.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "models/fit.h"

namespace candor::models {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBuffer = 192U << 20U;  // beyond the caches of this decade's machines
constexpr auto kTime = std::chrono::milliseconds(500);

// Sums 64-bit words in sixteen lanes, so that adding is no bound.
using Lanes [[gnu::vector_size(32)]] = std::uint64_t;
[[gnu::target_clones("avx2", "default")]] std::uint64_t read_once(const std::uint64_t* data,
                                                                  std::size_t words) {
  Lanes a{};
  Lanes b{};
  Lanes c{};
  Lanes d{};
  const auto* from = reinterpret_cast<const Lanes*>(data);
  for (std::size_t i = 0; i + 4 <= words / 4; i += 4) {
    a += from[i];
    b += from[i + 1];
    c += from[i + 2];
    d += from[i + 3];
  }
  a += b + c + d;
  return a[0] + a[1] + a[2] + a[3];
}

// Bytes a second of all threads together, in the best of several rounds: what else runs here, and
// pages that are read for the first time, only make a round slower.
template <typename Work>
double best_rate(std::size_t threads, std::size_t bytes, const Work& work) {
  double best = 0;
  const auto end = Clock::now() + kTime;
  do {
    const auto start = Clock::now();
    std::vector<std::thread> running;
    for (std::size_t t = 0; t < threads; ++t) running.emplace_back([&, t] { work(t); });
    for (std::thread& thread : running) thread.join();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, static_cast<double>(bytes) / seconds);
  } while (Clock::now() < end);
  return best;
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
  const std::unique_ptr<std::uint64_t[], decltype(&std::free)> data(
      static_cast<std::uint64_t*>(std::aligned_alloc(4096, kBuffer)), &std::free);
  if (data == nullptr) return out;
  // Small pages, as those of a mapped model file are.
  (void)::madvise(data.get(), kBuffer, MADV_NOHUGEPAGE);
  std::fill_n(data.get(), words, 0x0123456789abcdefULL);
  std::vector<std::uint64_t> sums(threads * 8);
  const std::size_t share = words / threads;
  const std::size_t bytes = threads * share * sizeof(std::uint64_t);
  out.bytes_per_second = best_rate(threads, bytes, [&](std::size_t t) {
    sums[t * 8] += read_once(data.get() + t * share, share);
  });
  volatile std::uint64_t keep = 0;  // nothing of it may be optimised away
  for (const std::uint64_t sum : sums) keep = keep + sum;
  return out;
}

}  // namespace candor::models
