// Three checks for bugs of our own; none may depend on input (that is Result's work).
//   CANDOR_CHECK(cond)   always on; prints the place and ends the process.
//   CANDOR_DCHECK(cond)  in debug and fuzz builds only.
//   CANDOR_BUG(what)     counts, logs once per place, and the caller fails its one request.
#pragma once

#include <cstdint>
#include <source_location>
#include <string_view>

namespace candor {

[[noreturn]] void check_failed(std::string_view condition, const std::source_location& place);
void report_bug(std::string_view what, const std::source_location& place);
// How many CANDOR_BUGs this process has met; in /metrics as candor_bugs_total.
[[nodiscard]] std::uint64_t bug_count() noexcept;

}  // namespace candor

#define CANDOR_CHECK(cond) \
  ((cond) ? (void)0 : ::candor::check_failed(#cond, std::source_location::current()))
#ifdef NDEBUG
#define CANDOR_DCHECK(cond) ((void)0)
#else
#define CANDOR_DCHECK(cond) CANDOR_CHECK(cond)
#endif
#define CANDOR_BUG(what) ::candor::report_bug((what), std::source_location::current())
