// Keys of others in their usual files: SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) and PKCS #8
// (RFC 5958), as PEM (RFC 7468) or DER; from OpenSSL. For signatures that are not ours to define:
// model signatures, certificates, foreign logs. What Candor signs for itself is sign.h.
//
// Each kind of key signs in one way: ECDSA (DER, SEC 1) with SHA-256 on P-256, SHA-384 on P-384 and
// SHA-512 on P-521; RSASSA-PKCS1-v1_5 with SHA-256; Ed25519 (RFC 8032). Pure; thread-safe; hostile
// input is expected. Errors: kInvalidArgument (not such a key), kFailedPrecondition (a key of a
// kind that is not taken; an encrypted private key).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/sensitive.h"

namespace candor::crypto {

enum class KeyKind : std::uint8_t { kP256, kP384, kP521, kRsa, kEd25519 };
[[nodiscard]] std::string_view to_string(KeyKind kind) noexcept;  // "P-256", "RSA", "Ed25519"

class VerifyingKey {
 public:
  // The first PUBLIC KEY of the text; what stands around it is not read.
  [[nodiscard]] static Result<VerifyingKey> from_pem(std::string_view pem);
  // RSA keys have 2,048 to 8,192 bits; points are checked to lie on their curve.
  [[nodiscard]] static Result<VerifyingKey> from_spki(ByteView der);

  [[nodiscard]] KeyKind kind() const noexcept { return kind_; }
  [[nodiscard]] const Bytes& spki() const noexcept { return spki_; }  // DER, as OpenSSL writes it
  [[nodiscard]] std::string pem() const;
  [[nodiscard]] bool verify(ByteView message, ByteView signature) const;
  friend bool operator==(const VerifyingKey& a, const VerifyingKey& b) {
    return a.spki_ == b.spki_;
  }

 private:
  struct Key;
  friend class PemSigningKey;
  VerifyingKey() = default;
  KeyKind kind_{};
  Bytes spki_;
  std::shared_ptr<const Key> key_;
};

// PEM of label (such as "CERTIFICATE") around der, lines of 64 characters.
[[nodiscard]] std::string to_pem(std::string_view label, ByteView der);

class PemSigningKey {
 public:
  // An unencrypted private key on P-256, P-384 or P-521, or Ed25519.
  [[nodiscard]] static Result<PemSigningKey> from_pem(const Sensitive<std::string>& pem);
  [[nodiscard]] const VerifyingKey& public_key() const noexcept { return public_; }
  [[nodiscard]] Result<Bytes> sign(ByteView message) const;

 private:
  PemSigningKey() = default;
  VerifyingKey public_;
  std::shared_ptr<const VerifyingKey::Key> key_;
};

}  // namespace candor::crypto
