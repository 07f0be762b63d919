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

const Scanner& builtin() {
  static const Scanner scanner = [] {
    auto packs = builtin_packs();
    if (!packs) throw std::runtime_error(packs.error().message());
    auto built = Scanner::build(*std::move(packs));
    if (!built) throw std::runtime_error(built.error().message());
    return *std::move(built);
  }();
  return scanner;
}

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

class BuiltinPackTest : public testing::TestWithParam<std::size_t> {};

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
  const auto packs = builtin_packs();
  ASSERT_TRUE(packs) << packs.error().message();
  const auto scanner = Scanner::build(*packs);
  ASSERT_TRUE(scanner) << scanner.error().message();
  EXPECT_EQ(scanner->detectors().size(), names().size());
}

INSTANTIATE_TEST_SUITE_P(All, BuiltinPackTest, testing::Range<std::size_t>(0, names().size()),
                         [](const auto& name) { return names()[name.param]; });

}  // namespace
}  // namespace candor::dlp
