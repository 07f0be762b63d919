// Wallets of cryptocurrencies: base58check (Bitcoin and its kin), bech32 and bech32m (BIP 173, BIP
// 350), EIP-55.
#include <algorithm>
#include <array>
#include <bit>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "dlp/validators.h"

namespace candor::dlp {
namespace {

// The 25 bytes of an address: version, hash, checksum. False where it is not that long.
bool from_base58(std::string_view text, std::string_view alphabet, std::array<std::byte, 25>& out) {
  std::array<unsigned, 25> bytes{};
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return false;
    auto carry = static_cast<unsigned>(value);
    for (std::size_t i = bytes.size(); i-- > 0;) {
      carry += bytes[i] * 58;
      bytes[i] = carry & 0xFFU;
      carry >>= 8U;
    }
    if (carry != 0) return false;
  }
  std::ranges::transform(bytes, out.begin(), [](unsigned b) { return static_cast<std::byte>(b); });
  return true;
}

std::size_t base58_address(std::string_view value, std::string_view alphabet) {
  std::array<std::byte, 25> bytes{};
  if (!from_base58(value, alphabet, bytes)) return 0;
  const Digest digest = crypto::sha256(crypto::sha256(std::span(bytes).first(21)));
  return std::ranges::equal(std::span(digest).first(4), std::span(bytes).last(4)) ? value.size()
                                                                                  : 0;
}

std::size_t base58check(std::string_view value) {
  return base58_address(value, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");
}
std::size_t base58check_ripple(std::string_view value) {
  return base58_address(value, "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz");
}

std::size_t bech32(std::string_view value) {
  std::string text(value);
  const bool upper = std::ranges::none_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') {
      if (!upper) return 0;
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  const std::size_t one = text.rfind('1');
  if (one == std::string::npos || one == 0 || text.size() - one < 7 || text.size() > 90) return 0;
  constexpr std::string_view kAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  static constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                              0x3d4233dd, 0x2a1462b3};
  std::uint32_t check = 1;
  const auto feed = [&check](std::uint32_t five) {
    const std::uint32_t top = check >> 25U;
    check = ((check & 0x1FFFFFFU) << 5U) ^ five;
    for (std::size_t i = 0; i < 5; ++i) {
      if ((top >> i & 1U) != 0) check ^= kGenerator[i];
    }
  };
  for (const char c : text.substr(0, one)) feed(static_cast<std::uint32_t>(c) >> 5U);
  feed(0);
  for (const char c : text.substr(0, one)) feed(static_cast<std::uint32_t>(c) & 31U);
  for (const char c : text.substr(one + 1)) {
    const std::size_t five = kAlphabet.find(c);
    if (five == std::string_view::npos) return 0;
    feed(static_cast<std::uint32_t>(five));
  }
  return check == 1 || check == 0x2bc830a3 ? value.size() : 0;
}

// Keccak-256 as Ethereum uses it (padding 0x01, not SHA-3's 0x06), of one block's worth of bytes.
std::array<unsigned char, 32> keccak256(std::string_view data) {
  constexpr std::array<std::uint64_t, 24> kRounds = {
      0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
      0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
      0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
      0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
      0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
      0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
  constexpr std::array<int, 24> kTurns = {1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                          27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};
  constexpr std::array<std::size_t, 24> kLanes = {10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                                  15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
  std::array<unsigned char, 136> block{};
  std::ranges::copy(data, block.begin());
  block[data.size()] = 0x01;
  block[135] |= 0x80;
  std::array<std::uint64_t, 25> lanes{};
  for (std::size_t i = 0; i < block.size(); ++i) {
    lanes[i / 8] ^= static_cast<std::uint64_t>(block[i]) << (8 * (i % 8));
  }
  for (const std::uint64_t round : kRounds) {
    std::array<std::uint64_t, 5> parity{};
    for (std::size_t i = 0; i < 25; ++i) parity[i % 5] ^= lanes[i];
    for (std::size_t i = 0; i < 25; ++i) {
      lanes[i] ^= parity[(i + 4) % 5] ^ std::rotl(parity[(i + 1) % 5], 1);
    }
    std::uint64_t moving = lanes[1];
    for (std::size_t i = 0; i < 24; ++i) {
      const std::uint64_t next = lanes[kLanes[i]];
      lanes[kLanes[i]] = std::rotl(moving, kTurns[i]);
      moving = next;
    }
    for (std::size_t row = 0; row < 25; row += 5) {
      const std::array<std::uint64_t, 5> old = {lanes[row], lanes[row + 1], lanes[row + 2],
                                                lanes[row + 3], lanes[row + 4]};
      for (std::size_t i = 0; i < 5; ++i) {
        lanes[row + i] = old[i] ^ (~old[(i + 1) % 5] & old[(i + 2) % 5]);
      }
    }
    lanes[0] ^= round;
  }
  std::array<unsigned char, 32> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<unsigned char>(lanes[i / 8] >> (8 * (i % 8)));
  }
  return out;
}

// EIP-55: the case of the letters is a checksum; an address in one case has none.
std::size_t eip55(std::string_view value) {
  if (value.size() != 42) return 0;
  const std::string_view digits = value.substr(2);
  std::string small(digits);
  bool upper = false;
  bool lower = false;
  for (char& c : small) {
    if (c >= 'A' && c <= 'F') {
      upper = true;
      c = static_cast<char>(c - 'A' + 'a');
    } else if (c >= 'a') {
      lower = true;
    }
  }
  if (!upper || !lower) {
    // All zeros and its like are no addresses but placeholders.
    return std::ranges::count(small, small[0]) > 30 ? 0 : value.size();
  }
  const auto hash = keccak256(small);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool is_upper = digits[i] >= 'A' && digits[i] <= 'F';
    const bool is_lower = digits[i] >= 'a';
    const bool wants_upper = (hash[i / 2] >> (i % 2 == 0 ? 4U : 0U) & 15U) >= 8;
    if ((is_upper && !wants_upper) || (is_lower && wants_upper)) return 0;
  }
  return value.size();
}

constexpr std::array<NamedValidator, 4> kTable = {{{"base58check", base58check},
                                                   {"base58check_ripple", base58check_ripple},
                                                   {"bech32", bech32},
                                                   {"eip55", eip55}}};

}  // namespace

std::span<const NamedValidator> wallet_validators() { return kTable; }

}  // namespace candor::dlp
