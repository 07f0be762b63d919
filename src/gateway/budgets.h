// What users, teams, keys and models may use in a minute, a day and a month (C8). Refuses what
// would go beyond a limit that is used up, and counts: requests and running answers exactly, tokens
// and computing time once an answer has ended, so that an answer may overdraw a limit once.
//
// Everybody is counted, whatever limits there are. A charge counts when its entry is acknowledged,
// in the log's order; until then a request is reserved. So at any time the counts are those of the
// log's entries below position(), which is what is kept on disk (budget_keeper.h). io thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/budget_tally.h"
#include "http/headers.h"

namespace candor::gateway {

enum class BudgetScope : std::uint8_t { kUser, kTeam, kKey, kModel };
[[nodiscard]] std::string_view to_string(BudgetScope scope) noexcept;

struct BudgetLimits {  // 0: none
  std::int64_t requests = 0;
  std::int64_t tokens = 0;  // in and out together
  std::int64_t tokens_in = 0, tokens_out = 0;
  std::int64_t seconds = 0;  // of computing
  std::int64_t streams = 0;  // answers at once; knows no window
};

struct Budget {
  BudgetScope scope = BudgetScope::kUser;
  std::string name;  // "*": each of them has one of its own
  BudgetWindow window = BudgetWindow::kMonth;
  BudgetLimits limits;
};

// Who is charged. Empty: nobody of that kind.
struct Payer {
  std::string caller;  // pseudonym
  std::string user;    // a key's owner; else the subject's name
  std::string team, key;
  std::string model;
};

// What of one limit is left. used counts reservations too.
struct LimitState {
  std::string_view what;  // "requests" | "tokens" | "tokens_in" | "tokens_out" | "seconds" |
                          // "streams"
  std::int64_t limit = 0, used = 0;
  [[nodiscard]] std::int64_t left() const { return std::max<std::int64_t>(limit - used, 0); }
};
struct BudgetState {
  const Budget* budget = nullptr;
  std::string name;  // whose, where the budget says "*"
  std::int64_t resets_us = 0;
  std::vector<LimitState> limits;
};

// For policy: what is left where least is; kUnlimited where nothing bounds it.
struct BudgetSummary {
  static constexpr std::int64_t kUnlimited = 9'007'199'254'740'991;  // 2^53 - 1
  std::int64_t requests_left = kUnlimited, tokens_left = kUnlimited, seconds_left = kUnlimited;
  std::int64_t used_percent = 0;  // of the limit that is nearest its end
};

class Budgets {
 public:
  // One entry's charge on its way into the log.
  struct Charge {
    Payer payer;
    Use use;
    std::int64_t at_us = 0;
    std::optional<std::uint64_t> index;  // acknowledged there
    bool failed = false;
  };

  // A running exchange; ends when destroyed. The budgets outlive it.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket() { end(); }
    [[nodiscard]] const Payer& payer() const noexcept { return payer_; }
    explicit operator bool() const noexcept { return budgets_ != nullptr; }

   private:
    friend class Budgets;
    void end() noexcept;
    Budgets* budgets_ = nullptr;
    Payer payer_;
    bool reserved_ = false;  // a request that no charge has taken over
  };
  struct Refusal {
    BudgetScope scope = BudgetScope::kUser;
    BudgetWindow window = BudgetWindow::kMonth;
    std::string_view what;
    std::int64_t retry_after_s = 1;
  };

  void set_budgets(std::vector<Budget> budgets) { budgets_ = std::move(budgets); }
  [[nodiscard]] bool limited() const noexcept { return !budgets_.empty(); }

  // Reserves a request and a running answer, or says which limit stands in the way longest.
  [[nodiscard]] std::expected<Ticket, Refusal> admit(Payer payer, std::int64_t now_us);
  // An entry was submitted: its charge waits for settle(). The first one takes over the ticket's
  // reservation. Charges must be given in the order of their submission.
  [[nodiscard]] std::shared_ptr<Charge> submitted(Ticket& ticket, const Use& use,
                                                  std::int64_t at_us);
  // nullopt: the ledger did not take it.
  void settle(Charge& charge, std::optional<std::uint64_t> index);

  // The budgets that bind this payer, and what of them is left.
  [[nodiscard]] std::vector<BudgetState> of(const Payer& payer, std::int64_t now_us) const;
  // All budgets; those of "*" for each account that used something.
  [[nodiscard]] std::vector<BudgetState> all(std::int64_t now_us) const;
  [[nodiscard]] BudgetSummary summary(const Payer& payer, std::int64_t now_us) const;
  // x-ratelimit-*, of the limit of each kind that has least left.
  void add_headers(const Payer& payer, std::int64_t now_us, http::Headers& headers) const;

  // --- what is kept ---
  struct Keeping {      // budget_keeper.h's
    bool on = false;    // counts are those of the whole log, and are kept
    bool busy = false;  // being written
  } keeping;
  // Entries below are counted; none above.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
  [[nodiscard]] const Tally& counted() const noexcept { return counted_; }
  [[nodiscard]] const std::map<std::string, Payer, std::less<>>& members() const noexcept {
    return members_;
  }
  // Accounts of callers and models that changed since the last time this was asked.
  [[nodiscard]] std::set<std::string> take_changed() { return std::exchange(changed_, {}); }
  void mark_changed(const std::set<std::string>& accounts) {
    changed_.insert(accounts.begin(), accounts.end());
  }
  // At the start: counts of callers and models, and who the callers are, by pseudonym.
  void restore(const Tally& kept, const std::vector<Payer>& members, std::uint64_t position);
  // Adds to a caller's or model's account, and to those that it counts in.
  void correct(const std::string& account, BudgetWindow window, const Period& difference);
  // Who callers are that no charge of this run named yet.
  void add_members(const std::vector<Payer>& members);
  // A caller was erased: its user and its key begin anew, what its team and models used stays.
  void forget(std::string_view pseudonym);

 private:
  struct Live {
    std::int64_t running = 0, reserved = 0;
  };
  void count(const Charge& charge);
  // Notes whose caller this is. Who changes team takes along what was used in windows that are not
  // over, as a restart would count it.
  void join_team(const Payer& payer);
  void change_live(const Payer& payer, std::int64_t running, std::int64_t reserved);
  [[nodiscard]] BudgetState state_of(const Budget& budget, std::string name,
                                     std::int64_t now_us) const;

  std::vector<Budget> budgets_;
  Tally counted_;
  std::map<std::string, Live, std::less<>> live_;      // by account; none that is all 0
  std::map<std::string, Payer, std::less<>> members_;  // by pseudonym
  std::deque<std::shared_ptr<Charge>> pending_;        // in the log's order
  std::set<std::string> changed_;
  std::uint64_t position_ = 0;
};

}  // namespace candor::gateway
