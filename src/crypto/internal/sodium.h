// libsodium, initialised. Every use goes through ensure_sodium() first; it is cheap after the
// first.
#pragma once

#include <cstddef>

namespace candor::crypto {

void ensure_sodium();

[[nodiscard]] inline unsigned char* raw(std::byte* p) noexcept {
  return reinterpret_cast<unsigned char*>(p);
}
[[nodiscard]] inline const unsigned char* raw(const std::byte* p) noexcept {
  return reinterpret_cast<const unsigned char*>(p);
}

}  // namespace candor::crypto
