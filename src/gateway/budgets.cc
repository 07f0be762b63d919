#include "gateway/budgets.h"

#include <array>

namespace candor::gateway {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

std::string account(BudgetScope scope, std::string_view name) {
  return std::string(to_string(scope)) + ":" + std::string(name);
}

std::string_view name_in(const Payer& payer, BudgetScope scope) {
  switch (scope) {
    case BudgetScope::kUser: return payer.user;
    case BudgetScope::kTeam: return payer.team;
    case BudgetScope::kKey: return payer.key;
    case BudgetScope::kModel: return payer.model;
  }
  return {};
}

constexpr std::array kScopes{BudgetScope::kUser, BudgetScope::kTeam, BudgetScope::kKey,
                             BudgetScope::kModel};

// Of a budget's own accounts.
std::vector<std::string> accounts_of(const Payer& payer) {
  std::vector<std::string> accounts;
  for (const BudgetScope scope : kScopes) {
    if (const auto name = name_in(payer, scope); !name.empty()) {
      accounts.push_back(account(scope, name));
    }
  }
  return accounts;
}

bool binds(const Budget& budget, const Payer& payer) {
  const std::string_view name = name_in(payer, budget.scope);
  return !name.empty() && (budget.name == "*" || budget.name == name);
}

// "1h2m3s", as OpenAI's servers write it.
std::string duration_text(std::int64_t seconds) {
  std::string text;
  if (seconds >= 3'600) text += std::to_string(seconds / 3'600) + "h";
  if (seconds >= 60) text += std::to_string(seconds / 60 % 60) + "m";
  return text + std::to_string(seconds % 60) + "s";
}

std::int64_t seconds_until(std::int64_t then_us, std::int64_t now_us) {
  return std::max<std::int64_t>((then_us - now_us + kSecondUs - 1) / kSecondUs, 1);
}

}  // namespace

std::string_view to_string(BudgetScope scope) noexcept {
  switch (scope) {
    case BudgetScope::kUser: return "user";
    case BudgetScope::kTeam: return "team";
    case BudgetScope::kKey: return "key";
    case BudgetScope::kModel: return "model";
  }
  return "model";
}

Budgets::Ticket& Budgets::Ticket::operator=(Ticket&& other) noexcept {
  if (this != &other) {
    end();
    budgets_ = std::exchange(other.budgets_, nullptr);
    payer_ = std::move(other.payer_);
    reserved_ = std::exchange(other.reserved_, false);
  }
  return *this;
}

void Budgets::Ticket::end() noexcept {
  if (Budgets* budgets = std::exchange(budgets_, nullptr)) {
    budgets->change_live(payer_, -1, reserved_ ? -1 : 0);
  }
}

void Budgets::change_live(const Payer& payer, std::int64_t running, std::int64_t reserved) {
  for (const std::string& one : accounts_of(payer)) {
    const auto live = live_.try_emplace(one).first;
    live->second.running += running;
    live->second.reserved += reserved;
    if (live->second.running == 0 && live->second.reserved == 0) live_.erase(live);
  }
}

BudgetState Budgets::state_of(const Budget& budget, std::string name, std::int64_t now_us) const {
  const std::string whose = account(budget.scope, name);
  const Use use = counted_.used(whose, budget.window, now_us);
  const auto found = live_.find(whose);
  const Live live = found == live_.end() ? Live{} : found->second;
  const std::int64_t now_s = std::max(now_us, counted_.newest_us()) / kSecondUs;
  BudgetState state{.budget = &budget,
                    .name = std::move(name),
                    .resets_us = window_end(budget.window, now_s) * kSecondUs,
                    .limits = {}};
  const auto add = [&state](std::string_view what, std::int64_t limit, std::int64_t used) {
    if (limit > 0) state.limits.push_back({.what = what, .limit = limit, .used = used});
  };
  const BudgetLimits& limits = budget.limits;
  add("requests", limits.requests, use.requests + live.reserved);
  add("tokens", limits.tokens, use.tokens_in + use.tokens_out);
  add("tokens_in", limits.tokens_in, use.tokens_in);
  add("tokens_out", limits.tokens_out, use.tokens_out);
  add("seconds", limits.seconds, use.compute_us / kSecondUs);
  add("streams", limits.streams, live.running);
  return state;
}

std::vector<BudgetState> Budgets::of(const Payer& payer, std::int64_t now_us) const {
  std::vector<BudgetState> states;
  for (const Budget& budget : budgets_) {
    if (!binds(budget, payer)) continue;
    states.push_back(state_of(budget, std::string(name_in(payer, budget.scope)), now_us));
  }
  return states;
}

std::vector<BudgetState> Budgets::all(std::int64_t now_us) const {
  std::vector<BudgetState> states;
  for (const Budget& budget : budgets_) {
    if (budget.name != "*") {
      states.push_back(state_of(budget, budget.name, now_us));
      continue;
    }
    const std::string prefix = account(budget.scope, "");
    std::set<std::string> names;
    const auto collect = [&](const auto& from) {
      for (auto at = from.lower_bound(prefix); at != from.end() && at->first.starts_with(prefix);
           ++at) {
        names.insert(at->first.substr(prefix.size()));
      }
    };
    collect(counted_.accounts());
    collect(live_);
    for (const std::string& name : names) states.push_back(state_of(budget, name, now_us));
  }
  return states;
}

std::expected<Budgets::Ticket, Budgets::Refusal> Budgets::admit(Payer payer, std::int64_t now_us) {
  std::optional<Refusal> refusal;
  for (const BudgetState& state : of(payer, now_us)) {
    for (const LimitState& limit : state.limits) {
      if (limit.left() > 0) continue;
      // Nobody knows when an answer ends.
      const std::int64_t wait =
          limit.what == "streams" ? 1 : seconds_until(state.resets_us, now_us);
      if (refusal && refusal->retry_after_s >= wait) continue;
      refusal = Refusal{.scope = state.budget->scope,
                        .window = state.budget->window,
                        .what = limit.what,
                        .retry_after_s = wait};
    }
  }
  if (refusal) return std::unexpected(*refusal);
  change_live(payer, 1, 1);
  Ticket ticket;
  ticket.budgets_ = this;
  ticket.payer_ = std::move(payer);
  ticket.reserved_ = true;
  return ticket;
}

std::shared_ptr<Budgets::Charge> Budgets::submitted(Ticket& ticket, const Use& use,
                                                    std::int64_t at_us) {
  ticket.reserved_ = false;  // from now on the charge's
  pending_.push_back(std::make_shared<Charge>(
      Charge{.payer = ticket.payer_, .use = use, .at_us = at_us, .index = {}, .failed = false}));
  return pending_.back();
}

void Budgets::settle(Charge& charge, std::optional<std::uint64_t> index) {
  charge.index = index;
  charge.failed = !index;
  while (!pending_.empty() && (pending_.front()->index || pending_.front()->failed)) {
    const Charge& next = *pending_.front();
    if (next.use.requests > 0) change_live(next.payer, 0, -next.use.requests);
    if (!next.failed) count(next);
    pending_.pop_front();
  }
}

void Budgets::count(const Charge& charge) {
  counted_.begin(charge.at_us);
  join_team(charge.payer);
  for (const std::string& one : accounts_of(charge.payer)) counted_.add(one, charge.use);
  const std::string caller = caller_account(charge.payer.caller);
  counted_.add(caller, charge.use);
  changed_.insert(caller);
  changed_.insert(model_account(charge.payer.model));
  position_ = *charge.index + 1;
}

void Budgets::join_team(const Payer& payer) {
  const auto [at, is_new] = members_.try_emplace(payer.caller, payer);
  Payer& member = at->second;
  if (is_new) member.model.clear();
  if (member.team == payer.team) return;
  const auto used = counted_.accounts().find(caller_account(payer.caller));
  if (used != counted_.accounts().end()) {
    const Periods use = used->second;
    if (!member.team.empty()) counted_.subtract(account(BudgetScope::kTeam, member.team), use);
    if (!payer.team.empty()) counted_.merge(account(BudgetScope::kTeam, payer.team), use);
  }
  member.team = payer.team;
}

BudgetSummary Budgets::summary(const Payer& payer, std::int64_t now_us) const {
  BudgetSummary least;
  for (const BudgetState& state : of(payer, now_us)) {
    for (const LimitState& limit : state.limits) {
      least.used_percent =
          std::max(least.used_percent, std::min<std::int64_t>(100, limit.used * 100 / limit.limit));
      std::int64_t* left = limit.what == "requests"           ? &least.requests_left
                           : limit.what == "seconds"          ? &least.seconds_left
                           : limit.what.starts_with("tokens") ? &least.tokens_left
                                                              : nullptr;
      if (left != nullptr) *left = std::min(*left, limit.left());
    }
  }
  return least;
}

void Budgets::add_headers(const Payer& payer, std::int64_t now_us, http::Headers& headers) const {
  struct Shown {
    std::string_view name;
    LimitState limit;
    std::int64_t resets_us = 0;
  };
  std::vector<Shown> shown;
  for (const BudgetState& state : of(payer, now_us)) {
    for (const LimitState& limit : state.limits) {
      const auto same =
          std::ranges::find(shown, limit.what, [](const Shown& one) { return one.limit.what; });
      if (same == shown.end()) {
        shown.push_back({limit.what, limit, state.resets_us});
      } else if (limit.left() < same->limit.left()) {
        *same = {limit.what, limit, state.resets_us};
      }
    }
  }
  for (const Shown& one : shown) {
    std::string kind(one.name);
    std::ranges::replace(kind, '_', '-');
    headers.add("x-ratelimit-limit-" + kind, std::to_string(one.limit.limit));
    headers.add("x-ratelimit-remaining-" + kind, std::to_string(one.limit.left()));
    if (one.name == "streams") continue;
    headers.add("x-ratelimit-reset-" + kind, duration_text(seconds_until(one.resets_us, now_us)));
  }
}

void Budgets::restore(const Tally& kept, const std::vector<Payer>& members,
                      std::uint64_t position) {
  counted_ = kept;
  position_ = position;
  for (const Payer& member : members) {
    members_[member.caller] = member;
    const auto found = kept.accounts().find(caller_account(member.caller));
    if (found == kept.accounts().end()) continue;
    for (const std::string& one : accounts_of(member)) counted_.merge(one, found->second);
  }
}

void Budgets::add_members(const std::vector<Payer>& members) {
  for (const Payer& member : members) members_.try_emplace(member.caller, member);
}

void Budgets::correct(const std::string& account, BudgetWindow window, const Period& difference) {
  counted_.correct(account, window, difference);
  changed_.insert(account);
  constexpr std::string_view kCaller = "caller:";
  if (!account.starts_with(kCaller)) return;
  const auto member = members_.find(account.substr(kCaller.size()));
  if (member == members_.end()) return;
  for (const std::string& one : accounts_of(member->second)) {
    counted_.correct(one, window, difference);
  }
}

void Budgets::forget(std::string_view pseudonym) {
  const auto member = members_.find(pseudonym);
  if (member == members_.end()) return;
  const auto used = counted_.accounts().find(caller_account(pseudonym));
  if (used != counted_.accounts().end()) {
    const Periods use = used->second;
    for (const BudgetScope scope : {BudgetScope::kUser, BudgetScope::kKey}) {
      const auto name = name_in(member->second, scope);
      if (!name.empty()) counted_.subtract(account(scope, name), use);
    }
  }
  member->second.user.clear();
  member->second.key.clear();
}

}  // namespace candor::gateway
