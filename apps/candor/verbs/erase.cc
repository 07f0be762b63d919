// candor erase: destroys the keys of an exchange's or a caller's content (P3, S3).
#include <algorithm>
#include <iostream>

#include <unistd.h>

#include "base/file_system.h"
#include "base/terminal.h"
#include "base/text.h"
#include "store/auditor_key.h"
#include "store/data_folder.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

// Of an older epoch: what only the auditor's private half still opens. Only this exchange's key
// goes to the server, over its own socket.
Result<Sensitive<Digest>> secret_for(const Context& context, const EraseOptions& options) {
  const std::string text = TRY(read_text_file(options.auditor_key, 4096));
  const crypto::BoxKeyPair pair = TRY(store::parse_auditor_secret(text));
  (void)admin_call(context, "POST", "/v1/publish");  // a young key still lies in the journal
  const Id128 id = TRY(id_from_hex(options.exchange));
  return store::auditor_secret(real_file_system(), store::DataPaths(context.data_dir()).sealed(),
                               pair, id);
}

}  // namespace

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
               : options.fields.empty() ? "exchange " + options.exchange
                                        : std::to_string(options.fields.size()) +
                                              " field(s) of exchange " + options.exchange) +
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
  if (!options.fields.empty()) {
    json::Array fields;
    for (const std::string& field : options.fields) fields.emplace_back(field);
    body["fields"] = std::move(fields);
  }
  if (!options.auditor_key.empty()) {
    const auto secret = secret_for(context, options);
    if (!secret) return report(out, secret.error());
    body["secret"] = to_base64(secret->reveal());
  }
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
  const std::string what =
      options.fields.empty()
          ? count + " exchange(s), " + text_of(*reply, "destroyed") + " keys destroyed"
          : std::to_string(options.fields.size()) + " field(s), with every field of the same text";
  out.line(out.style().good("erased") + ": " + what + ", entry " + text_of(*reply, "index") +
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
