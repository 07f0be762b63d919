// candor-verify: checks receipts, whole logs and tree heads, offline (A13). One static file; reads
// what it is given and writes nothing.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>

#include "verbs.h"

namespace {

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0  verified\n"
    "  1  a promise failed: evidence of tampering; the first bad place is named\n"
    "  2  bad usage, an unreadable file, or not such a document: evidence of nothing\n"
    "  3  verified, but something is not excluded (with --strict; heads: undecided)\n";

void add_trust(CLI::App& verb, candor::verify::TrustOptions& trust) {
  verb.add_option("--log-key", trust.log_key,
                  "The log's verifier key, or a file with it (candor key log prints it)")
      ->type_name("VKEY|FILE");
  verb.add_option("--pin", trust.pin, "A head kept from earlier: {origin,size,root,log_key}")
      ->type_name("FILE");
  verb.add_option("--witness-key", trust.witness_keys, "A witness whose cosignature is wanted")
      ->type_name("VKEY|FILE")
      ->take_all();
}

int run(int argc, char** argv) {
  using namespace candor::verify;  // NOLINT(google-build-using-namespace): one function
  CLI::App app{"Verifies Candor's receipts and logs, offline.", "candor-verify"};
  app.require_subcommand(1);
  app.footer(
      std::string("Examples:\n"
                  "  candor-verify receipt answer.tlog-proof --request q.json --response a.json\n"
                  "  candor-verify log /var/lib/candor --pin ~/.config/candor/pin.json\n"
                  "  candor-verify heads old.checkpoint new.checkpoint --log export/\n\n") +
      kExitCodes);
  app.fallthrough();
  Output output;
  app.add_flag("--json", output.json, "One JSON object instead of sentences");
  app.add_flag("--strict", output.strict, "Exit 3 when something is not excluded");
  app.set_version_flag("--version", std::string("candor-verify 0.1.0"));

  ReceiptOptions receipt;
  auto* receipt_verb = app.add_subcommand(
      "receipt", "That this answer, to this request, of this model, stands in a signed log");
  receipt_verb->add_option("RECEIPT", receipt.receipt,
                           "The .tlog-proof file, - for standard input; without it the receipt is "
                           "taken from the response");
  receipt_verb->add_option("--request", receipt.request, "The request's JSON body as it was sent")
      ->type_name("FILE");
  receipt_verb
      ->add_option("--response", receipt.response,
                   "The answer: JSON body, SSE stream, or the client's own JSON of it")
      ->type_name("FILE");
  receipt_verb->add_option("--nonce", receipt.nonce, "The Candor-Nonce that was sent")
      ->type_name("TEXT");
  add_trust(*receipt_verb, receipt.trust);
  receipt_verb->footer(
      std::string("Examples:\n"
                  "  candor-verify receipt --request q.json --response a.sse --log-key log.vkey\n"
                  "  candor receipt ID | candor-verify receipt - --pin pin.json\n\n") +
      kExitCodes);

  LogOptions log;
  auto* log_verb = app.add_subcommand(
      "log", "A whole log: every entry, tile, signed head, and the rules between entries");
  log_verb->add_option("DIR", log.folder, "A data folder, an export, or a published folder")
      ->required();
  log_verb->add_option("--journal", log.journal, "Where the journal is, if not beside the tiles")
      ->type_name("DIR");
  log_verb->add_option("--threads", log.threads, "Default: one for each processor");
  add_trust(*log_verb, log.trust);
  log_verb->footer(
      std::string("Examples:\n"
                  "  candor-verify log /var/lib/candor\n"
                  "  candor-verify log export/ --log-key log.vkey --pin pin.json\n\n") +
      kExitCodes);

  HeadsOptions heads;
  auto* heads_verb =
      app.add_subcommand("heads", "Two tree heads: consistent, a fork, or a rollback");
  heads_verb->add_option("OLDER", heads.older, "A checkpoint, receipt or pin")->required();
  heads_verb->add_option("NEWER", heads.newer, "A checkpoint, receipt or pin")->required();
  heads_verb->add_option("--log", heads.log, "Tiles that reach the larger one")->type_name("DIR");
  add_trust(*heads_verb, heads.trust);
  heads_verb->footer(
      std::string("Example:\n"
                  "  candor-verify heads pin.json export/checkpoint --log export/\n\n") +
      kExitCodes);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kVerified : kMalformed;
  }
  if (receipt_verb->parsed()) return verify_receipt(receipt, output);
  if (log_verb->parsed()) return verify_log(log, output);
  return verify_heads(heads, output);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {  // a third party's, or memory: said, and no verdict
    std::fprintf(stderr, "candor-verify: %s\n", e.what());
    return candor::verify::kMalformed;
  }
}
