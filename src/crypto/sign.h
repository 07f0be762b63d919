// Ed25519 (RFC 8032), from libsodium. Verification refuses small-order and non-canonical points.
// Pure; thread-safe.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/sensitive.h"

namespace candor::crypto {

using PublicKey = std::array<std::byte, 32>;
using Signature = std::array<std::byte, 64>;

class SigningKey {
 public:
  [[nodiscard]] static SigningKey generate(Random& random);
  [[nodiscard]] static SigningKey from_seed(const Sensitive<Digest>& seed);
  [[nodiscard]] Sensitive<Digest> seed() const;
  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] Signature sign(ByteView message) const;

 private:
  SigningKey() = default;
  Sensitive<std::array<std::byte, 64>> secret_;
  PublicKey public_{};
};

[[nodiscard]] bool verify(const PublicKey& key, ByteView message, const Signature& signature);

}  // namespace candor::crypto
