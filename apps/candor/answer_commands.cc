// The verbs of who answers for a model, as CLI11 sees them.
#include "verb_builder.h"

namespace candor::cli {

void add_revocations(CLI::App& model, Commands& c) {
  RevocationOptions& options = c.revocation;
  const auto reason = [&options](CLI::App* one, const std::string& what) {
    return one->add_option("--reason", options.reason, what)->type_name("TEXT");
  };
  CLI::App* revoke =
      verb(model, "revoke", "Let these weights answer nobody any more, whatever they are called",
           "  candor model revoke acme-7b --reason \"hidden instructions in its template\"\n"
           "  candor model revoke sha256:9f86… --reason stolen --key issuer.pem --issuer Acme");
  revoke->add_option("model", options.model, "A model's name, a file, or sha256:HEX")->required();
  reason(revoke, "Shown to whom it stops; sealed beside the entry")->required();
  revoke
      ->add_option("--key", options.key,
                   "Private key, PEM: signs it into this issuer's list, which others can import")
      ->type_name("FILE");
  revoke->add_option("--issuer", options.issuer, "The issuer's name for people, with --key")
      ->type_name("NAME");
  runs(revoke, c, [&c](const Context& x) { return run_model_revoke(x, c.revocation); });

  CLI::App* reinstate = verb(model, "reinstate", "Take back what was revoked here without a key",
                             "  candor model reinstate sha256:9f86… --reason \"a false alarm\"");
  reinstate->add_option("model", options.model, "A model's name, a file, or sha256:HEX")
      ->required();
  reason(reinstate, "Sealed beside the entry")->required();
  runs(reinstate, c, [&c](const Context& x) { return run_model_reinstate(x, c.revocation); });

  CLI::App* lists = verb(model, "revocations", "What is revoked, and issuers' signed lists",
                         "  candor model revocations list\n"
                         "  candor model revocations import acme.revocations --key acme.pub");
  lists->require_subcommand(1);
  runs(verb(*lists, "list", "What is revoked here, by whom and why",
            "  candor model revocations list --json"),
       c, run_revocations_list);
  CLI::App* import =
      verb(*lists, "import", "Take an issuer's signed list, in place of its older one",
           "  candor model revocations import acme.revocations --key acme.pub");
  import->add_option("file", options.file, "The signed list")->required();
  import->add_option("--key", options.key, "The issuer's public key, PEM")
      ->required()
      ->type_name("FILE");
  reason(import, "Sealed beside the entry");
  runs(import, c, [&c](const Context& x) { return run_revocations_import(x, c.revocation); });
  CLI::App* out = verb(*lists, "export", "Write the signed list of an issuer, for others to import",
                       "  candor model revocations export -o acme.revocations");
  out->add_option("issuer", options.issuer,
                  "The issuer's key as the list shows it; may be left out where there is one");
  out->add_option("-o,--out", options.out, "Where to write; default: standard output")
      ->type_name("FILE");
  runs(out, c, [&c](const Context& x) { return run_revocations_export(x, c.revocation); });
}

void add_attribute(CLI::App& app, Commands& c) {
  AttributeOptions& options = c.attribute;
  CLI::App* one = verb(app, "attribute", "Who stands behind one answer, and what nobody knows",
                       "  candor attribute 0123456789abcdef0123456789abcdef\n"
                       "  candor attribute answer.receipt --markdown --step-key acme.pub");
  one->add_option("answer", options.subject, "An exchange's id, or a file with its receipt")
      ->required();
  one->add_flag("--markdown", options.markdown, "As Markdown");
  one->add_option("--model-file", options.model_file,
                  "The model's file, whose weights are looked at; default: the server's")
      ->type_name("FILE");
  one->add_option("--passport", options.passport.passport,
                  "Its passport; default: beside the model's file")
      ->type_name("FILE");
  one->add_option("--step-key", options.passport.step_keys,
                  "Public key of who signed the passport or a step of the descent, PEM; may repeat")
      ->type_name("FILE");
  one->add_option("--index", options.index,
                  "A folder of .fingerprint files; default: those that ship")
      ->type_name("DIR");
  runs(one, c, [&c](const Context& x) { return run_attribute(x, c.attribute); });
}

}  // namespace candor::cli
