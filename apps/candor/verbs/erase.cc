// candor erase: destroys the keys of an exchange's or a caller's content (P3, S3).
#include <iostream>

#include <unistd.h>

#include "base/terminal.h"
#include "verbs/verbs.h"

namespace candor::cli {

int run_erase(const Context& context, const EraseOptions& options) {
  const Output& out = context.out();
  if (options.exchange.empty() == options.caller.empty()) {
    return report(out, {Code::kInvalidArgument, "name one of --exchange ID and --caller NAME"});
  }
  if (!options.exchange.empty() && !is_exchange_id(options.exchange)) {
    return report(out, {Code::kInvalidArgument, "an exchange's id is 32 hexadecimal digits"});
  }
  if (!options.yes && !out.json() && is_terminal(STDIN_FILENO)) {
    out.write("Destroy the keys of " +
              (options.exchange.empty() ? "everything that " + out.shown(options.caller) + " asked"
                                        : "exchange " + options.exchange) +
              "? Nobody can undo this. Type 'erase': ");
    std::string answer;
    if (!std::getline(std::cin, answer) || answer != "erase") {
      return report(out, {Code::kCancelled, "nothing was erased"});
    }
  }
  json::Object body;
  if (!options.exchange.empty()) body["exchange"] = options.exchange;
  if (!options.caller.empty()) body["caller"] = options.caller;
  body["reason"] = options.reason;
  const auto reply = [&] {
    const Progress progress("erasing");
    return admin_call(context, "POST", "/v1/erase", body);
  }();
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  const json::Value* exchanges = json::find(*reply, "exchanges");
  const std::string count = exchanges != nullptr && exchanges->is_array()
                                ? std::to_string(exchanges->get_array().size())
                                : text_of(*reply, "exchanges");
  out.line(out.style().good("erased") + ": " + count + " exchange(s), " +
           text_of(*reply, "destroyed") + " keys destroyed, entry " + text_of(*reply, "index") +
           ". Every proof still verifies.");
  const json::Array& unreachable = array_of(*reply, "unreachable");
  if (!unreachable.empty()) out.line("What erasing cannot reach:");
  for (const json::Value& one : unreachable) {
    if (one.is_string()) {
      out.line("  - " + out.shown({one.get_string().data(), one.get_string().size()}));
    }
  }
  return kExitDone;
}

}  // namespace candor::cli
