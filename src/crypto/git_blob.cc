#include "crypto/git_blob.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "base/check.h"

namespace candor::crypto {

struct GitBlobId::State {
  SHA_CTX context;
};

GitBlobId::GitBlobId(std::uint64_t size) : state_(std::make_unique<State>()) {
  CANDOR_CHECK(SHA1_Init(&state_->context) == 1);
  const std::string head = "blob " + std::to_string(size);
  update(std::as_bytes(std::span(head.c_str(), head.size() + 1)));  // with its final zero
}

GitBlobId::~GitBlobId() = default;

void GitBlobId::update(ByteView data) {
  CANDOR_CHECK(SHA1_Update(&state_->context, data.data(), data.size()) == 1);
}

std::string GitBlobId::finish() {
  std::array<std::byte, SHA_DIGEST_LENGTH> digest{};
  CANDOR_CHECK(SHA1_Final(reinterpret_cast<unsigned char*>(digest.data()), &state_->context) == 1);
  return to_hex(digest);
}

}  // namespace candor::crypto
