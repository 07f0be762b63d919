// SipHash-2-4 with 64 bits of output (Aumasson, Bernstein, "SipHash: a fast short-input PRF",
// 2012), from libsodium: a keyed fingerprint of a short text, tens of nanoseconds. No digest:
// whoever has the key can try guesses, and 64 bits collide by design among billions of texts.
// Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace candor::crypto {

using ShortKey = std::array<std::byte, 16>;

[[nodiscard]] std::uint64_t short_hash(const ShortKey& key, std::string_view text);

}  // namespace candor::crypto
