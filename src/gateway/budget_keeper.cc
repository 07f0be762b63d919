#include "gateway/budget_keeper.h"

#include <algorithm>

#include "gateway/workers.h"

namespace candor::gateway {
namespace {

constexpr std::int64_t kKeptS = 32 * 86'400;  // longer than any window
constexpr std::array kWindows{BudgetWindow::kMinute, BudgetWindow::kDay, BudgetWindow::kMonth};

Tally tally_of(const store::UseCounts& counts) {
  Tally tally;
  tally.begin(counts.newest_us);
  for (const store::UseRow& row : counts.rows) {
    if (row.window >= kBudgetWindows) continue;
    tally.put(row.account, static_cast<BudgetWindow>(row.window),
              {.start_s = row.start_s,
               .use = {.requests = row.requests,
                       .tokens_in = row.tokens_in,
                       .tokens_out = row.tokens_out,
                       .compute_us = row.compute_us}});
  }
  return tally;
}

// Counts entries [from, to).
Result<Tally> count_log(store::Ledger& ledger, Tally start, std::uint64_t from, std::uint64_t to) {
  const auto read = [&ledger](std::uint64_t index) -> Result<ledger::Entry> {
    const std::string text = TRY(ledger.read(index));
    return ledger::decode(text);
  };
  LogTally log(std::move(start));
  if (from > 0) log.follow(TRY(read(from - 1)));
  for (std::uint64_t index = from; index < to; ++index) {
    const ledger::Entry entry = TRY(read(index));
    TRY(log.take(entry, read));
  }
  return log.tally();
}

// Who the callers of these accounts are: by their names, while they have them, and by their keys.
Result<std::vector<Payer>> members_of(const Tally& tally, const store::UseCounts& kept,
                                      store::StateDb& state, const CallerNames& names) {
  const auto keys = TRY(state.list_api_keys());
  std::vector<Payer> members;
  constexpr std::string_view kCaller = "caller:";
  for (auto at = tally.accounts().lower_bound(kCaller);
       at != tally.accounts().end() && at->first.starts_with(kCaller); ++at) {
    Payer payer;
    payer.caller = at->first.substr(kCaller.size());
    const auto team =
        std::ranges::find(kept.teams, payer.caller, &std::pair<std::string, std::string>::first);
    if (team != kept.teams.end()) payer.team = team->second;
    if (const auto named = names.find(payer.caller); named != names.end()) {
      const std::string& name = named->second;
      payer.user = name;
      if (name.starts_with("key:")) {
        payer.key = name.substr(4);
        const auto key = std::ranges::find(keys, payer.key, &store::ApiKey::id);
        if (key != keys.end()) {
          payer.team = key->facts.team;
          if (!key->facts.owner.empty()) payer.user = key->facts.owner;
        }
      }
    }
    members.push_back(std::move(payer));
  }
  return members;
}

}  // namespace

Result<CallerNames> caller_names(store::StateDb& state, store::KeyRing& keys) {
  CallerNames names;
  for (std::string& name : TRY(state.list_subject_names())) {
    // Not found: its key is being erased.
    if (auto subject = keys.find_subject(name)) names.emplace(subject->pseudonym, std::move(name));
  }
  return names;
}

Result<void> load_budgets(Budgets& budgets, store::StateDb& state, store::Ledger& ledger,
                          const CallerNames& names) {
  const store::UseCounts kept = TRY(state.load_use(ledger.origin()));
  const auto head = ledger.head();
  const std::uint64_t size = head ? head->size : 0;
  Tally tally = tally_of(kept);
  std::uint64_t from = kept.position;
  if (from > size) {  // counts of a log that was longer: only the log tells
    from = 0;
    tally = tally_of(TRY(state.load_use_before()));
  }
  tally = TRY(count_log(ledger, std::move(tally), from, size));
  budgets.restore(tally, TRY(members_of(tally, kept, state, names)), size);
  std::set<std::string> accounts;
  for (const auto& [account, periods] : tally.accounts()) accounts.insert(account);
  budgets.mark_changed(accounts);
  budgets.keeping.on = true;
  return {};
}

http::Task<Result<void>> begin_budgets(Services& services) {
  const auto kept = co_await off_thread(
      services.workers, [&] { return services.state.load_use(services.ledger.origin()); });
  if (!kept) co_return std::unexpected(kept.error());
  const auto differences = co_await reconcile_budgets(services);
  if (!differences) co_return std::unexpected(differences.error());
  services.budgets.keeping.on = true;
  co_return Result<void>();
}

http::Task<Result<void>> keep_budgets(Services& services) {
  Budgets& budgets = services.budgets;
  // One after the other: a position must not go back behind counts that are written already.
  if (!budgets.keeping.on || budgets.keeping.busy) co_return Result<void>();
  const std::set<std::string> changed = budgets.take_changed();
  if (changed.empty()) co_return Result<void>();
  store::UseCounts counts;
  counts.position = budgets.position();
  counts.newest_us = budgets.counted().newest_us();
  for (const std::string& account : changed) {
    const auto found = budgets.counted().accounts().find(account);
    if (found == budgets.counted().accounts().end()) continue;
    for (const BudgetWindow window : kWindows) {
      const Period& period = found->second[static_cast<std::size_t>(window)];
      counts.rows.push_back({.account = account,
                             .window = static_cast<std::uint8_t>(window),
                             .start_s = period.start_s,
                             .requests = period.use.requests,
                             .tokens_in = period.use.tokens_in,
                             .tokens_out = period.use.tokens_out,
                             .compute_us = period.use.compute_us});
    }
    constexpr std::string_view kCaller = "caller:";
    if (!account.starts_with(kCaller)) continue;
    const auto member = budgets.members().find(account.substr(kCaller.size()));
    if (member != budgets.members().end()) {  // none, too: who left a team stays out of it
      counts.teams.emplace_back(member->first, member->second.team);
    }
  }
  const std::int64_t oldest_s = counts.newest_us / 1'000'000 - kKeptS;
  budgets.keeping.busy = true;
  auto saved = co_await off_thread(services.workers,
                                   [&] { return services.state.save_use(counts, oldest_s); });
  budgets.keeping.busy = false;
  if (!saved) budgets.mark_changed(changed);
  co_return saved;
}

http::Task<Result<std::vector<BudgetDifference>>> reconcile_budgets(Services& services) {
  // Counted up to the same entry, whatever happens meanwhile.
  const Tally counted = services.budgets.counted();
  const std::uint64_t position = services.budgets.position();
  struct Logged {
    Tally tally;
    std::vector<Payer> members;
  };
  const auto read = co_await off_thread(services.workers, [&]() -> Result<Logged> {
    const store::UseCounts before = TRY(services.state.load_use_before());
    Logged all;
    all.tally = TRY(count_log(services.ledger, tally_of(before), 0, position));
    const CallerNames names = TRY(caller_names(services.state, services.keys));
    all.members = TRY(members_of(all.tally, before, services.state, names));
    return all;
  });
  if (!read) co_return std::unexpected(read.error());
  const Tally& logged = read->tally;
  services.budgets.add_members(read->members);
  std::set<std::string> accounts;
  for (const Tally* tally : {&counted, &logged}) {
    for (const auto& [account, periods] : tally->accounts()) {
      if (account.starts_with("caller:") || account.starts_with("model:")) accounts.insert(account);
    }
  }
  std::vector<BudgetDifference> differences;
  const std::int64_t now_us = std::max(services.clock.wall_us(), counted.newest_us());
  for (const std::string& account : accounts) {
    for (const BudgetWindow window : kWindows) {
      const Use ours = counted.used(account, window, now_us);
      const Use theirs = logged.used(account, window, now_us);
      if (ours == theirs) continue;
      differences.push_back(
          {.account = account, .window = window, .counted = ours, .logged = theirs});
      Use difference = theirs;
      difference -= ours;
      services.budgets.correct(
          account, window,
          {.start_s = window_start(window, now_us / 1'000'000), .use = difference});
    }
  }
  co_return differences;
}

}  // namespace candor::gateway
