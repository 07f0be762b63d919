// candor budget, candor budget reconcile.
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

std::string used_text(const json::Object& use) {
  return text_of(use, "requests") + " requests, " + text_of(use, "tokens_in") + " tokens in, " +
         text_of(use, "tokens_out") + " out, " + text_of(use, "compute_us") + " us of computing";
}

int show(const Context& context) {
  const Output& out = context.out();
  const auto reply = admin_call(context, "GET", "/v1/budgets");
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::Value& value : array_of(*reply, "budgets")) {
    if (!value.is_object()) continue;
    const json::Object& budget = value.get_object();
    for (const json::Value& one : array_of(budget, "limits")) {
      if (!one.is_object()) continue;
      const json::Object& limit = one.get_object();
      const std::string what = text_of(limit, "what");
      const bool at_once = what == "streams";
      rows.push_back({out.shown(text_of(budget, "scope") + ":" + text_of(budget, "name")),
                      at_once ? "at once" : text_of(budget, "window"), what, text_of(limit, "used"),
                      text_of(limit, "limit"), text_of(limit, "left"),
                      at_once ? "-" : text_of(budget, "resets").substr(0, 19) + "Z"});
    }
  }
  if (rows.empty()) {
    out.line("no budget is set, or nobody has used one");
    return kExitDone;
  }
  out.table({"SUBJECT", "WINDOW", "WHAT", "USED", "LIMIT", "LEFT", "RESETS"}, rows);
  return kExitDone;
}

int reconcile(const Context& context, const std::string& reason) {
  const Output& out = context.out();
  json::Object body;
  if (!reason.empty()) body["reason"] = reason;
  const auto reply = admin_call(context, "POST", "/v1/budgets/reconcile", body);
  if (!reply) return report(out, reply.error());
  const json::Array& differences = array_of(*reply, "differences");
  if (out.json()) {
    out.document(*reply);
    return differences.empty() ? kExitDone : kExitFails;
  }
  for (const json::Value& value : differences) {
    if (!value.is_object()) continue;
    const json::Object& one = value.get_object();
    out.line(out.shown(text_of(one, "account")) + ", this " + text_of(one, "window"));
    out.line("  counted  " + used_text(object_of(one, "counted")));
    out.line("  logged   " + used_text(object_of(one, "logged")));
  }
  const std::string entries = text_of(*reply, "entries") + " entries";
  out.line(differences.empty()
               ? "all counts are those of the log's " + entries
               : std::to_string(differences.size()) + " counts were not those of the log's " +
                     entries + "; they are now");
  return differences.empty() ? kExitDone : kExitFails;
}

}  // namespace

int run_budget(const Context& context, const BudgetOptions& options) {
  return options.reconcile ? reconcile(context, options.reason) : show(context);
}

}  // namespace candor::cli
