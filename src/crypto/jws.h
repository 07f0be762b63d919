// Signatures as JSON Web Signature names them (RFC 7518 section 3, RFC 8037), from OpenSSL: public
// keys of others, for verification only. Symmetric algorithms and "none" have no name here, so none
// can be asked for. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::crypto {

enum class JwsAlgorithm : std::uint8_t {
  kRs256,
  kRs384,
  kRs512,  // RSASSA-PKCS1-v1_5
  kPs256,
  kPs384,
  kPs512,  // RSASSA-PSS, salt as long as the hash
  kEs256,
  kEs384,
  kEs512,  // ECDSA on P-256, P-384, P-521
  kEdDsa,  // Ed25519
};
// "RS256", ...; nullopt for every other text.
[[nodiscard]] std::optional<JwsAlgorithm> jws_algorithm(std::string_view name) noexcept;

class JwsKey {
 public:
  // Big-endian numbers; 2,048 to 8,192 bits, an odd exponent of 3 to 2^32-1. kInvalidArgument.
  [[nodiscard]] static Result<JwsKey> rsa(ByteView modulus, ByteView exponent);
  // curve: "P-256", "P-384" or "P-521"; coordinates of its full length, of a point on it.
  [[nodiscard]] static Result<JwsKey> ec(std::string_view curve, ByteView x, ByteView y);
  [[nodiscard]] static Result<JwsKey> ed25519(ByteView key);

  // Whether this kind of key (and curve) is the algorithm's; others never verify.
  [[nodiscard]] bool fits(JwsAlgorithm algorithm) const noexcept;
  [[nodiscard]] bool verify(JwsAlgorithm algorithm, ByteView message, ByteView signature) const;

 private:
  struct Key;
  enum class Kind : std::uint8_t { kRsa, kP256, kP384, kP521, kEd25519 };
  JwsKey(Kind kind, std::shared_ptr<const Key> key) : kind_(kind), key_(std::move(key)) {}
  Kind kind_;
  std::shared_ptr<const Key> key_;
};

}  // namespace candor::crypto
