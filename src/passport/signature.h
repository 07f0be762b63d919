// Who signed an envelope: by a key or by a certificate (docs/formats/model-signature.md); by an
// identity: sigstore.h. And signing with a key of the user's. Pure; hostile input is expected in
// the bundle.
//
// Errors: kInvalidArgument (malformed), kFailedPrecondition (another method, a kind of key that is
// not taken), kDataLoss (the signature is not that of these bytes), kPermissionDenied (signed, but
// by another key, or by a certificate that does not hold).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/certificate.h"
#include "crypto/public_key.h"
#include "passport/bundle.h"

namespace candor::passport {

struct Signer {
  Bundle::Method method = Bundle::Method::kKey;
  crypto::KeyKind key = crypto::KeyKind::kP256;
  Digest key_digest{};                  // SHA-256 of its SubjectPublicKeyInfo
  std::string subject{}, root{};        // of a certificate and of its root; foreign text
  std::string identity{}, issuer{};     // sigstore
  std::vector<std::int64_t> times_s{};  // trusted times of signing; none without sigstore
};

[[nodiscard]] Result<Signer> verify_with_key(const Bundle& bundle, const crypto::VerifyingKey& key);
// at_s: the time at which the chain must hold (nothing in such a bundle says when it was signed).
[[nodiscard]] Result<Signer> verify_with_roots(const Bundle& bundle,
                                               std::span<const crypto::Certificate> roots,
                                               std::int64_t at_s);

// The envelope's signature alone. kDataLoss.
[[nodiscard]] Result<void> verify_envelope(const Envelope& envelope,
                                           const crypto::VerifyingKey& key);

// The hint that the reference implementation writes: SHA-256 of the key's PEM, in hex.
[[nodiscard]] std::string key_hint(const crypto::VerifyingKey& key);

// chain: the signer's certificate first; empty: by key. kInvalidArgument: the certificate is for
// another key.
[[nodiscard]] Result<Bundle> sign_payload(std::string_view payload,
                                          const crypto::PemSigningKey& key,
                                          std::span<const crypto::Certificate> chain);

}  // namespace candor::passport
