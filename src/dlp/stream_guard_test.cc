// C5, C15: whatever the pieces, the parts are what one scan of the whole text gives. The oracle is
// Scanner::scan. Bounds of the state, and how much of ordinary prose is held back.
#include "dlp/stream_guard.h"

#include <algorithm>
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

const Scanner& builtin() {
  static const Result<Scanner> scanner = [] -> Result<Scanner> {
    return Scanner::build(TRY(builtin_packs()));
  }();
  CANDOR_CHECK(scanner.has_value());
  return *scanner;
}

Scanner::Scratch& scratch() {
  static const auto made = builtin().make_scratch();
  return *made;
}

// Parts without what depends on the pieces: texts joined, findings whole, notes apart.
struct Told {
  std::vector<Part> parts;
  std::vector<Finding> notes;
  bool operator==(const Told&) const = default;
};

Told joined(const std::vector<Part>& parts) {
  Told told;
  for (const Part& part : parts) {
    if (part.kind == Part::Kind::kNote) {
      told.notes.push_back(part.finding);
      continue;
    }
    const bool goes_on = part.kind == Part::Kind::kMore ||
                         (part.kind == Part::Kind::kText && !told.parts.empty() &&
                          told.parts.back().kind == Part::Kind::kText);
    if (!goes_on) {
      told.parts.push_back(part);
      continue;
    }
    CANDOR_CHECK(!told.parts.empty());
    told.parts.back().text += part.text;
    told.parts.back().finding = part.finding;
  }
  std::ranges::sort(told.notes, {}, &Finding::begin);
  return told;
}

Told oracle(std::string_view text) {
  Told told;
  std::vector<Finding> findings;
  builtin().scan(text, scratch(), findings);
  std::size_t at = 0;
  const auto plain = [&](std::size_t until) {
    if (until > at) told.parts.push_back({Part::Kind::kText, std::string(text.substr(at, until - at)), {}});
    at = until;
  };
  for (const Finding& f : findings) {
    if (builtin().detectors()[f.detector].stream == StreamMode::kMonitor) {
      told.notes.push_back(f);
      continue;
    }
    plain(f.begin);
    told.parts.push_back({Part::Kind::kFinding, std::string(text.substr(f.begin, f.end - f.begin)), f});
    at = f.end;
  }
  plain(text.size());
  return told;
}

// cuts: ascending, within the text.
Told guarded(std::string_view text, const std::vector<std::size_t>& cuts) {
  static StreamGuard guard(builtin());
  std::vector<Part> parts;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    guard.feed(text.substr(at, cut - at), scratch(), parts);
    at = cut;
  }
  guard.feed(text.substr(at), scratch(), parts);
  guard.finish(scratch(), parts);
  CANDOR_CHECK(guard.held() == 0);
  return joined(parts);
}

std::string shown(const Told& told) {
  std::string out;
  for (const Part& part : told.parts) {
    out += part.kind == Part::Kind::kText
               ? fmt::format("  '{}'\n", part.text)
               : fmt::format("  {} [{},{}) {} {} '{}'\n", builtin().detectors()[part.finding.detector].id,
                             part.finding.begin, part.finding.end, part.finding.confidence,
                             to_string(part.finding.layer), part.text);
  }
  for (const Finding& f : told.notes) {
    out += fmt::format("  note {} [{},{}) {}\n", builtin().detectors()[f.detector].id, f.begin, f.end,
                       to_string(f.layer));
  }
  return out;
}

// Cuts are judged against the oracle; says where they differ. Answers how many were tried.
class Judge {
 public:
  explicit Judge(std::string text) : text_(std::move(text)), expected_(oracle(text_)) {}

  [[nodiscard]] const Told& expected() const { return expected_; }
  [[nodiscard]] const std::string& text() const { return text_; }

  [[nodiscard]] testing::AssertionResult same(const std::vector<std::size_t>& cuts) const {
    const Told got = guarded(text_, cuts);
    if (got == expected_) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << "cut at " << fmt::format("{}", fmt::join(cuts, ",")) << " of\n"
           << text_ << "\nexpected\n"
           << shown(expected_) << "got\n"
           << shown(got);
  }
  [[nodiscard]] std::vector<std::size_t> each(std::size_t width) const {
    std::vector<std::size_t> cuts;
    for (std::size_t at = width; at < text_.size(); at += width) cuts.push_back(at);
    return cuts;
  }
  [[nodiscard]] std::vector<std::size_t> random(std::mt19937& random, std::size_t most) const {
    std::vector<std::size_t> cuts;
    for (std::size_t n = random() % (most + 1); n > 0; --n) cuts.push_back(random() % text_.size());
    std::ranges::sort(cuts);
    return cuts;
  }

 private:
  std::string text_;
  Told expected_;
};

std::string without_marks(std::string_view marked) {
  std::string out;
  while (!marked.empty()) {
    if (marked.starts_with("[[") || marked.starts_with("]]")) {
      marked.remove_prefix(2);
    } else {
      out += marked[0];
      marked.remove_prefix(1);
    }
  }
  return out;
}

std::vector<std::string> examples() {
  std::vector<std::string> all;
  for (const Detector& detector : builtin().detectors()) {
    for (const std::string& text : detector.match) all.push_back(without_marks(text));
    for (const std::string& text : detector.no_match) all.push_back(text);
  }
  return all;
}

TEST(StreamGuardTest, C15_EveryExampleInTwoPiecesAndInSingleBytes) {
  std::size_t failures = 0;
  for (const std::string& example : examples()) {
    const Judge judge("As you asked, here it is: " + example + " and some words behind it.");
    ASSERT_EQ(joined({}), Told{});
    if (!judge.same(judge.each(1))) {
      ADD_FAILURE() << judge.same(judge.each(1)).message();
      if (++failures > 20) return;
      continue;
    }
    for (std::size_t cut = 0; cut <= judge.text().size(); ++cut) {
      const auto result = judge.same({cut});
      EXPECT_TRUE(result);
      if (!result && ++failures > 20) return;
      if (!result) break;
    }
  }
}

}  // namespace
}  // namespace candor::dlp
