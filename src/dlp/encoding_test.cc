#include "dlp/encoding.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace candor::dlp {
namespace {

Opened opened(std::string_view text) {
  Opened out;
  open_encodings(text, {}, out);
  return out;
}

const Region* holding(const Opened& all, Layer layer, std::string_view decoded) {
  const auto region = std::ranges::find_if(all.regions, [&](const Region& one) {
    return one.layer == layer && one.decoded.contains(decoded);
  });
  return region == all.regions.end() ? nullptr : &*region;
}

TEST(EncodingTest, EachDecodedByteLeadsBackToTheCharactersThatHoldIt) {
  const std::string secret = "the quick brown fox";
  const std::string text = "## " + to_base64(as_bytes(secret)) + " ##";
  const Opened all = opened(text);
  const Region* region = holding(all, Layer::kBase64, secret);
  ASSERT_NE(region, nullptr);
  const std::size_t at = region->decoded.find("quick");
  EXPECT_EQ(at, 4U);
  // Byte 4 has bits of characters 5 and 6 of the encoding, which begins at 3.
  EXPECT_EQ(region->from[at], 3U + 5U);
  EXPECT_EQ(region->to[at], 3U + 7U);
  ASSERT_EQ(region->from.size(), region->decoded.size());
  ASSERT_EQ(region->to.size(), region->decoded.size());
}

TEST(EncodingTest, BothAlphabetsOfBase64AndAnyAlignment) {
  const std::string text = "~~~ text with odd bytes >>> ??? end of it";
  for (const std::string& encoded : {to_base64(as_bytes(text)), to_base64url(as_bytes(text))}) {
    for (const std::string_view before : {"", "x", "xy", "xyz", "path/"}) {
      const std::string whole = std::string(before) + encoded;
      const Opened all = opened(whole);
      EXPECT_NE(holding(all, Layer::kBase64, text), nullptr) << whole;
    }
  }
}

TEST(EncodingTest, HexMayBeWrittenInPairs) {
  EXPECT_NE(holding(opened("6a6f686e406578616d706c652e636f6d"), Layer::kHex, "john@example.com"),
            nullptr);
  EXPECT_NE(holding(opened("6A 6F 68 6E 40 65 78 61 6D 70 6C 65 2E 63 6F 6D"), Layer::kHex,
                    "john@example.com"),
            nullptr);
  EXPECT_NE(holding(opened("6a:6f:68:6e:40:65:78:61:6d:70:6c:65:2e:63:6f:6d"), Layer::kHex,
                    "john@example.com"),
            nullptr);
}

TEST(EncodingTest, EscapesOfJsonSourceHtmlAndUrls) {
  EXPECT_NE(
      holding(opened(R"(a\u0040b\x2ec\u{1F600}\"d)"), Layer::kEscapes, "a@b.c\xF0\x9F\x98\x80\"d"),
      nullptr);
  EXPECT_NE(holding(opened(R"(\ud83d\ude00\/x)"), Layer::kEscapes, "\xF0\x9F\x98\x80/x"), nullptr);
  EXPECT_NE(holding(opened("a&#64;b&period;c&#x2d;d&amp;e"), Layer::kHtml, "a@b.c-d&e"), nullptr);
  EXPECT_NE(holding(opened("a%40b%2Ec+d"), Layer::kPercent, "a@b.c d"), nullptr);
}

TEST(EncodingTest, WhatIsNotEncodedOpensNothing) {
  for (const std::string_view text : {"An ordinary sentence, with words and 12 numbers 3456.",
                                      "a line\\nand another", "100 % & more", "AT&T %ZZ \\q"}) {
    const Opened all = opened(text);
    EXPECT_TRUE(all.regions.empty()) << text;
    EXPECT_TRUE(all.opaque.empty()) << text;
  }
}

TEST(EncodingTest, LongRunsAreOpenedInOverlappingPieces) {
  std::string text;
  while (text.size() < 200000) text += "line of text number " + std::to_string(text.size()) + "\n";
  text.replace(100000, 16, "john@example.com");
  const Opened all = opened(to_base64(as_bytes(text)));
  EXPECT_NE(holding(all, Layer::kBase64, "john@example.com"), nullptr);
  for (const Region& region : all.regions) EXPECT_LE(region.decoded.size(), 49152U);
  EXPECT_TRUE(all.opaque.empty());
}

}  // namespace
}  // namespace candor::dlp
