// The stop button of the admin socket (gateway/halts.h).
#include "base/log.h"
#include "gateway/internal/admin_request.h"
#include "gateway/workers.h"

namespace candor::gateway {

json::Array halts_json(const Halts& halts) {
  json::Array out;
  for (const Halt& halt : halts.all()) {
    json::Object item;
    item["scope"] = by_weights(halt) ? std::string(store::kRevoked) : halt.scope;
    item["object"] = halt.object;
    item["reason"] = halt.reason;
    item["since"] = format_utc(halt.since_us);
    out.emplace_back(std::move(item));
  }
  return out;
}

// One of {"all": true}, {"model": NAME}, {"user": NAME}, and a reason. What is in force already may
// name what is no longer configured.
Task<Result<Halt>> Admin::halted(const Request& request) {
  Halt out;
  int named = 0;
  for (const std::string_view scope : {"all", "model", "user"}) {
    const json::Value* value = json::find(request.body, scope);
    if (value == nullptr) continue;
    ++named;
    out.scope = scope;
    if (value->is_string()) out.object = value->as_string();
    if (scope == "all" ? !value->is_bool() || !value->as_bool() : out.object.empty()) {
      co_return fail(Code::kInvalidArgument, "all is true; model and user are names");
    }
  }
  if (named != 1) {
    co_return fail(Code::kInvalidArgument, "name what is meant: all, one model or one user");
  }
  const auto reason = json::get_string(request.body, "reason");
  if (!reason || reason->find_first_not_of(" \t\n") == std::string_view::npos) {
    co_return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  out.reason = *reason;
  out.since_us = services_.clock.wall_us();
  if (services_.halts.in_force(out.scope, out.object) != nullptr) co_return out;
  if (out.scope == "model" && !services_.engines.has(out.object)) {
    co_return fail(Code::kNotFound, "no model of this name is configured");
  }
  if (out.scope == "user") {
    out.object = CO_TRY(co_await off_thread(
        services_.workers, [this, typed = out.object] { return living_subject(typed); }));
  }
  co_return out;
}

// As the entry names it: a label, a pseudonym or "".
Task<Result<std::uint64_t>> Admin::record_halt(const Request& request, std::string_view verb,
                                               const Halt& halt) {
  std::string object = halt.scope == "model" ? halt.object : std::string();
  if (halt.scope == "user") object = CO_TRY(co_await subject_of(services_, halt.object)).pseudonym;
  co_return co_await record(request, std::string(verb) + "." + halt.scope, std::move(object));
}

Task<Result<json::Value>> Admin::halts(Request& /*request*/) {
  json::Object out;
  out["stops"] = halts_json(services_.halts);
  co_return json::Value(std::move(out));
}

// In force first, then kept and on record: what fails on the way leaves it stopped.
Task<Result<json::Value>> Admin::halt(Request& request) {
  const Halt wanted = CO_TRY(co_await halted(request));
  const std::size_t ended = services_.halts.put(wanted);
  log_warning("admin.stopped", {{"scope", Label(wanted.scope)}, {"ended", ended}});
  const auto kept =
      co_await off_thread(services_.workers, [&] { return services_.state.put_halt(wanted); });
  const auto index = co_await record_halt(request, "stop", wanted);
  if (!kept || !index) {
    std::string message = "stopped, but ";
    if (!kept) message += "only until the server ends (" + kept.error().message() + ")";
    if (!kept && !index) message += " and ";
    if (!index) message += "not on record: " + index.error().message();
    co_return fail(Code::kUnavailable, std::move(message));
  }
  json::Object out;
  out["index"] = *index;
  out["ended"] = ended;
  co_return json::Value(std::move(out));
}

// On record first: nothing answers again that no entry speaks of. A stop that comes meanwhile is
// another one and stays.
Task<Result<json::Value>> Admin::resume(Request& request) {
  const Halt wanted = CO_TRY(co_await halted(request));
  const Halt* found = services_.halts.in_force(wanted.scope, wanted.object);
  if (found == nullptr) {
    co_return fail(Code::kNotFound, "this is not stopped; see 'candor stop --list'");
  }
  const Halt halt = *found;
  const std::uint64_t index = CO_TRY(co_await record_halt(request, "resume", halt));
  const auto removed =
      co_await off_thread(services_.workers, [&] { return services_.state.remove_halt(halt); });
  if (!removed) co_return std::unexpected(removed.error());
  services_.halts.remove(halt);
  log_info("admin.resumed", {{"scope", Label(halt.scope)}});
  json::Object out;
  out["index"] = index;
  co_return json::Value(std::move(out));
}

}  // namespace candor::gateway
