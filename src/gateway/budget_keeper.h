// Keeps what Budgets counts in state.db, off the io thread, and holds it against the log (C8). What
// is kept are the counts of entries below a position; a start adds the entries from there on, so
// that a crash costs nothing. io thread, but for load().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gateway/services.h"

namespace candor::gateway {

// Counts that differ from the log's.
struct BudgetDifference {
  std::string account;  // "caller:<pseudonym>" or "model:<label>"
  BudgetWindow window = BudgetWindow::kMonth;
  Use counted, logged;
};

// The names of callers that are not erased, by the pseudonyms under which they are counted.
using CallerNames = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] Result<CallerNames> caller_names(store::StateDb& state, store::KeyRing& keys);

// At the start, before anything is served; blocks. What is kept, and the entries beyond it.
[[nodiscard]] Result<void> load_budgets(Budgets& budgets, store::StateDb& state,
                                        store::Ledger& ledger, const CallerNames& names);

// The same of a server that has run without budgets: everything is counted from its log.
[[nodiscard]] http::Task<Result<void>> begin_budgets(Services& services);

// Writes what changed since the last call, if counts are kept. Nothing is lost by an error: the
// next one tries again.
[[nodiscard]] http::Task<Result<void>> keep_budgets(Services& services);

// Counts the log anew and corrects what differs in windows that are not over; it is written with
// the next keep_budgets(). Reads every entry.
[[nodiscard]] http::Task<Result<std::vector<BudgetDifference>>> reconcile_budgets(
    Services& services);

}  // namespace candor::gateway
