#include "base/check.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace candor {
namespace {

std::atomic<std::uint64_t> bugs{0};

void write_to_stderr(const std::string& line) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void check_failed(std::string_view condition, const std::source_location& place) {
  write_to_stderr(fmt::format("candor: check failed: {} at {}:{} in {}\n", condition,
                              place.file_name(), place.line(), place.function_name()));
  std::abort();
}

void report_bug(std::string_view what, const std::source_location& place) {
  bugs.fetch_add(1, std::memory_order_relaxed);
  static std::mutex mutex;
  static std::set<std::pair<std::string, std::uint_least32_t>> seen;
  const std::lock_guard lock(mutex);
  if (!seen.emplace(place.file_name(), place.line()).second) return;
  write_to_stderr(fmt::format("candor: bug: {} at {}:{}; the request it served has failed\n", what,
                              place.file_name(), place.line()));
}

std::uint64_t bug_count() noexcept { return bugs.load(std::memory_order_relaxed); }

}  // namespace candor
