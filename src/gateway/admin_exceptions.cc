// Exceptions from rules on the admin socket (gateway/exceptions.h): listed, opened, closed. They
// are approved where everybody can be who has a credential (approvals.cc).
#include <algorithm>

#include "base/text.h"
#include "gateway/acts.h"
#include "gateway/budget_keeper.h"
#include "gateway/internal/admin_request.h"
#include "gateway/workers.h"

namespace candor::gateway {
namespace {

constexpr std::size_t kMaxExceptions = 1'000;
constexpr std::int64_t kSecondUs = 1'000'000;

const policy::Rule* rule_called(const Rulebook* book, std::string_view id) {
  return book == nullptr ? nullptr : policy::find_rule(book->policy().files(), id);
}

std::string_view state_of(const RuleException& one, const Rulebook* book, std::int64_t now_us) {
  if (now_us >= one.until_us) return "over";
  const policy::Rule* rule = rule_called(book, one.rule);
  if (rule == nullptr || rule->break_glass == policy::BreakGlass::kNever) return "without effect";
  return policy::needs_approval(*rule) && one.approved_by.empty() ? "waits for approval"
                                                                  : "in force";
}

}  // namespace

Task<Result<void>> Admin::drop_ended_exceptions() {
  std::vector<Id128> ended;
  const std::int64_t now = services_.clock.wall_us();
  for (const RuleException& one : services_.exceptions.all()) {
    if (now >= one.until_us) ended.push_back(one.id);
  }
  for (const Id128& id : ended) {
    CO_TRY(co_await off_thread(services_.workers,
                               [&] { return services_.state.remove_exception(id); }));
    services_.exceptions.remove(id);
  }
  co_return Result<void>();
}

Task<Result<json::Value>> Admin::exceptions(Request& /*request*/) {
  json::Array list;
  const std::int64_t now = services_.clock.wall_us();
  for (const RuleException& one : services_.exceptions.all()) {
    json::Object item;
    item["id"] = to_hex(one.id);
    item["rule"] = one.rule;
    item["caller"] = one.caller;
    item["state"] = state_of(one, services_.rulebook.get(), now);
    item["opened"] = format_utc(one.opened_us);
    item["until"] = format_utc(one.until_us);
    item["opened_by"] = one.opened_by;
    item["approved_by"] = one.approved_by;
    item["reason"] = one.reason;
    list.emplace_back(std::move(item));
  }
  json::Object out;
  out["exceptions"] = std::move(list);
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::open_exception(Request& request) {
  RuleException one;
  one.rule = optional_text(request.body, "rule");
  const std::string user = optional_text(request.body, "user");
  one.reason = optional_text(request.body, "reason");
  if (one.reason.find_first_not_of(" \t\n") == std::string::npos) {
    co_return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  const policy::Rule* rule = rule_called(services_.rulebook.get(), one.rule);
  if (rule == nullptr) {
    co_return fail(Code::kNotFound, "no rule in force has this id: " + strip_controls(one.rule));
  }
  if (rule->break_glass == policy::BreakGlass::kNever) {
    co_return fail(Code::kPermissionDenied,
                   "this rule takes no exceptions (break_glass = \"never\")");
  }
  const bool waits = policy::needs_approval(*rule);
  const auto seconds = json::find(request.body, "seconds");
  const std::int64_t longest = services_.settings->exception_max.count() / 1'000;
  if (seconds == nullptr || !seconds->is_int64() || seconds->as_int64() < 1 ||
      seconds->as_int64() > longest) {
    co_return fail(Code::kInvalidArgument, "an exception lasts 1 to " + std::to_string(longest) +
                                               " seconds (policy.exception_max)");
  }
  if (waits && services_.settings->approvers.empty()) {
    co_return fail(Code::kFailedPrecondition,
                   "this rule's exceptions need a second person's approval, and the configuration "
                   "lists nobody in policy.approvers");
  }
  CO_TRY(co_await drop_ended_exceptions());
  if (services_.exceptions.all().size() >= kMaxExceptions) {
    co_return fail(Code::kResourceExhausted, "1,000 exceptions are open; close some first");
  }
  one.caller = CO_TRY(co_await off_thread(services_.workers, [&] { return living_subject(user); }));
  one.id = make_id(services_.random);
  one.opened_by = request.actor_name;
  one.opened_us = services_.clock.wall_us();
  one.until_us = one.opened_us + seconds->as_int64() * kSecondUs;
  // On record before it counts.
  Transcript sealed = sealed_field("rule", one.rule);
  sealed.push_back({"caller", Sensitive<std::string>(one.caller)});
  sealed.push_back({"until", Sensitive<std::string>(format_utc(one.until_us))});
  const std::uint64_t index =
      CO_TRY(co_await record(request, "exception.open", to_hex(one.id), std::move(sealed)));
  CO_TRY(
      co_await off_thread(services_.workers, [&] { return services_.state.put_exception(one); }));
  json::Object out;
  out["id"] = to_hex(one.id);
  out["index"] = number(index);
  out["until"] = format_utc(one.until_us);
  out["waits_for_approval"] = waits;
  services_.exceptions.put(std::move(one));
  co_return json::Value(std::move(out));
}

Task<Result<json::Value>> Admin::close_exception(Request& request) {
  const auto given = id_from_hex(optional_text(request.body, "id"));
  if (!given) {
    co_return fail(Code::kInvalidArgument, "an exception's id is 32 hexadecimal digits");
  }
  const Id128 id = *given;
  if (services_.exceptions.find(id) == nullptr) {
    co_return fail(Code::kNotFound, "no exception has this id; see 'candor exception list'");
  }
  // It ends first; what fails on the way leaves it ended in this run.
  services_.exceptions.remove(id);
  const auto removed =
      co_await off_thread(services_.workers, [&] { return services_.state.remove_exception(id); });
  const auto index = co_await record(request, "exception.close", to_hex(id));
  if (!removed) {
    co_return fail(Code::kUnavailable,
                   "closed, but only until the server ends: " + removed.error().message());
  }
  if (!index) co_return std::unexpected(index.error());
  json::Object out;
  out["index"] = number(*index);
  co_return json::Value(std::move(out));
}

// Sealed texts are about to be read again by whoever has the auditor's key (L8).
Task<Result<json::Value>> Admin::replay_note(Request& request) {
  if (optional_text(request.body, "reason").find_first_not_of(" \t\n") == std::string::npos) {
    co_return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  const auto policy = digest_from_hex(optional_text(request.body, "policy"));
  if (!policy)
    co_return fail(Code::kInvalidArgument, "policy is a digest of 64 hexadecimal digits");
  const std::uint64_t index = CO_TRY(co_await record(request, "policy.replay", to_hex(*policy)));
  co_return json::Value(json::Object{{"index", number(index)}});
}

// Who stands behind the log's pseudonyms, for a replay.
Task<Result<json::Value>> Admin::callers(Request& /*request*/) {
  const auto names = CO_TRY(co_await off_thread(
      services_.workers, [&] { return caller_names(store_.state(), services_.keys); }));
  json::Object list;
  for (const auto& [pseudonym, name] : names) list[pseudonym] = name;
  json::Object out;
  out["callers"] = std::move(list);
  co_return json::Value(std::move(out));
}

}  // namespace candor::gateway
