#include "base/text.h"

#include <array>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor {
namespace {

TEST(TextTest, DecimalsHaveOneSpelling) {
  EXPECT_EQ(*parse_decimal("0"), 0U);
  EXPECT_EQ(*parse_decimal("18446744073709551615"), 18'446'744'073'709'551'615U);
  for (const std::string_view text :
       {"", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "18446744073709551616",
        "99999999999999999999", "184467440737095516150", "١"}) {
    EXPECT_THAT(parse_decimal(text), HasCode(Code::kInvalidArgument)) << text;
  }
}

TEST(TextTest, Utf8RefusesOverlongSurrogatesAndBeyond) {
  for (const std::string_view text : {"", "ascii", "é", "漢字", "😀", "\x7F", "\xEF\xBF\xBF",
                                      "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\xEE\x80\x80"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const std::string_view text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE6\xBC", "\xF0\x9F\x98", "12345678\xC3",
        "aaaaaaaaaaaaaaa\xFFzzzz"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

// The obvious version: every code point's encoding is accepted, and nothing else of its length.
TEST(TextTest, Utf8AgreesWithEncodingEveryCodePoint) {
  std::size_t accepted = 0;
  std::array<char, 3> bytes{};
  for (unsigned n = 0; n < 1U << 24U; n += 1) {
    if ((n >> 16U) < 0xE0 || (n >> 16U) > 0xEF) continue;
    bytes = {static_cast<char>(n >> 16U), static_cast<char>(n >> 8U), static_cast<char>(n)};
    accepted += utf8_sequence({bytes.data(), 3}) == 3 ? 1 : 0;
  }
  EXPECT_EQ(accepted, 0x10000U - 0x800U - 0x800U);  // U+0800 to U+FFFF without surrogates
}

TEST(TextTest, S19_WhatATerminalWouldObeyIsReplaced) {
  EXPECT_EQ(strip_controls("plain\ttext\n漢"), "plain\ttext\n漢");
  EXPECT_EQ(strip_controls("\x1B[31mred"), "\uFFFD[31mred");
  EXPECT_EQ(strip_controls("a\rb\x7F\b"), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(strip_controls("\xC2\x9B"
                           "31m"),
            "\uFFFD31m");  // C1 control sequence introducer
  EXPECT_EQ(strip_controls("\u202Eabc\u2066\u200F"), "\uFFFDabc\uFFFD\uFFFD");
  EXPECT_EQ(strip_controls("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(strip_controls(std::string_view("\0", 1)), "\uFFFD");
}

TEST(TextTest, ATypingErrorFindsItsName) {
  constexpr std::array<std::string_view, 4> kNames = {"listen", "ledger", "limits", "log"};
  EXPECT_EQ(nearest_name("lsiten", kNames), "listen");
  EXPECT_EQ(nearest_name("leger", kNames), "ledger");
  EXPECT_EQ(nearest_name("lgo", kNames), "log");
  EXPECT_EQ(nearest_name("temperature", kNames), "");
  EXPECT_EQ(nearest_name("", kNames), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'l'), kNames), "");
}

}  // namespace
}  // namespace candor
