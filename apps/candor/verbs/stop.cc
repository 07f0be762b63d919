// candor stop|resume: what gets no answers until it is resumed.
#include "base/terminal.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

json::Object body_of(const StopOptions& options) {
  json::Object body;
  if (options.all) body["all"] = true;
  if (!options.model.empty()) body["model"] = options.model;
  if (!options.user.empty()) body["user"] = options.user;
  body["reason"] = options.reason;
  return body;
}

std::string name_of(const Output& out, const StopOptions& options) {
  if (options.all) return "everything";
  return out.shown(options.model.empty() ? "answers to " + options.user : options.model);
}

int list(const Context& context) {
  const Output& out = context.out();
  const auto reply = admin_call(context, "GET", "/v1/stops");
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  const json::Array& stops = array_of(*reply, "stops");
  if (stops.empty()) out.line("nothing is stopped");
  for (const json::Value& value : stops) {
    if (value.is_object()) out.line(out.shown(stop_text(value.get_object())));
  }
  return kExitDone;
}

// The server asks for these too; here the answer says how to type it.
Result<void> check(const StopOptions& options) {
  const int named =
      (options.all ? 1 : 0) + (options.model.empty() ? 0 : 1) + (options.user.empty() ? 0 : 1);
  if (named != 1) {
    return fail(
        Code::kInvalidArgument,
        "name one: --all, --model NAME or --user NAME (to end the server: candor shutdown)");
  }
  if (options.reason.empty()) {
    return fail(Code::kInvalidArgument, "--reason TEXT is needed: people who are refused read it");
  }
  return {};
}

}  // namespace

std::string stop_text(const json::Object& stop) {
  const std::string object = text_of(stop, "object");
  return text_of(stop, "scope") + (object.empty() ? "" : " " + object) + " since " +
         text_of(stop, "since") + ": " + text_of(stop, "reason");
}

int run_stop(const Context& context, const StopOptions& options) {
  const Output& out = context.out();
  if (options.list) return list(context);
  if (const auto fine = check(options); !fine) return report(out, fine.error());
  const auto reply = admin_call(context, "POST", "/v1/stops", body_of(options));
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("stopped " + name_of(out, options) + ", entry " + text_of(*reply, "index") + "; " +
             text_of(*reply, "ended") + " running answers ended");
    out.note("it stays so, across restarts, until 'candor resume'");
  }
  return kExitDone;
}

int run_resume(const Context& context, const StopOptions& options) {
  const Output& out = context.out();
  if (const auto fine = check(options); !fine) return report(out, fine.error());
  const auto reply = admin_call(context, "POST", "/v1/stops/resume", body_of(options));
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("resumed " + name_of(out, options) + ", entry " + text_of(*reply, "index"));
  }
  return kExitDone;
}

}  // namespace candor::cli
