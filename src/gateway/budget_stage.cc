// Whether there is budget for what is asked (C8), after it is known who pays and which model
// answers.
#include "gateway/internal/stages.h"
#include "gateway/session.h"

namespace candor::gateway {
namespace {

using dialect::ErrorKind;
using dialect::make_error;

std::string whom(BudgetScope scope) {
  switch (scope) {
    case BudgetScope::kUser: return "you";
    case BudgetScope::kTeam: return "your team";
    case BudgetScope::kKey: return "your API key";
    case BudgetScope::kModel: break;
  }
  return "this model";
}

std::string words(std::string_view what) {
  if (what == "tokens_in") return "tokens of prompts";
  if (what == "tokens_out") return "tokens of answers";
  if (what == "seconds") return "computing time";
  return std::string(what);
}

// Reserves a request and a running answer, or stops with 429.
class BudgetStage final : public Stage {
 public:
  std::string_view name() const noexcept override { return "budget"; }
  std::uint8_t phases() const noexcept override {
    return static_cast<std::uint8_t>(Phase::kRequest);
  }

  Task<Verdict> on_request(Session& s) override {
    s.payer = payer_of(s.caller, s.subject, s.forwarded.model);
    auto ticket = s.services.budgets.admit(*s.payer, s.services.clock.wall_us());
    if (ticket) {
      s.budget = *std::move(ticket);
      co_return Verdict::kContinue;
    }
    const Budgets::Refusal& why = ticket.error();
    s.retry_after_s = why.retry_after_s;
    if (why.what == "streams") {
      s.refuse(make_error(ErrorKind::kRateLimit,
                          "As many answers as " + whom(why.scope) +
                              " may have at once are under way. Ask again when one has ended.",
                          "", "rate_limit_exceeded"),
               Cause::kQuota, "cancelled");
    } else {
      s.refuse(make_error(ErrorKind::kRateLimit,
                          "A budget is used up: " + whom(why.scope) + " may use no more " +
                              words(why.what) + " this " + std::string(to_string(why.window)) +
                              ". Retry-After says when there is more; the operator sets budgets.",
                          "", "rate_limit_exceeded"),
               Cause::kQuota, "cancelled");
    }
    co_return Verdict::kStop;
  }
};

}  // namespace

Payer payer_of(const Caller& caller, const store::Subject& subject, std::string model) {
  constexpr std::string_view kKey = "key:";
  Payer payer{.caller = subject.pseudonym,
              .user = caller.owner.empty() ? caller.name : caller.owner,
              .team = caller.team,
              .key = {},
              .model = std::move(model)};
  if (caller.name.starts_with(kKey)) payer.key = caller.name.substr(kKey.size());
  return payer;
}

TurnPriority Settings::priority_of(const Payer& payer) const {
  for (const Priority& one : priorities) {
    const std::string& name = one.scope == BudgetScope::kKey    ? payer.key
                              : one.scope == BudgetScope::kTeam ? payer.team
                                                                : payer.user;
    if (!name.empty() && name == one.name) return one.turns;
  }
  return TurnPriority::kNormal;
}

std::unique_ptr<Stage> make_budget_stage() { return std::make_unique<BudgetStage>(); }

}  // namespace candor::gateway
