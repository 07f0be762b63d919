// POST /candor/v1/approve: a second person lets an exception from a rule count (L9). On the
// listeners that everybody reaches, since whoever approves need not administrate this machine.
#include <algorithm>

#include "gateway/acts.h"
#include "gateway/gateway.h"
#include "gateway/workers.h"
#include "json/json.h"

namespace candor::gateway {
namespace {

dialect::ErrorInfo error_of(const Error& error) {
  return dialect::make_error(error.code(), error.message());
}

Result<Id128> exception_id(const std::string& body) {
  const auto parsed = json::parse(body, {.max_bytes = 4'096, .max_depth = 4});
  if (parsed && parsed->is_object()) {
    const auto text = json::get_string(parsed->get_object(), "exception");
    if (auto id = id_from_hex(text.value_or(""))) return id;
  }
  return fail(Code::kInvalidArgument,
              R"(the body is {"exception": ID}, and an id is 32 hexadecimal digits)");
}

}  // namespace

Task<Result<RuleException>> Gateway::approve_by(const Caller& approver, const std::string& body) {
  const Id128 id = CO_TRY(exception_id(body));
  const RuleException* found = services_.exceptions.find(id);
  if (found == nullptr || services_.clock.wall_us() >= found->until_us) {
    co_return fail(Code::kNotFound, "no exception has this id, or it is over");
  }
  RuleException one = *found;
  if (!one.approved_by.empty()) {
    co_return fail(Code::kFailedPrecondition, "it is approved already");
  }
  const std::vector<std::string> approvers = services_.settings->approvers;
  const auto allowed = co_await off_thread(services_.workers, [&]() -> Result<void> {
    std::string owner;
    if (one.caller.starts_with("key:")) {
      const auto keys = TRY(services_.state.list_api_keys());
      const auto key = std::ranges::find(keys, one.caller.substr(4), &store::ApiKey::id);
      if (key != keys.end()) owner = key->facts.owner;
    }
    return may_approve(approver, one, owner, approvers);
  });
  if (!allowed) co_return std::unexpected(allowed.error());
  const store::Subject subject = CO_TRY(co_await subject_of(services_, approver.name));
  one.approved_by = approver.name;
  (void)CO_TRY(
      co_await record_act(services_, subject, {.verb = "exception.approve", .object = to_hex(id)}));
  CO_TRY(
      co_await off_thread(services_.workers, [&] { return services_.state.put_exception(one); }));
  if (services_.exceptions.find(id) == nullptr) {  // closed meanwhile
    (void)co_await off_thread(services_.workers,
                              [&] { return services_.state.remove_exception(id); });
    co_return fail(Code::kNotFound, "it was closed meanwhile");
  }
  services_.exceptions.put(one);
  co_return one;
}

Task<void> Gateway::approve(http::Call& call, const dialect::Dialect& dialect) {
  const auto caller = co_await who_asks(services_, *services_.settings, call);
  if (!caller) {
    const int status = caller.error().error.status;
    services_.refusals.add(Cause::kNotAuthenticated, status, call.peer().source(), "", "");
    co_return co_await reply_error(call, dialect, caller.error().error);
  }
  const auto done = co_await approve_by(*caller, call.request().body.reveal());
  if (!done) {
    if (done.error().code() == Code::kPermissionDenied) {
      services_.refusals.add(Cause::kNotAllowed, 403, call.peer().source(), "", "");
    }
    co_return co_await reply_error(call, dialect, error_of(done.error()));
  }
  json::Object out;
  out["exception"] = to_hex(done->id);
  out["rule"] = done->rule;
  out["until"] = format_utc(done->until_us);
  http::Reply reply;
  reply.headers.add("content-type", "application/json");
  reply.body = json::to_text(json::Value(std::move(out)));
  (void)co_await call.reply(std::move(reply));
}

}  // namespace candor::gateway
