// SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869), from OpenSSL's
// libcrypto by its low-level calls: no provider fetch on the hot path (about 0.2 us for 64 bytes).
// Pure; thread-safe.
#pragma once

#include <initializer_list>
#include <memory>

#include "base/bytes.h"

namespace candor::crypto {

[[nodiscard]] Digest sha256(ByteView data);
[[nodiscard]] Digest sha256(std::initializer_list<ByteView> parts);  // of the concatenation

class Sha256 {  // incremental; finish() once
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(ByteView data);
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> parts);
// HKDF-Expand with a 32-byte output: HMAC(key, info || 0x01). The keys here are uniformly random
// 32-byte values, so the extract step is not needed (RFC 5869 section 3.3).
[[nodiscard]] Digest hkdf_expand32(const Digest& key, std::string_view info);

// In time that does not depend on where they differ. Unequal sizes are unequal.
[[nodiscard]] bool equal_constant_time(ByteView a, ByteView b) noexcept;

}  // namespace candor::crypto
