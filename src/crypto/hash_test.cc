#include "crypto/hash.h"

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::crypto {
namespace {

Bytes unhex(std::string_view text) { return *from_hex(text); }

// FIPS 180-4 examples (NIST "SHA256.pdf").
TEST(HashTest, Sha256MatchesNistExamples) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(to_hex(sha256(ByteView{})),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(HashTest, PartsAndIncrementsEqualTheWhole) {
  const std::string text(1'000'000, 'a');  // NIST's long example
  const std::string_view kExpected =
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  EXPECT_EQ(to_hex(sha256(as_bytes(text))), kExpected);
  const std::string_view all = text;
  EXPECT_EQ(to_hex(sha256({as_bytes(all.substr(0, 63)), {}, as_bytes(all.substr(63))})), kExpected);
  Sha256 incremental;
  for (std::size_t at = 0; at < all.size(); at += 997) {
    incremental.update(as_bytes(all.substr(at, 997)));
  }
  Sha256 moved = std::move(incremental);
  EXPECT_EQ(to_hex(moved.finish()), kExpected);
}

// RFC 4231 sections 4.2 to 4.8.
TEST(HashTest, HmacMatchesRfc4231) {
  struct Case {
    Bytes key;
    Bytes data;
    std::string_view mac;
  };
  const Case cases[] = {
      {Bytes(20, std::byte{0x0b}), to_bytes(as_bytes("Hi There")),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {to_bytes(as_bytes("Jefe")), to_bytes(as_bytes("what do ya want for nothing?")),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Bytes(20, std::byte{0xaa}), Bytes(50, std::byte{0xdd}),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Bytes(50, std::byte{0xcd}),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {Bytes(131, std::byte{0xaa}),
       to_bytes(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {Bytes(131, std::byte{0xaa}),
       to_bytes(as_bytes("This is a test using a larger than block-size key and a larger than "
                         "block-size data. The key needs to be hashed before being used by the "
                         "HMAC algorithm.")),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(to_hex(hmac_sha256(c.key, {c.data})), c.mac);
    const ByteView data = c.data;
    EXPECT_EQ(to_hex(hmac_sha256(c.key, {data.first(5), {}, data.subspan(5)})), c.mac);
  }
}

// RFC 5869 appendix A: the first 32 bytes of the output keying material, from the given PRK.
TEST(HashTest, HkdfExpandMatchesRfc5869) {
  const auto prk1 =
      *digest_from_hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  EXPECT_EQ(to_hex(hkdf_expand32(prk1, as_text(unhex("f0f1f2f3f4f5f6f7f8f9")))),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
  const auto prk3 =
      *digest_from_hex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  EXPECT_EQ(to_hex(hkdf_expand32(prk3, "")),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST(HashTest, ConstantTimeEqualityIsEquality) {
  EXPECT_TRUE(equal_constant_time({}, {}));
  EXPECT_TRUE(equal_constant_time(as_bytes("same"), as_bytes("same")));
  EXPECT_FALSE(equal_constant_time(as_bytes("same"), as_bytes("sama")));
  EXPECT_FALSE(equal_constant_time(as_bytes("same"), as_bytes("same ")));
}

}  // namespace
}  // namespace candor::crypto
