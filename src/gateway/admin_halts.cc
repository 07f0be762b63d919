// The stop button of the admin socket (gateway/halts.h).
#include <algorithm>

#include "base/log.h"
#include "gateway/internal/admin_request.h"
#include "gateway/workers.h"

namespace candor::gateway {

struct Admin::Halted {
  Halt halt;
  std::string object;  // as the entry names it: a label, a pseudonym or ""
};

json::Array halts_json(const Halts& halts) {
  json::Array out;
  for (const Halt& halt : halts.all()) {
    json::Object item;
    item["scope"] = halt.scope;
    item["object"] = halt.object;
    item["reason"] = halt.reason;
    item["since"] = format_utc(halt.since_us);
    out.emplace_back(std::move(item));
  }
  return out;
}

// One of {"all": true}, {"model": NAME}, {"user": NAME}, and a reason.
Task<Result<Admin::Halted>> Admin::halted(const Request& request) {
  Halted out;
  int named = 0;
  for (const std::string_view scope : {"all", "model", "user"}) {
    const json::Value* value = json::find(request.body, scope);
    if (value == nullptr) continue;
    ++named;
    out.halt.scope = scope;
    if (value->is_string()) out.halt.object = value->as_string();
    if (scope == "all" ? !value->is_bool() || !value->as_bool() : out.halt.object.empty()) {
      co_return fail(Code::kInvalidArgument, "all is true; model and user are names");
    }
  }
  if (named != 1) {
    co_return fail(Code::kInvalidArgument, "name what is meant: all, one model or one user");
  }
  const auto reason = json::get_string(request.body, "reason");
  if (!reason || reason->empty()) {
    co_return fail(Code::kInvalidArgument, "a reason of 1 to 4,096 bytes is needed");
  }
  out.halt.reason = *reason;
  out.halt.since_us = services_.clock.wall_us();
  if (out.halt.scope == "model") {
    if (!services_.engines.has(out.halt.object)) {
      co_return fail(Code::kNotFound, "no model of this name is configured");
    }
    out.object = out.halt.object;
  } else if (out.halt.scope == "user") {
    out.halt.object = CO_TRY(co_await off_thread(
        services_.workers, [this, typed = out.halt.object] { return subject_name(typed); }));
    out.object = CO_TRY(co_await subject_of(services_, out.halt.object)).pseudonym;
  }
  co_return out;
}

Task<Result<json::Value>> Admin::halts(Request& /*request*/) {
  json::Object out;
  out["stops"] = halts_json(services_.halts);
  co_return json::Value(std::move(out));
}

// In force first, then kept, then on record: what fails on the way leaves it stopped.
Task<Result<json::Value>> Admin::halt(Request& request) {
  const Halted wanted = CO_TRY(co_await halted(request));
  const std::size_t ended = services_.halts.put(wanted.halt);
  log_warning("admin.stopped", {{"scope", Label(wanted.halt.scope)}, {"ended", ended}});
  const auto kept =
      co_await off_thread(services_.workers, [&] { return services_.state.put_halt(wanted.halt); });
  if (!kept) {
    co_return fail(Code::kUnavailable,
                   "stopped, but only until the server ends, and not on "
                   "record: " +
                       kept.error().message());
  }
  const auto index = co_await record(request, "stop." + wanted.halt.scope, wanted.object);
  if (!index) {
    co_return fail(Code::kUnavailable, "stopped, but not on record: " + index.error().message());
  }
  json::Object out;
  out["index"] = *index;
  out["ended"] = ended;
  co_return json::Value(std::move(out));
}

// On record first: nothing answers again that no entry speaks of.
Task<Result<json::Value>> Admin::resume(Request& request) {
  const Halted wanted = CO_TRY(co_await halted(request));
  const Halt& halt = wanted.halt;
  const auto in_force = [&] {
    return std::ranges::any_of(services_.halts.all(), [&](const Halt& one) {
      return one.scope == halt.scope && one.object == halt.object;
    });
  };
  if (!in_force()) {
    co_return fail(Code::kNotFound, "this is not stopped; see 'candor stop --list'");
  }
  const std::uint64_t index =
      CO_TRY(co_await record(request, "resume." + halt.scope, wanted.object));
  const auto removed = co_await off_thread(
      services_.workers, [&] { return services_.state.remove_halt(halt.scope, halt.object); });
  if (!removed) co_return std::unexpected(removed.error());
  services_.halts.remove(halt.scope, halt.object);
  log_info("admin.resumed", {{"scope", Label(halt.scope)}});
  json::Object out;
  out["index"] = index;
  co_return json::Value(std::move(out));
}

}  // namespace candor::gateway
