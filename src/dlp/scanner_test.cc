// The scanner as a whole: places, layers, overlaps, locality, hostile input, and what it refuses to
// load.
#include "dlp/scanner.h"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/check.h"
#include "dlp/pack.h"
#include "dlp/sample_text.h"

namespace candor::dlp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Scanner& builtin() {
  static const Result<Scanner> scanner = [] -> Result<Scanner> {
    return Scanner::build(TRY(builtin_packs()));
  }();
  CANDOR_CHECK(scanner.has_value());
  return *scanner;
}

// "email[3,9) base64", in order.
std::vector<std::string> found(std::string_view text, const Scanner& scanner = builtin()) {
  std::vector<std::string> out;
  for (const Finding& f : scanner.scan(text)) {
    out.push_back(fmt::format("{}[{},{})", scanner.detectors()[f.detector].id, f.begin, f.end) +
                  (f.layer == Layer::kPlain ? "" : " " + std::string(to_string(f.layer))));
  }
  return out;
}

std::string pack(std::string_view detector) {
  return "format = 1\npack = \"try\"\n[[detector]]\nid = \"try\"\nclass = \"internal.label\"\n" +
         std::string(detector);
}

Result<Scanner> scanner_of(std::string_view toml) {
  std::vector<Pack> packs;
  packs.push_back(TRY(parse_pack(toml, "try.toml")));
  return Scanner::build(std::move(packs));
}

TEST(ScannerTest, PlacesAreThoseOfTheTextAsGiven) {
  // Full-width digits are three bytes each.
  EXPECT_THAT(found("Karte ４１１１ 1111 1111 1111."), ElementsAre("card[6,33)"));
  EXPECT_THAT(found("jo\u200Bhn@exam\u00ADple.com"), ElementsAre("email[0,21)"));
  EXPECT_THAT(found("ｊｏｈｎ＠ｅｘａｍｐｌｅ．ｃｏｍ"), ElementsAre("email[0,48)"));
}

TEST(ScannerTest, OneLayerOfEncodingIsOpened) {
  const std::string text = "write to maria.fernandez@example.com today please";
  const std::string base64 = to_base64(as_bytes(text));
  EXPECT_THAT(found("x = " + base64), testing::Contains(HasSubstr("email["))) << base64;
  const std::string hex = to_hex(as_bytes(text));
  EXPECT_THAT(found("0x" + hex), testing::Contains("email[20,74) hex"));
  EXPECT_THAT(found("to=maria%2Efernandez%40example.com&x=1"), ElementsAre("email[3,34) percent"));
  EXPECT_THAT(found("<a>maria&#46;fernandez&#x40;example.com</a>"),
              ElementsAre("email[3,39) html"));
  EXPECT_THAT(found(R"({"to":"maria\u002efernandez\u0040example.com"})"),
              ElementsAre("email[7,44) escapes"));
}

TEST(ScannerTest, L4_WhiteSpaceInsideAnEncodingIsTolerated) {
  const std::string base64 =
      to_base64(as_bytes("contact: maria.fernandez@example.com, IBAN follows"));
  for (const std::size_t width : {4U, 7U, 10U, 20U, 64U}) {
    for (const std::string_view space : {"\n", "\r\n    ", " "}) {
      std::string text;
      for (std::size_t i = 0; i < base64.size(); i += width) {
        text += base64.substr(i, width);
        text += space;
      }
      EXPECT_THAT(found(text), testing::Contains(HasSubstr("email["))) << text;
    }
  }
}

TEST(ScannerTest, L4_WhatCannotBeOpenedIsOpaque) {
  std::mt19937 random(5);
  std::string bytes(600, 0);
  for (char& c : bytes) c = static_cast<char>(random());
  EXPECT_THAT(found("data: " + to_base64(as_bytes(bytes))),
              testing::Contains(HasSubstr("text.opaque[6,")));
  // A second layer.
  const std::string inner = to_base64(as_bytes(sample_text(300, 2)));
  EXPECT_THAT(found(to_base64(as_bytes(inner))), testing::Contains(HasSubstr("text.opaque[0,")));
  // Text in one layer is none.
  EXPECT_THAT(found(inner), testing::Not(testing::Contains(HasSubstr("text.opaque"))));
}

TEST(ScannerTest, JsonAndSourceStringsDoNotHideTheirFirstLetter) {
  EXPECT_THAT(found(R"("to:\njohn@example.com")"), ElementsAre("email[6,22)"));
  EXPECT_THAT(found(R"({\"api_key\": \"9f8Xk2mQ7vT4zR1w\"})"),
              ElementsAre("secret.assignment.quoted[16,32) escapes"));
}

TEST(ScannerTest, TheStrongerFindingStandsWhereTwoOverlap) {
  // An e-mail address inside a URL with credentials; a card number is no telephone number.
  EXPECT_THAT(found("postgres://admin:s3cr3tPw9@db.example.com/x"),
              testing::Contains(HasSubstr("secret.url.credentials")));
  EXPECT_THAT(found("phone 4111 1111 1111 1111"), ElementsAre("card[6,25)"));
}

TEST(ScannerTest, FindingsComeInOrderAndDoNotOverlap) {
  const std::string text = sample_text(256U << 10U, 9, 512);
  const auto findings = builtin().scan(text);
  EXPECT_GT(findings.size(), 400U);
  for (std::size_t i = 1; i < findings.size(); ++i) {
    EXPECT_LE(findings[i - 1].end, findings[i].begin);
  }
}

TEST(ScannerTest, WhatIsFoundDependsOnItsNeighbourhoodAlone) {
  // The oracle of C15 in small: a window with a margin gives what the whole gave inside it.
  const std::string text = sample_text(128U << 10U, 4, 700);
  const auto whole = builtin().scan(text);
  std::mt19937 random(1);
  constexpr std::size_t kMargin = 16384 + 1024;
  for (int round = 0; round < 40; ++round) {
    const std::size_t begin = random() % (text.size() / 2);
    const std::size_t end = std::min(text.size(), begin + 2 * kMargin + random() % 20000);
    std::vector<Finding> expected;
    for (const Finding& f : whole) {
      if (f.begin >= begin + kMargin && f.end + kMargin <= end) expected.push_back(f);
    }
    std::vector<Finding> inside;
    for (Finding f : builtin().scan(std::string_view(text).substr(begin, end - begin))) {
      f.begin += begin;
      f.end += begin;
      if (f.begin >= begin + kMargin && f.end + kMargin <= end) inside.push_back(f);
    }
    EXPECT_EQ(inside, expected);
  }
}

TEST(ScannerTest, AScratchKeepsNothing) {
  const auto scratch = builtin().make_scratch();
  std::vector<Finding> first;
  std::vector<Finding> again;
  builtin().scan("a@example.com ４１１１ 1111 1111 1111", *scratch, first);
  builtin().scan("nothing", *scratch, again);
  EXPECT_TRUE(again.empty());
  builtin().scan("a@example.com ４１１１ 1111 1111 1111", *scratch, again);
  EXPECT_EQ(first, again);
}

TEST(ScannerTest, ContextRaisesAndLowers) {
  EXPECT_THAT(found("4111111111111111"), ElementsAre("card.bare[0,16)"));
  EXPECT_THAT(found("trace id 4111111111111111"), IsEmpty());
  EXPECT_THAT(found("NHS number 943 476 5919"), ElementsAre("uk.nhs[11,23)"));
  EXPECT_THAT(found("943 476 5919"), IsEmpty());
}

TEST(ScannerTest, APatternThatIsTooSlowIsRefusedByName) {
  const auto scanner = scanner_of(
      pack("anchor = \"start\"\nliterals = [\"e \", \"s \", \"r \"]\n"
           "pattern = '[ers] [a-z0-9 \\n]{1,400}zzz'\nboundary = \"none\"\nmax_span = 500\n"
           "match = [\"x\"]\n"));
  ASSERT_FALSE(scanner);
  EXPECT_THAT(scanner.error().message(), HasSubstr("detector try, pattern [ers] [a-z0-9"));
  EXPECT_THAT(scanner.error().message(), HasSubstr("too slow"));
}

TEST(ScannerTest, APatternThatDoesNotFitItsAnchorIsRefused) {
  for (const auto& [detector, message] :
       {std::pair{"anchor = \"start\"\nliterals = [\"key\"]\npattern = 'kex[0-9]'\n",
                  "begins with none"},
        {"anchor = \"inside\"\nliterals = [\"key\"]\npattern = 'kex[0-9]'\n", "holds none"},
        {"anchor = \"digits\"\npattern = '[A-Z]{1,2}[0-9]'\n", "no fixed place"},
        {"anchor = \"start\"\nliterals = [\"ab\"]\npattern = 'ab(?=c)'\n", "group other than"}}) {
    const auto scanner =
        scanner_of(pack(std::string(detector) + "max_span = 9\nmatch = [\"x\"]\n"));
    ASSERT_FALSE(scanner) << detector;
    EXPECT_EQ(scanner.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(scanner.error().message(), HasSubstr(message));
  }
}

TEST(ScannerTest, WhatIsTooMuchForUnrollingIsMatchedByVectorscan) {
  const auto scanner = scanner_of(
      pack("anchor = \"start\"\nliterals = [\"PRJ-\"]\n"
           "pattern = 'PRJ-(?:a|b|c|d|e|f|g|h)(?:a|b|c|d|e|f|g|h)(?:a|b|c|d|e|f|g|h)[0-9]{2,4}'\n"
           "max_span = 11\nmatch = [\"PRJ-abc12\"]\n"));
  ASSERT_TRUE(scanner) << scanner.error().message();
  EXPECT_THAT(found("see PRJ-hgf1234, PRJ-xyz12", *scanner), ElementsAre("try[4,15)"));
}

TEST(ScannerTest, HostileTextsEnd) {
  for (const std::string& text :
       {std::string(300000, '@'), std::string(300000, 'a') + "@", std::string(300000, '1'),
        std::string(300000, 'A'), std::string(300000, '%'), std::string(200000, '\\')}) {
    EXPECT_LE(builtin().scan(text).size(), text.size());
  }
  std::string repeated;
  for (int i = 0; i < 20000; ++i) repeated += "password=a1b2";
  EXPECT_LE(builtin().scan(repeated).size(), 20000U);
}

}  // namespace
}  // namespace candor::dlp
