#include "crypto/sign.h"

#include <sodium.h>

#include "base/check.h"
#include "crypto/internal/sodium.h"

namespace candor::crypto {

static_assert(crypto_sign_PUBLICKEYBYTES == std::tuple_size_v<PublicKey>);
static_assert(crypto_sign_BYTES == std::tuple_size_v<Signature>);
static_assert(crypto_sign_SECRETKEYBYTES == 64 && crypto_sign_SEEDBYTES == 32);

SigningKey SigningKey::generate(Random& random) {
  Sensitive<Digest> seed;
  random.fill(seed.reveal());
  return from_seed(seed);
}

SigningKey SigningKey::from_seed(const Sensitive<Digest>& seed) {
  ensure_sodium();
  SigningKey key;
  CANDOR_CHECK(crypto_sign_seed_keypair(raw(key.public_.data()), raw(key.secret_.reveal().data()),
                                        raw(seed.reveal().data())) == 0);
  return key;
}

Sensitive<Digest> SigningKey::seed() const {
  ensure_sodium();
  Sensitive<Digest> seed;
  CANDOR_CHECK(
      crypto_sign_ed25519_sk_to_seed(raw(seed.reveal().data()), raw(secret_.reveal().data())) == 0);
  return seed;
}

Signature SigningKey::sign(ByteView message) const {
  ensure_sodium();
  Signature signature;
  CANDOR_CHECK(crypto_sign_detached(raw(signature.data()), nullptr, raw(message.data()),
                                    message.size(), raw(secret_.reveal().data())) == 0);
  return signature;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
  ensure_sodium();
  return crypto_sign_verify_detached(raw(signature.data()), raw(message.data()), message.size(),
                                     raw(key.data())) == 0;
}

}  // namespace candor::crypto
