// The verbs of model signatures and passports, as CLI11 sees them.
#include "verb_builder.h"

namespace candor::cli {
namespace {

void add_trust(CLI::App& one, TrustOptions& trust) {
  one.add_option("--key", trust.key, "The signer's public key, PEM")->type_name("FILE");
  one.add_option("--certificate-roots", trust.roots,
                 "Roots that the signer's certificate must lead to, PEM")
      ->type_name("FILE");
  one.add_option("--at", trust.at,
                 "When that certificate must hold, such as 2026-11-26; default: now")
      ->type_name("DATE");
  one.add_option("--trusted-root", trust.trusted_root,
                 "Sigstore's trusted_root.json; nothing is fetched")
      ->type_name("FILE");
  one.add_option("--identity", trust.identity, "Who must have signed: an e-mail address or a URI")
      ->type_name("NAME");
  one.add_option("--issuer", trust.issuer, "Who must vouch for that identity")->type_name("URL");
}

}  // namespace

void add_signatures(CLI::App& model, Commands& c) {
  SignatureOptions& options = c.signature;
  CLI::App* sign =
      verb(model, "sign", "Sign a model's files (OpenSSF Model Signing v1.0)",
           "  openssl ecparam -name secp384r1 -genkey -noout -out key.pem\n"
           "  candor model sign models/acme-7b --key key.pem       # writes acme-7b/model.sig\n"
           "  candor model sign acme-7b.gguf --key key.pem --certificate cert.pem --shards");
  sign->add_option("path", options.model, "A model: one file, or a folder")->required();
  sign->add_option("--key", options.key,
                   "Private key, PEM, unencrypted: P-256, P-384, P-521 or Ed25519")
      ->required()
      ->type_name("FILE");
  sign->add_option("--certificate", options.certificates,
                   "The key's certificate, then those up to the root (which may be left out), PEM; "
                   "may repeat")
      ->type_name("FILE");
  sign->add_option("-o,--out", options.signature,
                   "Where to write; default: model.sig in the folder, or FILE.sig")
      ->type_name("FILE");
  sign->add_flag("--shards", options.shards,
                 "Sign pieces of files, so that large ones verify on all processors");
  sign->add_option("--shard-bytes", options.shard_bytes, "How large such a piece is")
      ->check(CLI::Range(std::uint64_t{1} << 20U, std::uint64_t{1} << 40U))
      ->type_name("N");
  sign->add_option("--ignore", options.ignore,
                   "A path inside the model that is left out (named in the signature); may repeat")
      ->type_name("PATH");
  acts(sign, c, options, run_model_sign);

  CLI::App* check =
      verb(model, "verify-signature",
           "Who signed a model, and whether its files are those (OpenSSF Model Signing v1.0)",
           "  candor model verify-signature acme-7b --key acme.pub\n"
           "  candor model verify-signature acme-7b --certificate-roots acme-ca.pem\n"
           "  candor model verify-signature acme-7b --trusted-root trusted_root.json \\\n"
           "    --identity release@acme.example --issuer https://accounts.acme.example");
  check->add_option("path", options.model, "A model: one file, or a folder")->required();
  check
      ->add_option("--signature", options.signature,
                   "The signature; default: model.sig in the folder, or FILE.sig")
      ->type_name("FILE");
  check
      ->add_option("--ignore", options.ignore,
                   "A path inside the model that nobody signed; may repeat")
      ->type_name("PATH");
  add_trust(*check, options.trust);
  acts(check, c, options, run_model_verify_signature);
}

void add_passport(CLI::App& app, Commands& c) {
  CLI::App* passport = verb(app, "passport", "What a model is, where it comes from and who says so",
                            "  candor passport make acme-7b.gguf --claim acme.toml\n"
                            "  candor passport sign acme-7b.gguf --key key.pem\n"
                            "  candor passport verify acme-7b.gguf --key acme.pub\n"
                            "  candor passport export acme-7b.gguf --format cyclonedx");
  passport->require_subcommand(1);
  PassportOptions& options = c.passport;
  const auto common = [&options](CLI::App& one, bool needs_model) {
    one.add_option("path", options.model,
                   needs_model ? "A model: one file, or a folder"
                               : "A model with its passport beside it, or a passport")
        ->required();
    one.add_option("--passport", options.passport,
                   "The passport; default: passport.json in the folder, or FILE.passport.json")
        ->type_name("FILE");
  };
  CLI::App* make = verb(*passport, "make", "Measure a model and write its passport",
                        "  candor passport make acme-7b.gguf\n"
                        "  candor passport make models/acme-7b --claim acme.toml --name acme-7b");
  common(*make, true);
  make->add_option("--claim", options.claims,
                   "What people say of it, TOML (docs/formats/passport.md); may repeat")
      ->type_name("FILE");
  make->add_option("--step", options.steps,
                   "A signed statement of `candor passport step`; may repeat, oldest first; those "
                   "of --claim come after")
      ->type_name("FILE");
  make->add_option("--adapter", options.adapters,
                   "A LoRA file that belongs to the model; may repeat")
      ->type_name("FILE");
  make->add_option("--name", options.name, "The model's name; default: its file's")
      ->type_name("NAME");
  make->add_option("--ignore", options.ignore,
                   "A path inside the model that is no part of it; may repeat")
      ->type_name("PATH");
  acts(make, c, options, run_passport_make);

  CLI::App* show = verb(*passport, "show", "What a passport says; checks nothing but its form",
                        "  candor passport show acme-7b.gguf\n"
                        "  candor passport show acme-7b.gguf.passport.json --json");
  common(*show, false);
  acts(show, c, options, run_passport_show);

  CLI::App* check = verb(*passport, "verify", "Whether a model is what its signed passport says",
                         "  candor passport verify acme-7b.gguf --key acme.pub\n"
                         "  candor passport verify acme-7b.gguf --files-only --quick");
  common(*check, true);
  check->add_flag("--quick", options.quick,
                  "Every byte by its shards alone, not by whole files: all processors share it");
  check->add_flag("--files-only", options.files_only, "Leave a signature unchecked");
  check
      ->add_option("--ignore", options.ignore,
                   "A path inside the model that is no part of it; may repeat")
      ->type_name("PATH");
  check
      ->add_option("--adapter", options.adapters,
                   "A LoRA file that must be one of the passport's; may repeat")
      ->type_name("FILE");
  check
      ->add_option("--step-key", options.step_keys,
                   "The public key of somebody who signed a step; may repeat")
      ->type_name("FILE");
  add_trust(*check, options.trust);
  acts(check, c, options, run_passport_verify);

  CLI::App* step =
      verb(*passport, "step", "Sign one step of a model's descent, apart from any passport",
           "  candor passport step acme-7b.gguf --claim quantised.toml --key key.pem \\\n"
           "    -o quantised.json                 # for `candor passport make --step`");
  step->add_option("path", options.model, "The model that the step came to")->required();
  step->add_option("--claim", options.claims,
                   "The step, TOML: one [[step]] (docs/formats/passport.md)")
      ->required()
      ->type_name("FILE");
  step->add_option("--key", options.key,
                   "Private key, PEM, unencrypted: P-256, P-384, P-521 or Ed25519")
      ->required()
      ->type_name("FILE");
  step->add_option("--certificate", options.certificates,
                   "The key's certificate, then those up to the root, PEM; may repeat")
      ->type_name("FILE");
  step->add_option("-o,--out", options.out, "Where to write")->required()->type_name("FILE");
  acts(step, c, options, run_passport_step);

  CLI::App* sign = verb(*passport, "sign", "Sign a passport with a key of yours",
                        "  candor passport sign acme-7b.gguf --key key.pem\n"
                        "  candor passport sign acme-7b.gguf --key key.pem --certificate cert.pem");
  common(*sign, false);
  sign->add_option("--key", options.key,
                   "Private key, PEM, unencrypted: P-256, P-384, P-521 or Ed25519")
      ->required()
      ->type_name("FILE");
  sign->add_option("--certificate", options.certificates,
                   "The key's certificate, then those up to the root, PEM; may repeat")
      ->type_name("FILE");
  sign->add_option("-o,--out", options.out, "Where to write; default: in the passport's place")
      ->type_name("FILE");
  acts(sign, c, options, run_passport_sign);

  CLI::App* copy = verb(*passport, "export", "A passport as others read it",
                        "  candor passport export acme-7b.gguf --format cyclonedx -o bom.json\n"
                        "  candor passport export acme-7b.gguf --format html -o card.html");
  common(*copy, false);
  copy->add_option("--format", options.format, "cyclonedx (1.7 ML-BOM), markdown or html")
      ->required()
      ->check(CLI::IsMember({"cyclonedx", "markdown", "html"}));
  copy->add_option("-o,--out", options.out, "Where to write; default: standard output")
      ->type_name("FILE");
  acts(copy, c, options, run_passport_export);
}

}  // namespace candor::cli
