// Scanner::scan, which is fast, gives what PlainScan gives, which is obvious: on the generated
// text, on every example of every detector in hostile surroundings and in every encoding, and on
// random mixtures of what anchors, boundaries and encodings are made of.
#include <cstdlib>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/check.h"
#include "dlp/fold.h"
#include "dlp/pack.h"
#include "dlp/sample_text.h"
#include "dlp/scanner.h"
#include "dlp/testing/plain_encoding.h"
#include "dlp/testing/plain_scan.h"

namespace candor::dlp {
namespace {

std::vector<Pack> packs() {
  Result<std::vector<Pack>> made = builtin_packs();
  CANDOR_CHECK(made.has_value());
  return *std::move(made);
}

const Scanner& fast() {
  static const Result<Scanner> scanner = Scanner::build(packs());
  CANDOR_CHECK(scanner.has_value());
  return *scanner;
}

const PlainScan& plain() {
  static const Result<PlainScan> scan = PlainScan::build(packs());
  CANDOR_CHECK(scan.has_value());
  return *scan;
}

std::string shown(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& f : findings) {
    out += fmt::format("  {} [{},{}) {} {}\n", fast().detectors()[f.detector].id, f.begin, f.end,
                       f.confidence, to_string(f.layer));
  }
  return out;
}

// Answers the number of findings.
std::size_t expect_same(const std::string& text, int min_confidence = kDefaultMinConfidence) {
  static const auto scratch = fast().make_scratch();
  std::vector<Finding> got;
  fast().scan(text, *scratch, got, min_confidence);
  const std::vector<Finding> expected = plain().scan(text, min_confidence);
  EXPECT_EQ(got, expected) << "expected\n"
                           << shown(expected) << "got\n"
                           << shown(got) << "in\n"
                           << (text.size() < 6000 ? text : text.substr(0, 200) + "...");
  return expected.size();
}

const std::vector<std::string>& examples() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> out;
    for (const Detector& detector : fast().detectors()) {
      for (std::string example : detector.match) {
        for (const std::string_view mark : {"[[", "]]"}) {
          const std::size_t at = example.find(mark);
          if (at != std::string::npos) example.erase(at, 2);
        }
        out.push_back(std::move(example));
      }
      for (const std::string& example : detector.no_match) out.push_back(example);
    }
    return out;
  }();
  return all;
}

// Thousands of them: CANDOR_ORACLE_ROUNDS=100 for a long run.
std::size_t rounds(std::size_t usual) {
  const char* more = std::getenv("CANDOR_ORACLE_ROUNDS");  // NOLINT(concurrency-mt-unsafe)
  return usual * (more != nullptr ? std::strtoul(more, nullptr, 10) : 1);
}

TEST(ScannerOracleTest, GeneratedTextInBlocksAndAsAWhole) {
  std::size_t findings = 0;
  for (std::size_t round = 0; round < rounds(1); ++round) {
    const std::string text = sample_text(512U << 10U, 40 + round, 512);
    findings += expect_same(text);
    for (std::size_t at = 0; at < text.size(); at += 4096) {
      expect_same(text.substr(at, 4096));
    }
  }
  EXPECT_GT(findings, 800U);
}

TEST(ScannerOracleTest, EveryExampleInEverySurrounding) {
  for (const std::string& example : examples()) {
    for (const int confidence : {1, kDefaultMinConfidence}) expect_same(example, confidence);
    for (const std::string_view before : {"7", "x", "_", "-", "1.", "12:", "\\n", "\\", " ", "é"}) {
      expect_same(std::string(before) + example + " " + std::string(before) + example +
                  std::string(before));
    }
    const std::string base64 = to_base64(as_bytes(example));
    expect_same("v=" + base64 + "==\n" + to_hex(as_bytes(example)) + " " + base64);
    std::string escaped;
    std::string references;
    for (const char c : example) {
      escaped += fmt::format("%{:02x}", static_cast<unsigned char>(c));
      references += fmt::format("&#{};", static_cast<unsigned char>(c));
    }
    expect_same(escaped + "\n" + references);
  }
}

TEST(ScannerOracleTest, RandomMixturesOfWhatDetectorsAreMadeOf) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) { return random() % n; };
  std::vector<std::string> words = {" ",    "  ",    "\n",    "\t",      "-",   ".", ":",      "/",
                                    "@",    "%40",   "&#64;", "\\u0040", "\\n", "=", "==",     ", ",
                                    "(",    ")",     "+",     "'",       "\"",  "é", "\u200B", "４",
                                    "\xFF", "&amp;", "_",     "|",       "{",   "}"};
  for (const Detector& detector : fast().detectors()) {
    for (const auto* list :
         {&detector.literals, &detector.near, &detector.raise, &detector.lower}) {
      words.insert(words.end(), list->begin(), list->end());
    }
  }
  std::size_t findings = 0;
  for (std::size_t round = 0; round < rounds(3000); ++round) {
    std::string text;
    for (std::size_t parts = 1 + below(60); parts-- > 0;) {
      switch (below(7)) {
        case 0: text += examples()[below(examples().size())]; break;
        case 1: {
          const std::string& whole = examples()[below(examples().size())];
          const std::size_t from = below(whole.size());
          text += whole.substr(from, 1 + below(whole.size() - from));
          break;
        }
        case 2: {
          for (std::size_t digits = 1 + below(below(8) == 0 ? 45 : 12); digits-- > 0;) {
            text += static_cast<char>('0' + below(10));
          }
          break;
        }
        case 3: {
          static constexpr std::string_view kLetters =
              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
          for (std::size_t letters = 1 + below(24); letters-- > 0;) {
            text += kLetters[below(kLetters.size())];
          }
          break;
        }
        default: text += words[below(words.size())];
      }
    }
    if (below(4) == 0) {  // some bytes changed
      for (int i = 0; i < 4; ++i) text[below(text.size())] = static_cast<char>(random());
    }
    if (below(8) == 0) text = to_base64(as_bytes(text)) + " " + text;
    findings += expect_same(text, below(4) == 0 ? 1 : kDefaultMinConfidence);
  }
  EXPECT_GT(findings, 3000U);
}

TEST(ScannerOracleTest, TheSameEncodingsAreFound) {
  std::mt19937 random(11);
  const auto below = [&](std::size_t n) { return random() % n; };
  static constexpr std::string_view kBytes =
      "AAAaaaBBBbbbCcDdEeFf000011223344zzZZ  \n\t==+/-_:::%&\\@.\"";
  for (std::size_t round = 0; round < rounds(4000); ++round) {
    std::string text;
    for (std::size_t parts = 1 + below(30); parts-- > 0;) {
      const std::size_t size = 1 + below(below(6) == 0 ? 200 : 24);
      switch (below(5)) {
        case 0:
          for (std::size_t i = 0; i < size; ++i) text += kBytes[below(kBytes.size())];
          break;
        case 1:
          for (std::size_t i = 0; i < size; ++i) text += "0123456789abcdefABCDEF"[below(22)];
          break;
        case 2: text.append(below(20), ' '); break;
        case 3: text += to_base64(as_bytes(sample_text(size, round))); break;
        default:
          for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + below(26));
      }
      if (below(2) == 0) text += ' ';
    }
    const Opened expected = plain_encodings(text);
    Opened got;
    open_encodings(text, {}, got);
    const auto places = [](const Opened& opened) {
      std::string out;
      for (const Region& r : opened.regions) {
        out += fmt::format("{} [{},{}) {}{} '{}'\n", to_string(r.layer), r.begin, r.end,
                           r.cut_begin ? "<" : "", r.cut_end ? ">" : "", r.decoded);
      }
      for (const OpaqueRun& r : opened.opaque) {
        out += fmt::format("opaque {} [{},{})\n", to_string(r.layer), r.begin, r.end);
      }
      return out;
    };
    ASSERT_EQ(places(got), places(expected)) << text;
  }
}

}  // namespace
}  // namespace candor::dlp
