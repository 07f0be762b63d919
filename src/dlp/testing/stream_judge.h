// Streams held against one scan of the whole text, the oracle of C15.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "dlp/testing/stream_parts.h"

namespace candor::dlp::testing {

// cuts: ascending, within the text.
[[nodiscard]] inline Told guarded(const Scanner& scanner, Scanner::Scratch& scratch,
                                  std::string_view text, const std::vector<std::size_t>& cuts) {
  StreamGuard guard(scanner);
  std::vector<Part> parts;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    guard.feed(text.substr(at, cut - at), scratch, parts);
    at = cut;
  }
  guard.feed(text.substr(at), scratch, parts);
  guard.finish(scratch, parts);
  CANDOR_CHECK(guard.held() == 0);
  return joined(parts);
}

[[nodiscard]] inline std::string shown(const Scanner& scanner, const Told& told) {
  std::string out;
  for (const Part& part : told.parts) {
    out += part.kind == Part::Kind::kText
               ? fmt::format("  '{}'\n", part.text)
               : fmt::format("  {} [{},{}) {} {} '{}'\n",
                             scanner.detectors()[part.finding.detector].id, part.finding.begin,
                             part.finding.end, part.finding.confidence,
                             to_string(part.finding.layer), part.text);
  }
  for (const Finding& f : told.notes) {
    out += fmt::format("  note {} [{},{}) {}\n", scanner.detectors()[f.detector].id, f.begin, f.end,
                       to_string(f.layer));
  }
  return out;
}

// Cuts are judged against the oracle; says where they differ. Answers how many were tried.
class Judge {
 public:
  Judge(const Scanner& scanner, Scanner::Scratch& scratch, std::string text)
      : scanner_(scanner),
        scratch_(scratch),
        text_(std::move(text)),
        expected_(oracle(scanner, scratch, text_)) {}

  [[nodiscard]] const Told& expected() const { return expected_; }
  [[nodiscard]] const std::string& text() const { return text_; }

  [[nodiscard]] ::testing::AssertionResult same(const std::vector<std::size_t>& cuts) const {
    const Told got = guarded(scanner_, scratch_, text_, cuts);
    if (got == expected_) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure()
           << "cut at " << fmt::format("{}", fmt::join(cuts, ",")) << " of\n"
           << text_ << "\nexpected\n"
           << shown(scanner_, expected_) << "got\n"
           << shown(scanner_, got);
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
  const Scanner& scanner_;
  Scanner::Scratch& scratch_;
  std::string text_;
  Told expected_;
};

}  // namespace candor::dlp::testing
