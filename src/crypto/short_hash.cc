#include "crypto/short_hash.h"

#include <bit>
#include <cstring>

#include <sodium.h>

#include "base/bytes.h"
#include "base/check.h"

namespace candor::crypto {

static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<ShortKey> &&
              crypto_shorthash_BYTES == sizeof(std::uint64_t));

std::uint64_t short_hash(const ShortKey& key, std::string_view text) {
  std::array<unsigned char, sizeof(std::uint64_t)> out{};
  // It cannot fail, and needs no sodium_init.
  CANDOR_CHECK(crypto_shorthash(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                text.size(),
                                reinterpret_cast<const unsigned char*>(key.data())) == 0);
  static_assert(std::endian::native == std::endian::little);
  return std::bit_cast<std::uint64_t>(out);
}

}  // namespace candor::crypto
