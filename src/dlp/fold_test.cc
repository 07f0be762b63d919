#include "dlp/fold.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "dlp/detector.h"

namespace candor::dlp {
namespace {

std::string utf8(char32_t point) {
  std::string out;
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0U | point >> 6U);
    out += static_cast<char>(0x80U | (point & 0x3FU));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0U | point >> 12U);
    out += static_cast<char>(0x80U | (point >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | point >> 18U);
    out += static_cast<char>(0x80U | (point >> 12U & 0x3FU));
    out += static_cast<char>(0x80U | (point >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  }
  return out;
}

TEST(FoldTest, AsciiIsKeptAndNotCopied) {
  const std::string text = "plain text, 123 \n\t\x7F";
  FoldedText folded;
  folded.fold(text);
  EXPECT_EQ(folded.text().data(), text.data());
  EXPECT_EQ(folded.original(3, 8), (std::pair<std::size_t, std::size_t>{3, 8}));
}

TEST(FoldTest, FormsOfTheSameTextAreTheSame) {
  EXPECT_EQ(fold("ＡＢＣ１２３＠"), "ABC123@");               // full width
  EXPECT_EQ(fold("𝟜𝟙𝟙𝟙"), "4111");                            // mathematical digits
  EXPECT_EQ(fold("٤١١١"), "4111");                            // Arabic-Indic
  EXPECT_EQ(fold("۴۱۱۱"), "4111");                            // Persian
  EXPECT_EQ(fold("४१११"), "4111");                            // Devanagari
  EXPECT_EQ(fold("раѕѕwоrd"), "password");                    // Cyrillic look-alikes
  EXPECT_EQ(fold("ΑΒΕ"), "ABE");                              // Greek capitals
  EXPECT_EQ(fold("número"), "numero");                        // a mark, composed
  EXPECT_EQ(fold("nu\u0301mero"), "numero");                  // and apart
  EXPECT_EQ(fold("a\u200Bb\u00ADc\u2060d\u202Ee"), "abcde");  // ignorable ones
  EXPECT_EQ(fold("1\u00A0234\u2009567\u2011890"), "1 234 567-890");
  EXPECT_EQ(fold("ﬁle"), "file");
}

TEST(FoldTest, EveryCodePointFoldsLikeItsNormalForm) {
  for (char32_t point = 0x80; point <= 0x10FFFF; ++point) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    const std::string text = "x" + utf8(point) + "y";
    const std::string normal = nfkc(text);
    ASSERT_FALSE(normal.empty()) << std::hex << static_cast<unsigned>(point);
    ASSERT_EQ(fold(text), fold(normal)) << std::hex << static_cast<unsigned>(point);
  }
}

TEST(FoldTest, EveryCodePointLeadsBackToItsBytes) {
  for (char32_t point = 0x80; point <= 0x2FFFF; ++point) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    const std::string own = utf8(point);
    const std::string text = "ab" + own + "cd";
    FoldedText folded;
    folded.fold(text);
    const std::string_view view = folded.text();
    ASSERT_EQ(view.substr(0, 2), "ab");
    ASSERT_EQ(view.substr(view.size() - 2), "cd");
    const auto last = folded.original(view.size() - 2, view.size());
    ASSERT_EQ(last, (std::pair{text.size() - 2, text.size()}));
    if (view.size() > 4) {
      const auto middle = folded.original(2, view.size() - 2);
      ASSERT_EQ(middle, (std::pair{std::size_t{2}, 2 + own.size()}));
    }
  }
}

TEST(FoldTest, InvalidBytesAreKeptOneByOne) {
  const std::string text = "a\xFF\xC3(\xE2\x82z";
  FoldedText folded;
  folded.fold(text);
  EXPECT_EQ(folded.text(), text);
  EXPECT_EQ(folded.original(1, 2), (std::pair<std::size_t, std::size_t>{1, 2}));
}

TEST(FoldTest, ALongRunOfDroppedCharactersIsReportedAndEndsWhatStandsBefore) {
  std::string text = "41";
  for (std::size_t i = 0; i < kMaxDropped; ++i) text += "\u200B";
  FoldedText folded;
  folded.fold(text + "11");
  EXPECT_EQ(folded.text(), "4111");
  EXPECT_TRUE(folded.hidden().empty());
  text += "\u200B";
  const std::string longer = text + "11";
  folded.fold(longer);
  EXPECT_EQ(folded.text(), "41\n11");
  ASSERT_EQ(folded.hidden().size(), 1U);
  EXPECT_EQ(folded.hidden()[0], (std::pair{std::size_t{2}, text.size()}));
}

}  // namespace
}  // namespace candor::dlp
