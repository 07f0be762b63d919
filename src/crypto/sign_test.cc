#include "crypto/sign.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::crypto {
namespace {

template <typename Array>
Array array_of(std::string_view hex) {
  Array out{};
  const Bytes bytes = *from_hex(hex);
  EXPECT_EQ(bytes.size(), out.size());
  std::ranges::copy(bytes, out.begin());
  return out;
}

struct Vector {
  std::string_view seed, public_key, message, signature;
};

// RFC 8032 section 7.1, TEST 1, 2, 3 and SHA(abc).
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fee"
     "bbd"
     "454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e"
     "030"
     "3dca179c138ac17ad9bef1177331a704"},
};

TEST(SignTest, MatchesRfc8032) {
  for (const Vector& v : kVectors) {
    const auto key = SigningKey::from_seed(Sensitive<Digest>(*digest_from_hex(v.seed)));
    EXPECT_EQ(to_hex(key.public_key()), v.public_key);
    EXPECT_EQ(to_hex(key.seed().reveal()), v.seed);
    const Bytes message = *from_hex(v.message);
    const Signature signature = key.sign(message);
    EXPECT_EQ(to_hex(signature), v.signature);
    EXPECT_TRUE(verify(key.public_key(), message, signature));
  }
}

TEST(SignTest, EveryChangedBitIsNoticed) {
  const auto key = SigningKey::generate(system_random());
  Bytes message = to_bytes(as_bytes("a tree head"));
  Signature signature = key.sign(message);
  PublicKey public_key = key.public_key();
  const auto refuses_each_bit = [&](std::span<std::byte> bytes) {
    for (std::byte& b : bytes) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        b ^= std::byte{1} << bit;
        EXPECT_FALSE(verify(public_key, message, signature));
        b ^= std::byte{1} << bit;
      }
    }
  };
  refuses_each_bit(message);
  refuses_each_bit(signature);
  refuses_each_bit(public_key);
  EXPECT_TRUE(verify(public_key, message, signature));
}

// With the neutral element as key, R = S*B verifies for every message in lax implementations.
TEST(SignTest, SmallOrderKeysAreRefused) {
  const auto neutral =
      array_of<PublicKey>("0100000000000000000000000000000000000000000000000000000000000000");
  Signature signature{};
  signature[0] = std::byte{1};
  EXPECT_FALSE(verify(neutral, as_bytes("anything"), signature));
  const auto order_eight =
      array_of<PublicKey>("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
  EXPECT_FALSE(verify(order_eight, as_bytes("anything"), signature));
}

// S + L is the same point equation; RFC 8032 section 5.1.7 demands S < L.
TEST(SignTest, ASignatureHasOneForm) {
  const auto key = SigningKey::generate(system_random());
  Signature signature = key.sign(as_bytes("m"));
  const auto order = *from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += std::to_integer<unsigned>(signature[32 + i]) + std::to_integer<unsigned>(order[i]);
    signature[32 + i] = static_cast<std::byte>(carry & 0xFFU);
    carry >>= 8U;
  }
  EXPECT_FALSE(verify(key.public_key(), as_bytes("m"), signature));
}

}  // namespace
}  // namespace candor::crypto
