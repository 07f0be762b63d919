// candor exception: break-glass and approvals (docs/governance.md).
#include <cstdlib>

#include "config/keys.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

// The approver's own credential: --api-key, or the environment, which `ps` does not show.
Result<std::string> credential(const ExceptionOptions& options) {
  if (!options.api_key.empty()) return options.api_key;
  const char* given = std::getenv("CANDOR_API_KEY");  // NOLINT(concurrency-mt-unsafe)
  if (given != nullptr && *given != '\0') return std::string(given);
  return fail(Code::kInvalidArgument,
              "an approval needs a credential of your own: put an API key or a sign-in token into "
              "CANDOR_API_KEY");
}

}  // namespace

int run_exception_list(const Context& context) {
  const Output& out = context.out();
  const auto reply = admin_call(context, "GET", "/v1/exceptions");
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::Value& value : array_of(*reply, "exceptions")) {
    if (!value.is_object()) continue;
    const json::Object& one = value.get_object();
    const std::string approver = text_of(one, "approved_by");
    rows.push_back({text_of(one, "id"), text_of(one, "rule"), out.shown(text_of(one, "caller")),
                    text_of(one, "state"), text_of(one, "until").substr(0, 19) + "Z",
                    out.shown(text_of(one, "opened_by")),
                    approver.empty() ? "-" : out.shown(approver),
                    out.shown(text_of(one, "reason"))});
  }
  if (rows.empty()) {
    out.line("no exception is open");
    return kExitDone;
  }
  out.table({"ID", "RULE", "FOR", "STATE", "UNTIL", "OPENED BY", "APPROVED BY", "REASON"}, rows);
  return kExitDone;
}

int run_exception_open(const Context& context, const ExceptionOptions& options) {
  const Output& out = context.out();
  const auto lasts = config::parse_duration_ms(options.duration);
  if (!lasts || *lasts < 1'000) {
    return report(out, {Code::kInvalidArgument, "--for takes a duration, such as 30m or 2h"});
  }
  json::Object body;
  body["rule"] = options.rule;
  body["user"] = options.user;
  body["seconds"] = *lasts / 1'000;
  body["reason"] = options.reason;
  const auto reply = admin_call(context, "POST", "/v1/exceptions", body);
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  out.line("exception " + text_of(*reply, "id") + ", entry " + text_of(*reply, "index") +
           ", until " + text_of(*reply, "until").substr(0, 19) + "Z");
  out.note(text_of(*reply, "waits_for_approval") == "true"
               ? "it counts once somebody else has approved it: candor exception approve " +
                     text_of(*reply, "id")
               : "it counts now; everything under it is marked");
  return kExitDone;
}

int run_exception_approve(const Context& context, const ExceptionOptions& options) {
  const Output& out = context.out();
  const auto token = credential(options);
  if (!token) return report(out, token.error());
  json::Object body;
  body["exception"] = options.id;
  const auto reply = http_call(
      context.api(),
      {.method = "POST",
       .target = "/candor/v1/approve",
       .headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + *token}},
       .body = json::to_text(json::Value(std::move(body)))});
  if (!reply) return report(out, reply.error());
  if (reply->status != 200) return report(out, reply_error(*reply));
  const auto answer = json::parse(reply->body);
  if (!answer || !answer->is_object()) {
    return report(out, {Code::kInternal, "the server's answer is no JSON object"});
  }
  if (out.json()) {
    out.document(*answer);
  } else {
    out.line("approved: rule " + out.shown(text_of(answer->get_object(), "rule")) + " until " +
             text_of(answer->get_object(), "until").substr(0, 19) + "Z");
  }
  return kExitDone;
}

int run_exception_close(const Context& context, const ExceptionOptions& options) {
  const Output& out = context.out();
  json::Object body;
  body["id"] = options.id;
  if (!options.reason.empty()) body["reason"] = options.reason;
  const auto reply = admin_call(context, "POST", "/v1/exceptions/close", body);
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("closed, entry " + text_of(*reply, "index"));
  }
  return kExitDone;
}

}  // namespace candor::cli
