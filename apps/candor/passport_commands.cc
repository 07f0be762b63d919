// The verbs of model signatures and passports, as CLI11 sees them.
#include <CLI/CLI.hpp>

#include "commands.h"

namespace candor::cli {
namespace {

CLI::App* verb(CLI::App& parent, const std::string& name, const std::string& what,
               const std::string& examples) {
  CLI::App* app = parent.add_subcommand(name, what);
  app->footer("Examples:\n" + examples);
  app->fallthrough();
  return app;
}

// Needs no configuration: json and raw come from the flags before or after the verb.
template <typename Options>
void acts(CLI::App* one, Commands& c, Options& options, int (*act)(const Options&)) {
  one->final_callback([&c, &options, act] {
    c.run = [&c, &options, act] {
      options.json = c.global.json;
      options.raw = c.global.raw;
      return act(options);
    };
  });
}

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

}  // namespace candor::cli
