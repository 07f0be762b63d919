#include "crypto/jws.h"

#include <string>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::crypto {
namespace {

Bytes b64(std::string_view text) { return from_base64url(text).value(); }

// RFC 7515, A.2 and A.3; RFC 8037, A.4.
constexpr std::string_view kRsaModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4"
    "QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
    "bSf63kpaSHSXndS5z5rexMdbB"
    "YUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
    "DWN"
    "moudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr std::string_view kClaims =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
constexpr std::string_view kRsaSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5ju"
    "jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Q"
    "e7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI"
    "8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view kEcX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr std::string_view kEcY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
constexpr std::string_view kEcSignature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
constexpr std::string_view kEdKey = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
constexpr std::string_view kEdSignature =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

struct Known {
  JwsAlgorithm algorithm;
  JwsKey key;
  std::string message;
  Bytes signature;
};

std::vector<Known> known() {
  return {{JwsAlgorithm::kRs256, *JwsKey::rsa(b64(kRsaModulus), b64("AQAB")),
           "eyJhbGciOiJSUzI1NiJ9." + std::string(kClaims), b64(kRsaSignature)},
          {JwsAlgorithm::kEs256, *JwsKey::ec("P-256", b64(kEcX), b64(kEcY)),
           "eyJhbGciOiJFUzI1NiJ9." + std::string(kClaims), b64(kEcSignature)},
          {JwsAlgorithm::kEdDsa, *JwsKey::ed25519(b64(kEdKey)),
           "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc", b64(kEdSignature)}};
}

TEST(JwsTest, C7_the_standards_own_signatures_verify_and_no_changed_byte_does) {
  for (Known& one : known()) {
    EXPECT_TRUE(one.key.verify(one.algorithm, as_bytes(one.message), one.signature));
    for (std::size_t i = 0; i < one.signature.size(); ++i) {
      Bytes changed = one.signature;
      changed[i] ^= std::byte{1};
      EXPECT_FALSE(one.key.verify(one.algorithm, as_bytes(one.message), changed)) << i;
    }
    one.message[3] ^= 1;
    EXPECT_FALSE(one.key.verify(one.algorithm, as_bytes(one.message), one.signature));
  }
}

TEST(JwsTest, C7_a_key_verifies_under_its_own_kind_of_algorithm_alone) {
  for (const Known& one : known()) {
    int fitting = 0;
    for (const char* name : {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
                             "ES512", "EdDSA"}) {
      const JwsAlgorithm algorithm = *jws_algorithm(name);
      fitting += one.key.fits(algorithm) ? 1 : 0;
      EXPECT_EQ(one.key.verify(algorithm, as_bytes(one.message), one.signature),
                algorithm == one.algorithm)
          << name;
    }
    EXPECT_EQ(fitting, one.algorithm == JwsAlgorithm::kRs256 ? 6 : 1);
  }
}

TEST(JwsTest, C7_no_name_asks_for_none_or_for_a_shared_secret) {
  for (const char* name :
       {"none", "None", "HS256", "HS384", "HS512", "rs256", "RS1", "", "ES256K"}) {
    EXPECT_FALSE(jws_algorithm(name)) << name;
  }
}

TEST(JwsTest, C7_weak_and_impossible_keys_are_refused) {
  EXPECT_THAT(JwsKey::rsa(Bytes(128, std::byte{0xff}), b64("AQAB")),
              HasCode(Code::kInvalidArgument));
  EXPECT_THAT(JwsKey::rsa(b64(kRsaModulus), b64("AQ")), HasCode(Code::kInvalidArgument));    // 1
  EXPECT_THAT(JwsKey::rsa(b64(kRsaModulus), b64("AQAA")), HasCode(Code::kInvalidArgument));  // even
  EXPECT_THAT(JwsKey::rsa({}, {}), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(JwsKey::ec("P-256", b64(kEcX), b64(kEcX)), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(JwsKey::ec("P-384", b64(kEcX), b64(kEcY)), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(JwsKey::ec("secp256k1", b64(kEcX), b64(kEcY)), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(JwsKey::ed25519(Bytes(31)), HasCode(Code::kInvalidArgument));
}

}  // namespace
}  // namespace candor::crypto
