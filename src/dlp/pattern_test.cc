// The matcher of unrolled patterns against Vectorscan on the same pattern.
#include "dlp/internal/pattern.h"

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dlp/internal/sweep.h"
#include "dlp/internal/vectorscan.h"
#include "dlp/pack.h"

namespace candor::dlp {
namespace {

using testing::HasSubstr;

std::vector<Branch> parsed(std::string_view pattern) {
  auto branches = parse_pattern(pattern, /*ignore_case=*/false, 64);
  EXPECT_TRUE(branches) << pattern << ": " << (branches ? "" : branches.error().message());
  return branches ? *branches : std::vector<Branch>();
}

// Every [begin, end) that a pattern can match, by refusing all.
std::set<std::pair<std::size_t, std::size_t>> all_matches(const std::vector<Branch>& branches,
                                                          std::string_view text) {
  std::set<std::pair<std::size_t, std::size_t>> all;
  const auto collect = [&](Span whole, Span) {
    all.emplace(whole.begin, whole.end);
    return false;
  };
  for (const Branch& branch : branches) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      (void)BranchMatcher(text, branch, collect).match(at);
    }
  }
  return all;
}

TEST(PatternTest, FindsTheEndsThatVectorscanFinds) {
  std::mt19937 random(7);
  for (const char* pattern :
       {"[0-9]{3}-[0-9]{2}-[0-9]{4}", "ab?c{1,3}", "(?:ab|cd){1,3}e", "[a-c]{2,5}b[a-c]?",
        "a(?:b|cd)?e", "[^a]{1,4}a", "x\\.y|z{2}", "\\d\\s?\\w", "[ab]+c", "a[bc]*d"}) {
    const auto branches = parsed(pattern);
    const auto regex = Regex::compile(pattern, false, 1000000);
    const bool endless = std::string_view(pattern).find_first_of("+*") != std::string_view::npos;
    if (endless) {
      EXPECT_FALSE(regex);
      continue;
    }
    ASSERT_TRUE(regex) << pattern << regex.error().message();
    Workspace workspace;
    regex->prepare(workspace);
    for (int round = 0; round < 300; ++round) {
      std::string text;
      const std::string_view alphabet = "abcdez01-. xy";
      for (std::size_t i = random() % 24; i > 0; --i) text += alphabet[random() % alphabet.size()];
      if (text.empty()) continue;
      std::set<std::size_t> ends;
      for (const auto& [begin, end] : all_matches(branches, text)) ends.insert(end);
      std::set<std::size_t> expected;
      regex->scan(text, workspace, [&](std::size_t, std::size_t end) { expected.insert(end); });
      EXPECT_EQ(ends, expected) << pattern << " in " << text;
    }
  }
}

TEST(PatternTest, AMarkedGroupIsTheFinding) {
  const auto branches = parsed("key ?= ?([a-z]{2,4});?");
  const std::string_view text = "key = abcd;";
  Span found;
  const auto accept = [&](Span, Span marked) {
    found = marked;
    return true;
  };
  ASSERT_TRUE(BranchMatcher(text, branches[0], accept).match(0));
  EXPECT_EQ(text.substr(found.begin, found.end - found.begin), "abcd");
}

TEST(PatternTest, WhatIsOutsideTheSubsetIsSaidWithItsPlace) {
  for (const auto& [pattern, message] : {std::pair{"a(?=b)", "group other than"},
                                         {"a\\b", "not in the subset"},
                                         {"(a)(b)", "second"},
                                         {"a*?", "lazy"},
                                         {"[z-a]", "swapped"},
                                         {"a{3,1}", "swapped"},
                                         {"a|)", "unmatched"},
                                         {"(a", "without its )"},
                                         {"[a", "without its ]"},
                                         {"^a", "should stand"},
                                         {"a?", "nothing"},
                                         {"[[:alpha:]]", "named class"}}) {
    const auto branches = parse_pattern(pattern, false, 64);
    ASSERT_FALSE(branches) << pattern;
    EXPECT_EQ(branches.error().code(), Code::kInvalidArgument) << pattern;
    EXPECT_THAT(branches.error().message(), HasSubstr(message)) << pattern;
  }
}

TEST(PatternTest, TooMuchBacktrackingIsRefused) {
  const auto branches = parse_pattern("[a-z]{1,60}[a-z]{1,60}[a-z]{1,60}x", false, 200);
  ASSERT_FALSE(branches);
  EXPECT_EQ(branches.error().code(), Code::kResourceExhausted);
  EXPECT_FALSE(parse_pattern("(?:a|b|c|d){8}", false, 64));
}

TEST(PatternTest, TheLeadingRunOfDigitsIsKnown) {
  auto lead = digit_lead(parsed("[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}")[0]);
  ASSERT_TRUE(lead);
  EXPECT_EQ(lead->offset, 2U);
  EXPECT_EQ(lead->min_run, 2U);
  EXPECT_GE(lead->max_run, 6U);
  lead = digit_lead(parsed("[0-9]{3}-[0-9]{2}")[0]);
  ASSERT_TRUE(lead);
  EXPECT_EQ(lead->min_run, 3U);
  EXPECT_EQ(lead->max_run, 3U);
  EXPECT_TRUE(lead->next.has('-'));
  EXPECT_FALSE(lead->may_end);
  EXPECT_FALSE(digit_lead(parsed("[A-Z]{1,2}[0-9]{2}")[0]));
  EXPECT_FALSE(digit_lead(parsed("[A-Z0-9]{9}")[0]));
}

TEST(SweepTest, FindsWhatALoopFinds) {
  std::mt19937 random(3);
  for (int round = 0; round < 400; ++round) {
    std::string text;
    const std::string_view alphabet = "aZ0123456789@ .%&\\\xC3\x80\xFF";
    for (std::size_t i = random() % 300; i > 0; --i) text += alphabet[random() % alphabet.size()];
    if (round % 3 == 0) text.insert(text.size() / 2, std::string(random() % 200, '7'));
    Swept swept;
    sweep(text, swept);
    std::vector<DigitRun> runs;
    std::vector<std::uint32_t> ats;
    for (std::uint32_t i = 0; i < text.size(); ++i) {
      if (text[i] == '@') ats.push_back(i);
      if (text[i] < '0' || text[i] > '9') continue;
      if (!runs.empty() && runs.back().begin + runs.back().length == i) {
        ++runs.back().length;
      } else {
        runs.push_back({i, 1});
      }
    }
    EXPECT_EQ(swept.digits, runs) << text;
    EXPECT_EQ(swept.ats, ats) << text;
    EXPECT_EQ(swept.hints.percent, text.contains('%'));
    EXPECT_EQ(swept.hints.backslash, text.contains('\\'));
  }
}

}  // namespace
}  // namespace candor::dlp
