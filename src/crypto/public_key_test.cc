#include "crypto/public_key.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::crypto {
namespace {

// RFC 8410, section 10: one key pair.
constexpr std::string_view kEdPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";
constexpr std::string_view kEdPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";

// RFC 6979, A.2.5: P-256, message "sample", SHA-256; the signature in DER.
constexpr std::string_view kP256Spki =
    "3059301306072a8648ce3d020106082a8648ce3d030107034200"
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
constexpr std::string_view kP256Signature =
    "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";

TEST(VerifyingKeyTest, ReadsAndWritesThePemOfRfc8410) {
  const auto key = VerifyingKey::from_pem(kEdPublic);
  ASSERT_OK(key);
  EXPECT_EQ(key->kind(), KeyKind::kEd25519);
  EXPECT_EQ(key->pem(), kEdPublic);
}

TEST(VerifyingKeyTest, HoldsTheSignatureOfRfc6979) {
  const auto key = VerifyingKey::from_spki(from_hex(kP256Spki).value());
  ASSERT_OK(key);
  EXPECT_EQ(key->kind(), KeyKind::kP256);
  EXPECT_TRUE(key->verify(as_bytes("sample"), from_hex(kP256Signature).value()));
  EXPECT_FALSE(key->verify(as_bytes("Sample"), from_hex(kP256Signature).value()));
  EXPECT_FALSE(key->verify(as_bytes("sample"), {}));
}

TEST(VerifyingKeyTest, WhatIsNoKeyIsRefused) {
  EXPECT_THAT(VerifyingKey::from_pem(""), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(VerifyingKey::from_pem(kEdPrivate), HasCode(Code::kInvalidArgument));
  Bytes spki = from_hex(kP256Spki).value();
  spki.back() ^= std::byte{1};  // off the curve
  EXPECT_THAT(VerifyingKey::from_spki(spki), HasCode(Code::kInvalidArgument));
  spki = from_hex(kP256Spki).value();
  spki.push_back(std::byte{0});
  EXPECT_THAT(VerifyingKey::from_spki(spki), HasCode(Code::kInvalidArgument));
}

TEST(PemSigningKeyTest, SignsAsItsPublicHalfVerifies) {
  const auto key = PemSigningKey::from_pem(Sensitive<std::string>(std::string(kEdPrivate)));
  ASSERT_OK(key);
  EXPECT_EQ(key->public_key().pem(), kEdPublic);
  const auto signature = key->sign(as_bytes("text"));
  ASSERT_OK(signature);
  EXPECT_EQ(signature->size(), 64U);
  EXPECT_TRUE(key->public_key().verify(as_bytes("text"), *signature));
  EXPECT_FALSE(key->public_key().verify(as_bytes("test"), *signature));
}

TEST(PemSigningKeyTest, AnEncryptedKeyIsRefusedWithTheWayOut) {
  const auto key = PemSigningKey::from_pem(Sensitive<std::string>(std::string(
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n")));
  ASSERT_THAT(key, HasCode(Code::kFailedPrecondition));
  EXPECT_NE(key.error().message().find("openssl pkey"), std::string::npos);
}

}  // namespace
}  // namespace candor::crypto
