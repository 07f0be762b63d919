#include "gateway/budget_tally.h"

#include <algorithm>
#include <chrono>

namespace candor::gateway {
namespace {

constexpr std::array kWindows{BudgetWindow::kMinute, BudgetWindow::kDay, BudgetWindow::kMonth};
constexpr std::uint64_t kBytesAToken = 4;

std::int64_t tokens_of(std::uint64_t bytes) {
  return static_cast<std::int64_t>((bytes + kBytesAToken - 1) / kBytesAToken);
}

std::int64_t seconds(std::int64_t us) { return us / 1'000'000; }

std::chrono::year_month month_of(std::int64_t at_s) {
  const auto day =
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(at_s)));
  const std::chrono::year_month_day date(day);
  return date.year() / date.month();
}

std::int64_t begin_of(std::chrono::year_month month) {
  const std::chrono::sys_days day(month / std::chrono::day(1));
  return std::chrono::sys_seconds(day).time_since_epoch().count();
}

}  // namespace

std::string_view to_string(BudgetWindow window) noexcept {
  switch (window) {
    case BudgetWindow::kMinute: return "minute";
    case BudgetWindow::kDay: return "day";
    case BudgetWindow::kMonth: return "month";
  }
  return "month";
}

std::int64_t window_start(BudgetWindow window, std::int64_t at_s) {
  switch (window) {
    case BudgetWindow::kMinute: return at_s - at_s % 60;
    case BudgetWindow::kDay: return at_s - at_s % 86'400;
    case BudgetWindow::kMonth: break;
  }
  return begin_of(month_of(at_s));
}

std::int64_t window_end(BudgetWindow window, std::int64_t at_s) {
  switch (window) {
    case BudgetWindow::kMinute: return window_start(window, at_s) + 60;
    case BudgetWindow::kDay: return window_start(window, at_s) + 86'400;
    case BudgetWindow::kMonth: break;
  }
  return begin_of(month_of(at_s) + std::chrono::months(1));
}

Use& Use::operator+=(const Use& more) {
  requests += more.requests;
  tokens_in += more.tokens_in;
  tokens_out += more.tokens_out;
  compute_us += more.compute_us;
  return *this;
}

Use& Use::operator-=(const Use& less) {
  requests -= less.requests;
  tokens_in -= less.tokens_in;
  tokens_out -= less.tokens_out;
  compute_us -= less.compute_us;
  return *this;
}

void Tally::add(const std::string& account, const Use& use) {
  Periods& periods = accounts_[account];
  for (std::size_t i = 0; i < kBudgetWindows; ++i) {
    const std::int64_t start = window_start(kWindows[i], seconds(newest_us_));
    if (periods[i].start_s != start) periods[i] = {.start_s = start, .use = {}};
    periods[i].use += use;
  }
}

Use Tally::used(const std::string& account, BudgetWindow window, std::int64_t now_us) const {
  const auto found = accounts_.find(account);
  if (found == accounts_.end()) return {};
  const Period& period = found->second[static_cast<std::size_t>(window)];
  const std::int64_t now = seconds(std::max(now_us, newest_us_));
  return period.start_s == window_start(window, now) ? period.use : Use{};
}

void Tally::put(const std::string& account, BudgetWindow window, const Period& period) {
  accounts_[account][static_cast<std::size_t>(window)] = period;
}

void Tally::subtract(const std::string& account, const Periods& use) {
  const auto found = accounts_.find(account);
  if (found == accounts_.end()) return;
  for (std::size_t i = 0; i < kBudgetWindows; ++i) {
    if (found->second[i].start_s == use[i].start_s) found->second[i].use -= use[i].use;
  }
}

void Tally::merge(const std::string& account, const Periods& more) {
  Periods& periods = accounts_[account];
  for (std::size_t i = 0; i < kBudgetWindows; ++i) {
    if (periods[i].start_s > more[i].start_s) continue;
    if (periods[i].start_s < more[i].start_s) periods[i] = {.start_s = more[i].start_s, .use = {}};
    periods[i].use += more[i].use;
  }
}

void Tally::correct(const std::string& account, BudgetWindow window, const Period& difference) {
  Period& period = accounts_[account][static_cast<std::size_t>(window)];
  if (period.start_s != difference.start_s) {
    const bool newer = period.start_s > difference.start_s;
    if (newer && period.start_s <= seconds(newest_us_)) return;
    period = {.start_s = difference.start_s, .use = {}};
  }
  period.use += difference.use;
}

std::string caller_account(std::string_view pseudonym) {
  return "caller:" + std::string(pseudonym);
}
std::string model_account(std::string_view model) { return "model:" + std::string(model); }

Use use_of(const ledger::Outcome& outcome, std::uint64_t received_bytes) {
  const bool counted = outcome.result == "complete" || outcome.prompt_tokens > 0;
  return {.requests = 0,
          .tokens_in = counted ? static_cast<std::int64_t>(outcome.prompt_tokens)
                               : tokens_of(received_bytes),
          .tokens_out = static_cast<std::int64_t>(outcome.completion_tokens),
          .compute_us = std::max<std::int64_t>(outcome.total_us - outcome.queued_us, 0)};
}

Use use_of(const ledger::Abort& abort, std::uint64_t received_bytes, std::int64_t worked_us) {
  return {.requests = 0,
          .tokens_in = tokens_of(received_bytes),
          .tokens_out = tokens_of(abort.released_bytes),
          .compute_us = std::max<std::int64_t>(worked_us, 0)};
}

LogTally::Begun LogTally::begun(const ledger::Intent& intent) {
  return {.caller = intent.caller,
          .model = intent.provenance.model,
          .received_bytes = intent.received_bytes,
          .boot = intent.at.boot,
          .mono_us = intent.at.mono_us};
}

// Its intent is in memory, or stands below where this count began.
Result<LogTally::Begun> LogTally::ended(const Id128& exchange, std::uint64_t intent,
                                        const Read& read) {
  if (const auto found = open_.find(exchange); found != open_.end()) {
    Begun begin = std::move(found->second);
    open_.erase(found);
    return begin;
  }
  const ledger::Entry entry = TRY(read(intent));
  const auto* at = std::get_if<ledger::Intent>(&entry);
  if (at == nullptr || at->exchange != exchange) {
    return fail(Code::kDataLoss, "an exchange's end names no intent of its own");
  }
  return begun(*at);
}

void LogTally::charge(const Begun& exchange, const Use& use, std::int64_t at_us) {
  tally_.begin(at_us);
  tally_.add(caller_account(exchange.caller), use);
  tally_.add(model_account(exchange.model), use);
}

void LogTally::follow(const ledger::Entry& entry) {
  std::visit([&](const auto& one) { last_[one.at.boot] = one.at.mono_us; }, entry);
}

Result<void> LogTally::take(const ledger::Entry& entry, const Read& read) {
  follow(entry);
  if (const auto* intent = std::get_if<ledger::Intent>(&entry)) {
    Begun begin = begun(*intent);
    charge(begin, {.requests = 1}, intent->at.time_us);
    open_[intent->exchange] = std::move(begin);
  } else if (const auto* outcome = std::get_if<ledger::Outcome>(&entry)) {
    const Begun begin = TRY(ended(outcome->exchange, outcome->intent_index, read));
    charge(begin, use_of(*outcome, begin.received_bytes), outcome->at.time_us);
  } else if (const auto* abort = std::get_if<ledger::Abort>(&entry)) {
    const Begun begin = TRY(ended(abort->exchange, abort->intent_index, read));
    // After a crash the run's last entry is the last that is known of it.
    const auto last = last_.find(begin.boot);
    const std::int64_t until = last == last_.end() ? begin.mono_us : last->second;
    charge(begin, use_of(*abort, begin.received_bytes, until - begin.mono_us), abort->at.time_us);
  }
  return {};
}

}  // namespace candor::gateway
