// Budgets (C8): what is left of each, and whether the counts are what the log says.
#include "gateway/budget_keeper.h"
#include "gateway/internal/admin_request.h"

namespace candor::gateway {
namespace {

json::Object use_json(const Use& use) {
  json::Object out;
  out["requests"] = use.requests;
  out["tokens_in"] = use.tokens_in;
  out["tokens_out"] = use.tokens_out;
  out["compute_us"] = use.compute_us;
  return out;
}

json::Object state_json(const BudgetState& state) {
  json::Object out;
  out["scope"] = to_string(state.budget->scope);
  out["name"] = state.name;
  out["window"] = to_string(state.budget->window);
  out["resets"] = format_utc(state.resets_us);
  json::Array limits;
  for (const LimitState& limit : state.limits) {
    json::Object one;
    one["what"] = limit.what;
    one["limit"] = limit.limit;
    one["used"] = limit.used;
    one["left"] = limit.left();
    limits.emplace_back(std::move(one));
  }
  out["limits"] = std::move(limits);
  return out;
}

}  // namespace

Task<Result<json::Value>> Admin::budgets(Request& /*request*/) {
  json::Object out;
  json::Array list;
  for (const BudgetState& state : services_.budgets.all(services_.clock.wall_us())) {
    list.emplace_back(state_json(state));
  }
  out["budgets"] = std::move(list);
  out["entries"] = number(services_.budgets.position());
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::reconcile(Request& request) {
  if (!services_.budgets.keeping.on) {
    co_return fail(Code::kFailedPrecondition,
                   "this server counts for no budget; write a [[budget]] into candor.toml");
  }
  const std::uint64_t entries = services_.budgets.position();
  const auto differences = co_await reconcile_budgets(services_);
  if (!differences) co_return std::unexpected(differences.error());
  const std::uint64_t index = CO_TRY(co_await record(request, "budget.reconcile", ""));
  json::Array list;
  for (const BudgetDifference& difference : *differences) {
    json::Object one;
    one["account"] = difference.account;
    one["window"] = to_string(difference.window);
    one["counted"] = use_json(difference.counted);
    one["logged"] = use_json(difference.logged);
    list.emplace_back(std::move(one));
  }
  json::Object out;
  out["entries"] = number(entries);
  out["differences"] = std::move(list);
  out["index"] = number(index);
  co_return json::Value(std::move(out));
}

}  // namespace candor::gateway
