#include "passport/sigstore.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "crypto/timestamp.h"
#include "passport/internal/fields.h"
#include "passport/internal/transparency.h"

namespace candor::passport {
namespace {

// Fulcio's extensions: https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
constexpr const char* kIssuer = "1.3.6.1.4.1.57264.1.8";     // a DER UTF8String
constexpr const char* kOldIssuer = "1.3.6.1.4.1.57264.1.1";  // the text itself

Result<void> check_kind(const LogEntry& entry) {
  if ((entry.kind == "dsse" && entry.version == "0.0.1") ||
      (entry.kind == "hashedrekord" && entry.version == "0.0.2")) {
    return {};
  }
  return fail(Code::kFailedPrecondition,
              fmt::format("a log entry of kind '{}' {} is not taken: dsse 0.0.1 and hashedrekord "
                          "0.0.2 are",
                          shown(entry.kind), shown(entry.version)));
}

Result<const LogKey*> log_of(const LogEntry& entry, const TrustedRoot& root) {
  const auto log = std::ranges::find(root.logs, entry.log_id, &LogKey::id);
  if (log == root.logs.end()) {
    return fail(Code::kPermissionDenied,
                "the entry's transparency log is none of the trusted root's");
  }
  return &*log;
}

Result<std::int64_t> time_of(ByteView response, const Envelope& envelope, const TrustedRoot& root) {
  std::optional<Error> last;
  for (const Authority& authority : root.timestamp_authorities) {
    auto at = crypto::verify_timestamp(response, envelope.signature, authority.chain);
    if (at && authority.validity.holds(*at)) return *at;
    if (!at) last = std::move(at).error();
  }
  if (last) return std::unexpected(*std::move(last));
  return fail(Code::kPermissionDenied,
              "the bundle's timestamp is by no authority of the trusted root");
}

// Whatever says when it was signed must hold, and something must.
Result<std::vector<std::int64_t>> trusted_times(const Bundle& bundle, const LogEntry& entry,
                                                const LogKey& log, const TrustedRoot& root) {
  std::vector<std::int64_t> out;
  if (entry.promise) {
    if (entry.kind != "dsse") {
      return fail(Code::kInvalidArgument, "an entry of Rekor v2 has no inclusion promise");
    }
    TRY(verify_promise(entry, log));
    out.push_back(static_cast<std::int64_t>(*entry.integrated_s));
  }
  for (std::size_t i = 0; i < bundle.timestamps.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (bundle.timestamps[i] == bundle.timestamps[j]) {
        return fail(Code::kInvalidArgument, "a timestamp stands twice in the bundle");
      }
    }
    out.push_back(TRY(time_of(bundle.timestamps[i], bundle.envelope, root)));
  }
  if (out.empty()) {
    return fail(Code::kPermissionDenied,
                "nothing that is signed says when the bundle was made: no SET, no timestamp");
  }
  return out;
}

Result<std::vector<crypto::Certificate>> chain_at(const crypto::Certificate& leaf,
                                                  std::int64_t at_s, const TrustedRoot& root) {
  std::optional<Error> last;
  for (const Authority& authority : root.authorities) {
    if (!authority.validity.holds(at_s)) continue;
    const std::span<const crypto::Certificate> chain(authority.chain);
    auto path = crypto::verify_chain(leaf, chain.first(chain.size() - 1), chain.last(1), at_s);
    if (path) return path;
    last = std::move(path).error();
  }
  if (last) return std::unexpected(*std::move(last));
  return fail(Code::kPermissionDenied,
              "no certificate authority of the trusted root was in force at the time of signing");
}

Result<std::string> issuer_of(const crypto::Certificate& leaf) {
  if (const auto coded = leaf.extension(kIssuer)) {
    const ByteView text = TRY(der_content(*coded, std::byte{0x0C}));
    return std::string(as_text(text));
  }
  if (const auto text = leaf.extension(kOldIssuer)) return std::string(as_text(*text));
  return fail(Code::kPermissionDenied, "the certificate names no issuer of its identity");
}

Result<void> check_identity(const crypto::Certificate& leaf, const Identity& who) {
  const auto names = leaf.alternative_names();
  if (who.identity.empty() || std::ranges::find(names, who.identity) == names.end()) {
    std::string there;
    for (const std::string& name : names)
      there.append(there.empty() ? "" : ", ").append(shown(name));
    return fail(Code::kPermissionDenied,
                fmt::format("signed by {}, not by '{}'", there.empty() ? "nobody named" : there,
                            shown(who.identity)));
  }
  const std::string issuer = TRY(issuer_of(leaf));
  if (who.issuer.empty() || issuer != who.issuer) {
    return fail(Code::kPermissionDenied,
                fmt::format("the identity is vouched for by '{}', not by '{}'", shown(issuer),
                            shown(who.issuer)));
  }
  return {};
}

}  // namespace

Result<Signer> verify_with_sigstore(const Bundle& bundle, const TrustedRoot& root,
                                    const Identity& who) {
  if (bundle.method != Bundle::Method::kSigstore) {
    return fail(
        Code::kFailedPrecondition,
        fmt::format("the bundle is signed by {}: give {}", to_string(bundle.method),
                    bundle.method == Bundle::Method::kKey ? "--key" : "--certificate-roots"));
  }
  if (bundle.log_entries.size() != 1) {
    return fail(Code::kFailedPrecondition, "a bundle with more than one log entry is not taken");
  }
  const LogEntry& entry = bundle.log_entries.front();
  TRY(check_kind(entry));
  const crypto::Certificate leaf = TRY(crypto::Certificate::from_der(bundle.certificates.front()));
  const LogKey& log = *TRY(log_of(entry, root));
  const auto times = TRY(trusted_times(bundle, entry, log, root));
  if (entry.proof && !entry.proof->checkpoint.empty()) {
    TRY(verify_proof(entry, log));
  } else if (entry.proof) {
    return fail(Code::kInvalidArgument, "an inclusion proof without a checkpoint proves nothing");
  } else if (!entry.promise) {
    return fail(Code::kInvalidArgument,
                "a log entry needs an inclusion proof with a checkpoint, or a promise (SET)");
  }
  std::vector<crypto::Certificate> path;
  for (const std::int64_t at_s : times) {
    if (!log.validity.holds(at_s)) {
      return fail(Code::kPermissionDenied, "the log's key was not in force at the time of signing");
    }
    path = TRY(chain_at(leaf, at_s, root));
  }
  if (path.size() < 2) {
    return fail(Code::kPermissionDenied, "the certificate is itself a root");
  }
  TRY(verify_sct(leaf, path[1], root.ct_logs));
  if (!leaf.for_digital_signature() || !leaf.for_code_signing()) {
    return fail(Code::kPermissionDenied, "the certificate is not for signing code");
  }
  TRY(check_identity(leaf, who));
  const crypto::VerifyingKey key = TRY(leaf.key());
  TRY(verify_envelope(bundle.envelope, key));
  TRY(verify_body(entry, bundle.envelope, leaf));
  return Signer{.method = bundle.method,
                .key = key.kind(),
                .key_digest = crypto::sha256(key.spki()),
                .subject = leaf.subject(),
                .root = path.back().subject(),
                .identity = who.identity,
                .issuer = who.issuer,
                .times_s = times};
}

}  // namespace candor::passport
