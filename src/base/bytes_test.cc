#include "base/bytes.h"

#include <random>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor {
namespace {

// RFC 4648 section 10.
TEST(BytesTest, Base64MatchesTheVectorsOfRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    const auto decoded = from_base64(encoded);
    ASSERT_OK(decoded);
    EXPECT_EQ(as_text(*decoded), plain);
  }
  EXPECT_EQ(to_hex(as_bytes("foobar")), "666f6f626172");
}

TEST(BytesTest, Base64UrlUsesItsOwnAlphabetWithoutPadding) {
  const Bytes bytes = {std::byte{0xFB}, std::byte{0xEF}, std::byte{0xFF}, std::byte{0xFE}};
  EXPECT_EQ(to_base64(bytes), "++///g==");
  EXPECT_EQ(to_base64url(bytes), "--___g");
  EXPECT_EQ(*from_base64url("--___g"), bytes);
  EXPECT_THAT(from_base64url("--___g=="), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(from_base64url("++///g"), HasCode(Code::kInvalidArgument));
}

TEST(BytesTest, S7_OneValueHasOneSpelling) {
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v",
                                      "Zm9v====", "Zg==Zg==", "Z", "=", "====", "Zm 9", "--__"}) {
    EXPECT_THAT(from_base64(text), HasCode(Code::kInvalidArgument)) << text;
  }
  for (const std::string_view text : {"6", "6F", "0x", "6 ", "zz", "66\n"}) {
    EXPECT_THAT(from_hex(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

TEST(BytesTest, EveryStringThatDecodesEncodesBackToItself) {
  std::mt19937 random(7);
  constexpr std::string_view kAlphabet = "ABYZabyz0189+/=";
  int decoded_count = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    const std::size_t length = random() % 9;
    for (std::size_t k = 0; k < length; ++k) text += kAlphabet[random() % kAlphabet.size()];
    if (const auto bytes = from_base64(text)) {
      ++decoded_count;
      EXPECT_EQ(to_base64(*bytes), text);
    }
    if (const auto bytes = from_base64url(text)) EXPECT_EQ(to_base64url(*bytes), text);
  }
  EXPECT_GT(decoded_count, 1'000);
}

TEST(BytesTest, DigestsHaveThirtyTwoBytes) {
  const std::string hex(64, 'a');
  EXPECT_OK(digest_from_hex(hex));
  EXPECT_THAT(digest_from_hex(hex + "aa"), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(digest_from_hex(std::string(64, 'A')), HasCode(Code::kInvalidArgument));
  EXPECT_OK(digest_from_base64(to_base64(Bytes(32))));
  EXPECT_THAT(digest_from_base64(to_base64(Bytes(33))), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(digest_from_base64(to_base64(Bytes(31))), HasCode(Code::kInvalidArgument));
}

TEST(BytesTest, IntegersAreBigEndian) {
  Bytes out;
  put_u16(out, 0x0102);
  put_u32(out, 0x03040506);
  put_u64(out, 0x0708090A0B0C0D0EU);
  EXPECT_EQ(to_hex(out), "0102030405060708090a0b0c0d0e");
  ByteReader reader(out);
  EXPECT_EQ(*reader.u16(), 0x0102);
  EXPECT_EQ(*reader.u32(), 0x03040506U);
  EXPECT_EQ(*reader.u64(), 0x0708090A0B0C0D0EU);
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(BytesTest, AReaderThatRunsOutHasMovedNothing) {
  const Bytes three(3);
  ByteReader reader(three);
  EXPECT_THAT(reader.u32(), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(reader.u64(), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(reader.bytes(4), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(reader.bytes(static_cast<std::size_t>(-1)), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(reader.digest(), HasCode(Code::kInvalidArgument));
  EXPECT_EQ(reader.remaining(), 3U);
  EXPECT_OK(reader.u16());
  EXPECT_OK(reader.u8());
  EXPECT_THAT(reader.u8(), HasCode(Code::kInvalidArgument));
  EXPECT_OK(reader.bytes(0));
}

}  // namespace
}  // namespace candor
