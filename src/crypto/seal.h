// Sealing, from libsodium.
//   seal/open            XChaCha20-Poly1305 (IETF draft-irtf-cfrg-xchacha), 24-byte random nonce
//   put
//                        before the ciphertext: nonce || ciphertext || 16-byte tag.
//   seal_to/open_sealed  anonymous public-key sealing (crypto_box_seal: X25519, XSalsa20-Poly1305);
//                        about 67 us, so only for epoch keys, never per request (S3).
// AEADs are not key-committing: readers recheck a field's commitment after opening (S2).
// open fails with kDataLoss when the bytes do not authenticate, kInvalidArgument when too short.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/sensitive.h"

namespace candor::crypto {

inline constexpr std::size_t kSealOverhead = 24 + 16;  // bytes added by seal
inline constexpr std::size_t kSealToOverhead = 48;     // bytes added by seal_to

[[nodiscard]] Bytes seal(const Digest& key, ByteView plain, ByteView associated, Random& random);
[[nodiscard]] Result<Sensitive<Bytes>> open(const Digest& key, ByteView sealed,
                                            ByteView associated);

struct BoxKeyPair {
  std::array<std::byte, 32> public_key{};
  Sensitive<std::array<std::byte, 32>> secret_key;
};
[[nodiscard]] BoxKeyPair make_box_key(Random& random);
// The public half that belongs to a stored secret half.
[[nodiscard]] BoxKeyPair box_key_from_secret(const Sensitive<std::array<std::byte, 32>>& secret);
[[nodiscard]] Bytes seal_to(const std::array<std::byte, 32>& public_key, ByteView plain);
[[nodiscard]] Result<Sensitive<Bytes>> open_sealed(const BoxKeyPair& key, ByteView sealed);

// Argon2id with libsodium's interactive limits is not used: API keys are 256 random bits, so their
// stored form is a plain SHA-256 (docs/formats/api-keys.md).

}  // namespace candor::crypto
