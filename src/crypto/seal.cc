#include "crypto/seal.h"

#include <span>

#include <sodium.h>

#include "base/check.h"
#include "crypto/internal/sodium.h"

namespace candor::crypto {
namespace {

constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(kNonceBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES == kSealOverhead);
static_assert(crypto_box_SEALBYTES == kSealToOverhead);
static_assert(crypto_box_PUBLICKEYBYTES == 32 && crypto_box_SECRETKEYBYTES == 32);

}  // namespace

Bytes seal(const Digest& key, ByteView plain, ByteView associated, Random& random) {
  ensure_sodium();
  Bytes out(plain.size() + kSealOverhead);
  random.fill(std::span(out).first(kNonceBytes));
  CANDOR_CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(
                   raw(out.data() + kNonceBytes), nullptr, raw(plain.data()), plain.size(),
                   raw(associated.data()), associated.size(), nullptr, raw(out.data()),
                   raw(key.data())) == 0);
  return out;
}

Result<Sensitive<Bytes>> open(const Digest& key, ByteView sealed, ByteView associated) {
  ensure_sodium();
  if (sealed.size() < kSealOverhead) {
    return fail(Code::kInvalidArgument, "sealed bytes are shorter than nonce and tag");
  }
  const ByteView nonce = sealed.first(kNonceBytes);
  const ByteView cipher = sealed.subspan(kNonceBytes);
  Sensitive<Bytes> plain(Bytes(sealed.size() - kSealOverhead));
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(
          raw(plain.reveal().data()), nullptr, nullptr, raw(cipher.data()), cipher.size(),
          raw(associated.data()), associated.size(), raw(nonce.data()), raw(key.data())) != 0) {
    return fail(Code::kDataLoss, "sealed bytes do not authenticate under this key");
  }
  return plain;
}

BoxKeyPair make_box_key(Random& random) {
  Sensitive<std::array<std::byte, 32>> secret;
  random.fill(secret.reveal());
  return box_key_from_secret(secret);
}

BoxKeyPair box_key_from_secret(const Sensitive<std::array<std::byte, 32>>& secret) {
  ensure_sodium();
  BoxKeyPair pair;
  pair.secret_key = secret;
  CANDOR_CHECK(crypto_scalarmult_base(raw(pair.public_key.data()), raw(secret.reveal().data())) ==
               0);
  return pair;
}

Bytes seal_to(const std::array<std::byte, 32>& public_key, ByteView plain) {
  ensure_sodium();
  Bytes out(plain.size() + kSealToOverhead);
  CANDOR_CHECK(crypto_box_seal(raw(out.data()), raw(plain.data()), plain.size(),
                               raw(public_key.data())) == 0);
  return out;
}

Result<Sensitive<Bytes>> open_sealed(const BoxKeyPair& key, ByteView sealed) {
  ensure_sodium();
  if (sealed.size() < kSealToOverhead) {
    return fail(Code::kInvalidArgument, "sealed bytes are shorter than key and tag");
  }
  Sensitive<Bytes> plain(Bytes(sealed.size() - kSealToOverhead));
  if (crypto_box_seal_open(raw(plain.reveal().data()), raw(sealed.data()), sealed.size(),
                           raw(key.public_key.data()), raw(key.secret_key.reveal().data())) != 0) {
    return fail(Code::kDataLoss, "sealed bytes do not open with this key");
  }
  return plain;
}

}  // namespace candor::crypto
