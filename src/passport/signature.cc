#include "passport/signature.h"

#include <algorithm>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "passport/internal/fields.h"

namespace candor::passport {
namespace {

std::unexpected<Error> other_key() {
  return fail(Code::kPermissionDenied,
              "signed with another key than the one given; ask the signer for theirs");
}

Result<void> check_method(const Bundle& bundle, Bundle::Method wanted, std::string_view how) {
  if (bundle.method == wanted) return {};
  return fail(Code::kFailedPrecondition,
              fmt::format("the bundle is signed by {}: {}", to_string(bundle.method), how));
}

bool is_pem_hint(std::string_view hint) { return digest_from_hex(hint).has_value(); }

}  // namespace

std::string key_hint(const crypto::VerifyingKey& key) {
  return to_hex(crypto::sha256(as_bytes(key.pem())));
}

Result<void> verify_envelope(const Envelope& envelope, const crypto::VerifyingKey& key) {
  if (key.verify(pre_authentication(envelope.payload_type, envelope.payload), envelope.signature)) {
    return {};
  }
  return fail(Code::kDataLoss,
              "the signature is not that of the statement: one of them was changed, or another key "
              "made it");
}

Result<Signer> verify_with_key(const Bundle& bundle, const crypto::VerifyingKey& key) {
  TRY(check_method(bundle, Bundle::Method::kKey,
                   "give --certificate-roots, or --trusted-root with --identity and --issuer"));
  if (key.kind() == crypto::KeyKind::kRsa) {
    return fail(Code::kFailedPrecondition,
                "RSA keys sign no models: P-256, P-384, P-521 and Ed25519 do");
  }
  if (is_pem_hint(bundle.key_hint) && bundle.key_hint != key_hint(key)) return other_key();
  if (!bundle.key_pem.empty()) {
    auto named = crypto::VerifyingKey::from_pem(as_text(bundle.key_pem));
    if (!named) return std::unexpected(std::move(named).error().with_context("rawBytes"));
    if (!(*named == key)) return other_key();
  }
  TRY(verify_envelope(bundle.envelope, key));
  return Signer{
      .method = bundle.method, .key = key.kind(), .key_digest = crypto::sha256(key.spki())};
}

Result<Signer> verify_with_roots(const Bundle& bundle, std::span<const crypto::Certificate> roots,
                                 std::int64_t at_s) {
  TRY(check_method(bundle, Bundle::Method::kCertificate,
                   bundle.method == Bundle::Method::kKey
                       ? "give --key"
                       : "give --trusted-root with --identity and --issuer"));
  std::vector<crypto::Certificate> chain;
  for (const Bytes& der : bundle.certificates) {
    chain.push_back(TRY(crypto::Certificate::from_der(der)));
  }
  const crypto::Certificate& leaf = chain.front();
  const auto path = TRY(crypto::verify_chain(leaf, std::span(chain).subspan(1), roots, at_s));
  if (!leaf.for_digital_signature() && !leaf.for_code_signing()) {
    return fail(Code::kPermissionDenied, "the certificate is not for signing");
  }
  const crypto::VerifyingKey key = TRY(leaf.key());
  if (key.kind() == crypto::KeyKind::kRsa) {
    return fail(Code::kFailedPrecondition,
                "RSA keys sign no models: P-256, P-384, P-521 and Ed25519 do");
  }
  TRY(verify_envelope(bundle.envelope, key));
  return Signer{.method = bundle.method,
                .key = key.kind(),
                .key_digest = crypto::sha256(key.spki()),
                .subject = leaf.subject(),
                .root = path.back().subject()};
}

Result<Bundle> sign_payload(std::string_view payload, const crypto::PemSigningKey& key,
                            std::span<const crypto::Certificate> chain) {
  Bundle out;
  if (chain.empty()) {
    out.key_hint = key_hint(key.public_key());
  } else {
    const crypto::VerifyingKey certified = TRY(chain.front().key());
    if (!(certified == key.public_key())) {
      return fail(Code::kInvalidArgument, "the certificate is for another key than the one given");
    }
    out.method = Bundle::Method::kCertificate;
    for (const crypto::Certificate& one : chain) out.certificates.push_back(one.der());
  }
  out.envelope.payload_type = kPayloadType;
  out.envelope.payload = to_bytes(as_bytes(payload));
  out.envelope.signature =
      TRY(key.sign(pre_authentication(out.envelope.payload_type, out.envelope.payload)));
  return out;
}

}  // namespace candor::passport
