// candor model revoke|reinstate|revocations (docs/formats/revocations.md).
#include "passport/revocation.h"

#include <filesystem>
#include <span>

#include "base/clock.h"
#include "base/terminal.h"
#include "crypto/hash.h"
#include "passport/hash_model.h"
#include "verbs/lineage_file.h"
#include "verbs/signer_text.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "sha256:";

}  // namespace

Result<Digest> digest_of_file(const std::string& path) {
  const auto files = TRY(passport::list_model(path, {}));
  if (files.size() != 1) return fail(Code::kInvalidArgument, path + " is no file");
  const passport::Piece whole{.path = files.front().path, .start = 0, .end = files.front().bytes};
  const auto digests = TRY(passport::hash_pieces(path, std::span(&whole, 1)));
  return digests.front();
}

namespace {

Result<std::string> hash_of(const std::string& path) {
  const Progress progress("hashing " + path);
  return to_hex(TRY(digest_of_file(path)));
}

// The digest of what is named: as it stands, of a model that the server has loaded, of a file.
Result<std::string> digest_of(const Context& context, const std::string& named) {
  if (named.starts_with(kPrefix)) {
    const std::string hex = named.substr(kPrefix.size());
    if (!digest_from_hex(hex)) {
      return fail(Code::kInvalidArgument, "sha256: must be followed by 64 lower-case hex digits");
    }
    return hex;
  }
  const auto reply = admin_call(context, "GET", "/v1/models");
  if (reply) {
    for (const json::Value& value : array_of(*reply, "models")) {
      if (!value.is_object() || text_of(value.get_object(), "name") != named) continue;
      const std::string weights = text_of(value.get_object(), "weights");
      if (!weights.empty()) return weights;
      return hash_of(text_of(value.get_object(), "path"));
    }
  }
  std::error_code error;
  if (fs::is_regular_file(named, error)) return hash_of(named);
  return fail(Code::kNotFound, "'" + named +
                                   "' is no model of this server and no file; name one, or give "
                                   "sha256: and the digest of the weights");
}

std::string rfc3339_now() { return format_utc(system_clock().wall_us()).substr(0, 19) + "Z"; }

Result<json::Object> send_list(const Context& context, const std::string& bundle,
                               const std::string& key_pem, const std::string& reason) {
  json::Object body{{"bundle", bundle}, {"key", key_pem}};
  if (!reason.empty()) body["reason"] = reason;
  return admin_call(context, "POST", "/v1/revocations/import", body);
}

// The issuer's list as the server has it, one more on it, signed anew and handed back.
Result<json::Object> sign_and_send(const Context& context, const RevocationOptions& options,
                                   const std::string& digest) {
  const crypto::PemSigningKey key = TRY(read_signing_key(options.key));
  const std::string issuer = to_hex(crypto::sha256(key.public_key().spki()));
  passport::RevocationList list;
  list.issuer = options.issuer;
  const auto held = admin_text(context, "/v1/revocations/list?issuer=" + issuer);
  if (held) {
    list = TRY(passport::read_signed_revocations(*held, key.public_key())).list;
    ++list.sequence;
    if (!options.issuer.empty()) list.issuer = options.issuer;
  } else if (held.error().code() != Code::kNotFound) {
    return std::unexpected(held.error());
  }
  if (list.issuer.empty()) {
    return fail(Code::kInvalidArgument,
                "--issuer NAME is needed for a key's first list: people read who revoked");
  }
  list.made = rfc3339_now();
  const fs::path named(options.model);
  passport::Revocation one{
      .sha256 = TRY(digest_from_hex(digest)), .reason = options.reason, .date = list.made};
  if (!options.model.starts_with(kPrefix)) one.name = named.filename().string();
  passport::put_revocation(list, std::move(one));
  const std::string bundle = TRY(passport::sign_revocations(std::move(list), key));
  return send_list(context, bundle, key.public_key().pem(), options.reason);
}

int show(const Output& out, const json::Object& reply, const std::string& done) {
  if (out.json()) {
    out.document(reply);
    return kExitDone;
  }
  out.line(done + ", entry " + text_of(reply, "index") + "; " + text_of(reply, "ended") +
           " running answers ended");
  return kExitDone;
}

}  // namespace

int run_model_revoke(const Context& context, const RevocationOptions& options) {
  const Output& out = context.out();
  const auto digest = digest_of(context, options.model);
  if (!digest) return report(out, digest.error());
  const std::string what = "revoked sha256:" + *digest;
  if (!options.key.empty()) {
    const auto reply = sign_and_send(context, options, *digest);
    if (!reply) return report(out, reply.error());
    return show(out, *reply,
                what + " in list " + text_of(*reply, "sequence") + " of " +
                    out.shown(text_of(*reply, "name")));
  }
  const auto reply = admin_call(context, "POST", "/v1/revocations",
                                {{"sha256", *digest}, {"reason", options.reason}});
  if (!reply) return report(out, reply.error());
  return show(out, *reply, what);
}

int run_model_reinstate(const Context& context, const RevocationOptions& options) {
  const Output& out = context.out();
  const auto digest = digest_of(context, options.model);
  if (!digest) return report(out, digest.error());
  const auto reply = admin_call(context, "POST", "/v1/revocations/reinstate",
                                {{"sha256", *digest}, {"reason", options.reason}});
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
  } else {
    out.line("reinstated sha256:" + *digest + ", entry " + text_of(*reply, "index"));
  }
  return kExitDone;
}

int run_revocations_list(const Context& context) {
  const Output& out = context.out();
  const auto reply = admin_call(context, "GET", "/v1/revocations");
  if (!reply) return report(out, reply.error());
  if (out.json()) {
    out.document(*reply);
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json::Value& value : array_of(*reply, "revocations")) {
    if (!value.is_object()) continue;
    const json::Object& one = value.get_object();
    std::string names;
    for (const json::Value& name : array_of(one, "models")) {
      if (name.is_string()) names.append(names.empty() ? "" : " ").append(name.get_string());
    }
    const std::string issuer = text_of(one, "issuer");
    rows.push_back({text_of(one, "sha256").substr(0, 16), out.shown(names), text_of(one, "since"),
                    issuer.empty() ? "the operator" : issuer.substr(0, 16),
                    out.shown(text_of(one, "reason"))});
  }
  if (rows.empty()) {
    out.line("no weights are revoked");
  } else {
    out.table({"WEIGHTS", "HERE AS", "SINCE", "BY", "REASON"}, rows);
  }
  for (const json::Value& value : array_of(*reply, "lists")) {
    if (!value.is_object()) continue;
    const json::Object& one = value.get_object();
    out.line("list " + text_of(one, "sequence") + " of " + out.shown(text_of(one, "name")) + " (" +
             text_of(one, "made") + "), key " + text_of(one, "issuer"));
  }
  return kExitDone;
}

int run_revocations_import(const Context& context, const RevocationOptions& options) {
  const Output& out = context.out();
  const auto reply = [&]() -> Result<json::Object> {
    const std::string bundle = TRY(read_text_file(options.file, passport::kMaxRevocationsBundle));
    const std::string pem = TRY(read_text_file(options.key, 1U << 16U));
    // Whose mistake it is, is said without a server too.
    const crypto::VerifyingKey key = TRY(crypto::VerifyingKey::from_pem(pem));
    TRY(passport::read_signed_revocations(bundle, key));
    return send_list(context, bundle, pem, options.reason);
  }();
  if (!reply) return report(out, reply.error());
  const json::Value* changed = json::find(*reply, "changed");
  if (changed != nullptr && changed->is_bool() && !changed->get_bool() && !out.json()) {
    out.line("list " + text_of(*reply, "sequence") + " of " + out.shown(text_of(*reply, "name")) +
             " is in force already");
    return kExitDone;
  }
  return show(out, *reply,
              "list " + text_of(*reply, "sequence") + " of " + out.shown(text_of(*reply, "name")) +
                  ": " + text_of(*reply, "revoked") + " revoked");
}

int run_revocations_export(const Context& context, const RevocationOptions& options) {
  const Output& out = context.out();
  const auto bundle = [&]() -> Result<std::string> {
    std::string issuer = options.issuer;
    if (issuer.empty()) {
      const json::Object reply = TRY(admin_call(context, "GET", "/v1/revocations"));
      const json::Array& lists = array_of(reply, "lists");
      if (lists.empty()) {
        return fail(Code::kNotFound,
                    "no signed list is here; 'candor model revoke --key' makes one");
      }
      if (lists.size() > 1) {
        return fail(Code::kInvalidArgument, "there are lists of several issuers: name one's key");
      }
      issuer = text_of(lists.front().as_object(), "issuer");
    }
    return admin_text(context, "/v1/revocations/list?issuer=" + percent_encode(issuer));
  }();
  if (!bundle) return report(out, bundle.error());
  if (options.out.empty()) {
    out.write(*bundle);
    return kExitDone;
  }
  if (const auto done = write_text_file(options.out, *bundle, 0644); !done) {
    return report(out, done.error());
  }
  out.line("written to " + out.shown(options.out));
  return kExitDone;
}

}  // namespace candor::cli
