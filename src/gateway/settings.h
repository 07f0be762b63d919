// What the gateway takes from the configuration: one immutable snapshot, replaced as a whole by a
// reload. An exchange keeps the snapshot it began with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "dialect/dialect.h"
#include "gateway/budgets.h"
#include "gateway/fair_queue.h"
#include "gateway/quotas.h"
#include "http/browser_guard.h"

namespace candor::gateway {

// Whose turns come sooner or later than others'.
struct Priority {
  BudgetScope scope = BudgetScope::kUser;
  std::string name;
  TurnPriority turns = TurnPriority::kNormal;
};

struct Settings {
  dialect::ParseOptions parse;
  std::uint32_t max_tokens = 16'384;  // of one answer; a caller may ask for less
  std::size_t max_waiting = 256;      // exchanges that wait for a slot of one model
  QuotaLimits quota;
  std::vector<Budget> budgets;       // in force in Services::budgets
  std::vector<Priority> priorities;  // the first that names the caller counts
  std::chrono::milliseconds request_timeout{600'000};
  std::chrono::milliseconds first_token_timeout{300'000};
  std::chrono::milliseconds stall_timeout{60'000};
  std::chrono::milliseconds progress_interval{2'000};
  std::uint64_t progress_bytes = 4'096;
  std::size_t inline_bytes = 64U << 10U;  // larger contents are sealed off the io thread
  std::uint32_t registered_hits = 20;     // of one caller in an hour (registered_hits.h)
  // Exceptions from rules (C13).
  std::chrono::milliseconds exception_max{8 * 3'600'000};
  std::vector<std::string> approvers;  // subjects' names, "group:NAME"
  // Identity (S14).
  bool require_key = false;
  bool all_os_users = false;
  std::vector<std::uint32_t> os_uids;
  std::vector<std::uint32_t> forwarder_uids;
  std::vector<std::string> teams;  // groups that are teams, for callers whose key names none
  http::BrowserPolicy browser;

  [[nodiscard]] TurnPriority priority_of(const Payer& payer) const;
};

}  // namespace candor::gateway
