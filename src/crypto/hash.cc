#include "crypto/hash.h"

// The low-level SHA256_* calls are deprecated in OpenSSL 3 in favour of EVP, whose context set-up
// costs more than hashing a tree node (crypto/README.md has the figures).
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/check.h"
#include "base/sensitive.h"

namespace candor::crypto {
namespace {

constexpr std::size_t kBlockBytes = 64;

void init(SHA256_CTX& context) { CANDOR_CHECK(SHA256_Init(&context) == 1); }

void update(SHA256_CTX& context, ByteView data) {
  CANDOR_CHECK(SHA256_Update(&context, data.data(), data.size()) == 1);
}

Digest finish(SHA256_CTX& context) {
  Digest digest;
  CANDOR_CHECK(SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &context) == 1);
  return digest;
}

}  // namespace

Digest sha256(ByteView data) {
  SHA256_CTX context;
  init(context);
  update(context, data);
  return finish(context);
}

Digest sha256(std::initializer_list<ByteView> parts) {
  SHA256_CTX context;
  init(context);
  for (const ByteView part : parts) update(context, part);
  return finish(context);
}

struct Sha256::State {
  SHA256_CTX context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { init(state_->context); }
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(ByteView data) { crypto::update(state_->context, data); }
Digest Sha256::finish() { return crypto::finish(state_->context); }

Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> parts) {
  std::array<std::byte, kBlockBytes> block{};
  if (key.size() > kBlockBytes) {
    const Digest short_key = sha256(key);
    std::copy(short_key.begin(), short_key.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  for (std::byte& b : block) b ^= std::byte{0x36};
  SHA256_CTX context;
  init(context);
  crypto::update(context, block);
  for (const ByteView part : parts) crypto::update(context, part);
  const Digest inner = crypto::finish(context);
  for (std::byte& b : block) b ^= std::byte{0x36 ^ 0x5C};
  init(context);
  crypto::update(context, block);
  crypto::update(context, inner);
  const Digest outer = crypto::finish(context);
  wipe(block.data(), block.size());
  wipe(&context, sizeof(context));
  return outer;
}

Digest hkdf_expand32(const Digest& key, std::string_view info) {
  constexpr std::byte kFirstBlock{0x01};
  return hmac_sha256(key, {as_bytes(info), ByteView(&kFirstBlock, 1)});
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace candor::crypto
