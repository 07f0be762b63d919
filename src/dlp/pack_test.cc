// Every example of every built-in pack, and the mistakes that a pack can hold.
#include "dlp/pack.h"

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/scanner.h"

namespace candor::dlp {
namespace {

using testing::HasSubstr;

// Made once, whether or not that succeeds; BuiltinPacksTest says why it did not.
const Result<Scanner>& built() {
  static const Result<Scanner> scanner = [] -> Result<Scanner> {
    return Scanner::build(TRY(builtin_packs()));
  }();
  return scanner;
}
const Scanner& builtin() { return *built(); }

// Of the tests, in the scanner's order; without the cost of a scanner, since listing tests calls
// it.
const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list;
    for (const Pack& pack : builtin_packs().value_or(std::vector<Pack>())) {
      for (const Detector& detector : pack.detectors) {
        list.push_back(detector.id);
        for (char& c : list.back()) {
          if (c == '.' || c == '-') c = '_';
        }
      }
    }
    return list;
  }();
  return all;
}

struct Example {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> places;
};

Example without_marks(std::string_view marked) {
  Example example;
  while (!marked.empty()) {
    if (marked.starts_with("[[")) {
      example.places.emplace_back(example.text.size(), 0);
      marked.remove_prefix(2);
    } else if (marked.starts_with("]]") && !example.places.empty() &&
               example.places.back().second == 0) {
      example.places.back().second = example.text.size();
      marked.remove_prefix(2);
    } else {
      example.text += marked[0];
      marked.remove_prefix(1);
    }
  }
  return example;
}

std::string shown(const std::vector<Finding>& findings, std::string_view text) {
  std::string out;
  for (const Finding& f : findings) {
    out += fmt::format("{} {} [{}, {}) {}\n", builtin().detectors()[f.detector].id, f.confidence,
                       f.begin, f.end, text.substr(f.begin, f.end - f.begin));
  }
  return out;
}

class BuiltinPackTest : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { ASSERT_TRUE(built()) << "see BuiltinPacksTest.TheyLoad"; }
};

TEST_P(BuiltinPackTest, ExamplesMatchWhereTheySay) {
  const Detector& detector = builtin().detectors()[GetParam()];
  for (const std::string& marked : detector.match) {
    const Example example = without_marks(marked);
    EXPECT_FALSE(example.places.empty()) << detector.origin << ": nothing is marked in " << marked;
    const auto findings = builtin().scan(example.text);
    for (const auto& [begin, end] : example.places) {
      const bool found = std::ranges::any_of(findings, [&](const Finding& f) {
        return f.begin == begin && f.end == end &&
               builtin().detectors()[f.detector].class_name == detector.class_name;
      });
      EXPECT_TRUE(found) << detector.origin << " " << detector.id << ": " << marked << "\n"
                         << shown(findings, example.text);
    }
  }
}

TEST_P(BuiltinPackTest, CounterexamplesDoNotMatch) {
  const Detector& detector = builtin().detectors()[GetParam()];
  for (const std::string& text : detector.no_match) {
    for (const Finding& f : builtin().scan(text)) {
      EXPECT_NE(f.detector, GetParam()) << detector.origin << " " << detector.id << ": " << text;
    }
  }
}

TEST_P(BuiltinPackTest, TheDetectorIsTheOneThatFindsItsFirstExample) {
  const Detector& detector = builtin().detectors()[GetParam()];
  const Example example = without_marks(detector.match.front());
  const auto findings = builtin().scan(example.text);
  EXPECT_TRUE(
      std::ranges::any_of(findings, [&](const Finding& f) { return f.detector == GetParam(); }))
      << detector.origin << " " << detector.id << "\n"
      << shown(findings, example.text);
}

TEST(BuiltinPacksTest, TheyLoad) {
  ASSERT_TRUE(built()) << built().error().message();
  EXPECT_EQ(builtin().detectors().size(), names().size() + 1);  // text.undecided
}

TEST(BuiltinPacksTest, C2_WhatTheyRecognise) {
  ASSERT_TRUE(built());
  std::set<std::string> countries;
  std::size_t secrets = 0;
  for (const Detector& detector : builtin().detectors()) {
    secrets += detector.class_name == "secret" ? 1 : 0;
    if (detector.class_name != "personal.id" && detector.class_name != "health") continue;
    // With a check digit or a form that a validator knows.
    if (!detector.validator.empty()) {
      countries.insert(detector.countries.begin(), detector.countries.end());
    }
  }
  EXPECT_GE(secrets, 100U);
  for (const char* country :
       {"US", "GB", "CA", "DE", "FR", "IT", "ES", "NL", "BE", "PL", "SE", "FI", "IN", "BR", "AU"}) {
    EXPECT_TRUE(countries.contains(country)) << country;
  }
}

std::string pack_with(std::string_view detector) {
  return "format = 1\npack = \"try\"\n[[detector]]\n" + std::string(detector);
}

TEST(PackTest, MistakesNameTheirPlaceAndTheNearestKey) {
  const std::string good =
      "id = \"a\"\nclass = \"internal.label\"\nanchor = \"start\"\nliterals = [\"PRJ-\"]\n"
      "pattern = 'PRJ-[0-9]{4}'\nmax_span = 9\nmatch = [\"[[PRJ-1234]]\"]\n";
  ASSERT_TRUE(parse_pack(pack_with(good), "x.toml"));
  for (const auto& [detector, message] :
       {std::pair{good + "max_spam = 3\n",
                  "x.toml:11: unknown key 'max_spam'; did you mean 'max_span'?"},
        {good + "severity = \"grave\"\n", "severity must be one of low, medium, high, critical"},
        {good + "validator = \"ibam\"\n", "unknown validator; did you mean 'iban'?"},
        {good + "confidence = 101\n", "confidence must be a number from 0 to 100"},
        {good + "countries = [\"Germany\"]\n", "two capital letters"},
        {good + "ignore_case = 1\n", "must be true or false"},
        {std::string("id = \"A b\"\n"), "id must be a name"},
        {std::string("id = \"a\"\nclass = \"c\"\nanchor = \"digits\"\nliterals = [\"x1\"]\n"),
         "takes no literals"}}) {
    const auto pack = parse_pack(pack_with(detector), "x.toml");
    ASSERT_FALSE(pack) << detector;
    EXPECT_THAT(pack.error().message(), HasSubstr(message));
  }
  EXPECT_THAT(parse_pack("pack = \"a\"\n", "x.toml").error().message(),
              HasSubstr("format = 1 is missing"));
  EXPECT_THAT(parse_pack("format = 2\npack = \"a\"\n", "x.toml").error().message(),
              HasSubstr("format must be 1"));
}

TEST(PackTest, TwoDetectorsOfOneNameAreRefused) {
  const std::string one =
      "[[detector]]\nid = \"a\"\nclass = \"c\"\nanchor = \"digits\"\npattern = "
      "'[0-9]{4}'\nmax_span = 4\nmatch = [\"x\"]\n";
  auto pack = parse_pack("format = 1\npack = \"p\"\n" + one + one, "x.toml");
  ASSERT_TRUE(pack);
  std::vector<Pack> packs;
  packs.push_back(*std::move(pack));
  const auto scanner = Scanner::build(std::move(packs));
  ASSERT_FALSE(scanner);
  EXPECT_THAT(scanner.error().message(), HasSubstr("its id is taken"));
}

INSTANTIATE_TEST_SUITE_P(All, BuiltinPackTest, testing::Range<std::size_t>(0, names().size()),
                         [](const auto& name) { return names()[name.param]; });

}  // namespace
}  // namespace candor::dlp
