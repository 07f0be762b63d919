// What exchanges used, counted by account and calendar window in UTC (C8), and the same counted
// from the entries of a log: the two agree because both add entry by entry, in the log's order and
// by the entries' own times. Pure.
//
// The later of a time and the newest one before it counts (S7), so a clock that is set back opens
// no window again.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/entry.h"

namespace candor::gateway {

enum class BudgetWindow : std::uint8_t { kMinute, kDay, kMonth };
inline constexpr std::size_t kBudgetWindows = 3;
[[nodiscard]] std::string_view to_string(BudgetWindow window) noexcept;
// Seconds since 1970 at which the window around that second begins, and at which the next does.
[[nodiscard]] std::int64_t window_start(BudgetWindow window, std::int64_t at_s);
[[nodiscard]] std::int64_t window_end(BudgetWindow window, std::int64_t at_s);

struct Use {
  std::int64_t requests = 0, tokens_in = 0, tokens_out = 0, compute_us = 0;
  Use& operator+=(const Use& more);
  Use& operator-=(const Use& less);
  bool operator==(const Use&) const = default;
};

struct Period {
  std::int64_t start_s = 0;
  Use use;
};
using Periods = std::array<Period, kBudgetWindows>;

class Tally {
 public:
  // For what counts at that time: the window is the one around the later of it and the newest.
  void begin(std::int64_t at_us) { newest_us_ = std::max(newest_us_, at_us); }
  // After begin().
  void add(const std::string& account, const Use& use);
  // What was used in the window around now.
  [[nodiscard]] Use used(const std::string& account, BudgetWindow window,
                         std::int64_t now_us) const;
  void put(const std::string& account, BudgetWindow window, const Period& period);
  // Takes `use` from what its window counts, where it is that window still.
  void subtract(const std::string& account, const Periods& use);
  void merge(const std::string& account, const Periods& more);
  // Adds to the window that the difference is of, unless a newer one has begun; what is there of a
  // window that cannot be is thrown away.
  void correct(const std::string& account, BudgetWindow window, const Period& difference);
  void erase(const std::string& account) { accounts_.erase(account); }
  [[nodiscard]] std::int64_t newest_us() const noexcept { return newest_us_; }
  [[nodiscard]] const std::map<std::string, Periods, std::less<>>& accounts() const noexcept {
    return accounts_;
  }

 private:
  std::map<std::string, Periods, std::less<>> accounts_;
  std::int64_t newest_us_ = 0;
};

// Accounts that a log itself can name; the others follow from who a caller is.
[[nodiscard]] std::string caller_account(std::string_view pseudonym);
[[nodiscard]] std::string model_account(std::string_view model);

// What an exchange's end is charged. Where the engine was cut short and never counted a prompt, a
// token for each 4 bytes of the request; where nobody could count an answer, one for each 4 bytes
// that were released.
[[nodiscard]] Use use_of(const ledger::Outcome& outcome, std::uint64_t received_bytes);
// worked_us: from the intent to the end, or as far as is known.
[[nodiscard]] Use use_of(const ledger::Abort& abort, std::uint64_t received_bytes,
                         std::int64_t worked_us);

// Counts a log, from any entry on.
class LogTally {
 public:
  // The entry at an index before those that take() is given.
  using Read = std::function<Result<ledger::Entry>(std::uint64_t)>;
  explicit LogTally(Tally from) : tally_(std::move(from)) {}
  // The entry before the first one, of which only its run and time are of use.
  void follow(const ledger::Entry& entry);
  [[nodiscard]] Result<void> take(const ledger::Entry& entry, const Read& read);
  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }

 private:
  struct Begun {
    std::string caller, model;
    std::uint64_t received_bytes = 0;
    Id128 boot{};
    std::int64_t mono_us = 0;
  };
  [[nodiscard]] static Begun begun(const ledger::Intent& intent);
  [[nodiscard]] Result<Begun> ended(const Id128& exchange, std::uint64_t intent, const Read& read);
  void charge(const Begun& exchange, const Use& use, std::int64_t at_us);

  Tally tally_;
  std::map<Id128, Begun> open_;
  std::map<Id128, std::int64_t> last_;  // the newest mono_us of each run
};

}  // namespace candor::gateway
