// C5, C15: whatever the pieces, the parts are what one scan of the whole text gives. The oracle is
// Scanner::scan. Bounds of the state, and how much of ordinary prose is held back.
#include "dlp/stream_guard.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/check.h"
#include "dlp/pack.h"
#include "dlp/sample_text.h"
#include "dlp/testing/stream_judge.h"

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

class Judge : public testing::Judge {
 public:
  explicit Judge(std::string text) : testing::Judge(builtin(), scratch(), std::move(text)) {}
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

// Every way to cut an example in two, `triples` random ways to cut it in three places, and each
// byte for itself; `every`: all ways in three places within 12 bytes, which is where cuts interact.
void cut_examples(std::size_t step, std::size_t triples, bool every) {
  std::mt19937 random(11);
  std::size_t failures = 0;
  const auto all = examples();
  for (std::size_t i = 0; i < all.size() && failures < 5; ++i) {
    const Judge judge("Here it is: " + all[i] + " and more.");
    std::vector<std::vector<std::size_t>> ways = {judge.each(1)};
    for (std::size_t cut = i % step; cut <= judge.text().size(); cut += step) ways.push_back({cut});
    for (std::size_t n = 0; n < triples; ++n) {
      ways.push_back({random() % judge.text().size(), random() % judge.text().size(),
                      random() % judge.text().size()});
      std::ranges::sort(ways.back());
    }
    for (std::size_t cut = 0; every && cut + 12 <= judge.text().size(); ++cut) {
      for (std::size_t second = 0; second < 6; ++second) {
        for (std::size_t third = second; third < 12; ++third) {
          ways.push_back({cut, cut + second, cut + third});
        }
      }
    }
    for (const auto& cuts : ways) {
      const auto result = judge.same(cuts);
      EXPECT_TRUE(result);
      if (result) continue;
      ++failures;
      break;
    }
  }
}

std::size_t number_from(const char* variable, std::size_t otherwise) {
  const char* given = std::getenv(variable);
  return given == nullptr ? otherwise : static_cast<std::size_t>(std::strtoull(given, nullptr, 10));
}

TEST(StreamGuardTest, C15_EveryExampleCutInUpToThreePlaces) {
  const bool slow = number_from("CANDOR_CHUNKINGS", 0) != 0;
  cut_examples(slow ? 1 : 8, slow ? 100 : 4, slow);
}

// Texts that plant findings beside each other: encoded, escaped, folded, broken, at word borders.
class Hostile {
 public:
  explicit Hostile(std::uint32_t seed) : random_(seed) {
    for (const std::string& example : examples()) {
      if (example.size() <= 400) examples_.push_back(example);
    }
  }

  [[nodiscard]] std::string text() {
    // Mostly short, since what matters stands close together; a long one now and then.
    const std::size_t longest = below(16) == 0 ? 400 : 60;
    std::string out;
    for (std::size_t pieces = 1 + below(longest == 400 ? 6 : 2); pieces > 0; --pieces) {
      switch (below(8)) {
        case 0: out += sample_text(20 + below(longest), random_()); break;
        case 1: out += noise(); break;
        case 2: out += fragment() + fragment(); break;
        default: {
          const std::string& one = examples_[below(examples_.size())];
          out += one.size() <= 2 * longest ? dressed(one) : fragment().substr(0, longest);
        }
      }
      static constexpr std::string_view kBetween[] = {" ", "",    "\n", ", ", "@",  ":",     "1",
                                                      "a", "%20", "\\", "=",  "  ", "\u200b"};
      out += kBetween[below(std::size(kBetween))];
    }
    return out;
  }
  std::mt19937& random() { return random_; }

  // Every byte of text in one encoding, 0 to 6.
  static std::string encoded(const std::string& text, std::size_t kind) {
    switch (kind) {
      case 0: return to_base64(as_bytes(text));
      case 1: return to_hex(as_bytes(text));
      case 2: return spaced(to_base64(as_bytes(text)), 60, "\n    ");
      case 3: return spaced(to_hex(as_bytes(text)), 2, " ");
      case 4: return all(text, "%{:02X}");
      case 5: return all(text, "&#{};");
      default: return all(text, "\\u{:04x}");
    }
  }

 private:
  static std::string spaced(const std::string& text, std::size_t width, std::string_view space) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += width) {
      out += text.substr(at, width);
      out += space;
    }
    return out;
  }
  static std::string all(const std::string& text, std::string_view form) {
    std::string out;
    for (const char c : text) {
      out += fmt::format(fmt::runtime(form), static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return out;
  }

  std::size_t below(std::size_t bound) { return random_() % bound; }

  std::string fragment() {
    const std::string& one = examples_[below(examples_.size())];
    const std::size_t begin = below(one.size());
    return one.substr(begin, 1 + below(one.size() - begin));
  }

  std::string noise() {
    static constexpr std::string_view kBytes[] = {
        "a",      "B",         "7",           " ",      "%",       "%4",      "%40",  "&#",
        "&amp;",  "&#x40;",    "\\",          "\\n",    "\\u0040", "\\ud83d", "\n",   "@",
        "://",    "::",        "-----BEGIN ", "=",      "\"",      "\xc3",    "\xa9", "\xe2\x80",
        "\u00ad", "\u200b",    "\uff11",      "\ufb03", "\u0301",  "-",       ".",    "+",
        "eyJ",    "password=", "DE8",         "4111"};
    std::string out;
    for (std::size_t n = 1 + below(30); n > 0; --n) out += kBytes[below(std::size(kBytes))];
    return out;
  }

  std::string dressed(const std::string& text) {
    switch (below(9)) {
      case 0: return to_base64(as_bytes(text));
      case 1: return to_hex(as_bytes(text));
      case 2: return each(text, [](unsigned char c) { return fmt::format("%{:02X}", c); });
      case 3:
        return each(text, [](unsigned char c) {
          return c < 0x80 ? fmt::format("&#{};", c) : std::string(1, static_cast<char>(c));
        });
      case 4:
        return each(text, [](unsigned char c) {
          return c < 0x80 ? fmt::format("\\u{:04x}", c) : std::string(1, static_cast<char>(c));
        });
      case 5: {  // full-width digits, invisible characters
        std::string out;
        for (const char c : text) {
          if (c >= '0' && c <= '9' && below(3) == 0) {
            out += "\xef\xbc";
            out += static_cast<char>(0x90 + (c - '0'));
          } else {
            out += c;
          }
          if (static_cast<unsigned char>(c) < 0x80 && below(6) == 0) out += "\u200b";
        }
        return out;
      }
      case 6: {
        const std::string base64 = to_base64(as_bytes(text));
        std::string out;
        const std::size_t width = 4 + below(30);
        for (std::size_t at = 0; at < base64.size(); at += width)
          out += base64.substr(at, width) + "\n  ";
        return out;
      }
      default: return text;
    }
  }

  template <typename Make>
  std::string each(const std::string& text, const Make& make) {
    const std::size_t rarely = 1 + below(6);
    std::string out;
    for (const char c : text) {
      out += below(rarely) == 0 ? make(static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return out;
  }

  std::mt19937 random_;
  std::vector<std::string> examples_;
};

constexpr std::size_t kChunkings = 100'000;

// How many chunkings; stops at the first texts that differ.
void random_chunkings(std::uint32_t seed, std::size_t chunkings) {
  Hostile hostile(seed);
  std::size_t failures = 0;
  for (std::size_t n = 0; n < chunkings && failures < 3;) {
    const Judge judge(hostile.text());
    // Single bytes now and then, since they cost as much as a hundred others.
    for (std::size_t i = 0; i < 40; ++i, ++n) {
      const bool bytes = i == 0 && hostile.random()() % 8 == 0;
      const auto result = judge.same(bytes ? judge.each(1) : judge.random(hostile.random(), 3));
      EXPECT_TRUE(result);
      if (!result) {
        ++failures;
        break;
      }
    }
  }
}

TEST(StreamGuardTest, C15_RandomChunkings) {
  random_chunkings(static_cast<std::uint32_t>(number_from("CANDOR_SEED", 1)),
                   number_from("CANDOR_CHUNKINGS", kChunkings));
}

// A word of the line before lowers the number's confidence; the region of the escape begins at its
// line, and must not find what the text itself does not (found by ten million chunkings).
TEST(StreamGuardTest, C15_AnEscapeBehindAFindingChangesNothingBeforeIt) {
  const std::string text = "ion.port\nSV=phone 070 18 99, so be it";
  for (const std::string_view escape : {"%20", "&#32;", "\\u0020"}) {
    const Judge judge(text + std::string(escape));
    EXPECT_TRUE(judge.same({text.size()})) << escape;
    EXPECT_TRUE(judge.same(judge.each(1))) << escape;
    EXPECT_EQ(judge.expected().parts.size(), 1U) << escape;  // text alone
  }
}

// A stray byte of UTF-8 that no character begins is not the run's (found by
// stream_guard_actions_fuzz).
TEST(StreamGuardTest, C15_ABrokenByteBehindAnOpaqueRunIsNotOfIt) {
  std::mt19937 random(5);
  std::string bytes;
  for (int i = 0; i < 180; ++i) bytes += static_cast<char>(random());
  const std::string run = to_base64(as_bytes(bytes));
  for (const std::string_view behind : {"\x91", "\x91\x91\x91 ", "\xC3", "\xE2\x82\xAC"}) {
    const Judge judge("x: " + run + std::string(behind) + "and more");
    ASSERT_EQ(judge.expected().notes.size(), 1U);
    EXPECT_EQ(judge.expected().notes[0].end, 3 + run.size());
    EXPECT_TRUE(judge.same({3 + run.size()}));
    EXPECT_TRUE(judge.same(judge.each(1)));
  }
}

TEST(StreamGuardTest, C15_ABrokenByteBehindATriggersFindingIsNotOfIt) {
  const std::string key =
      "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----";
  for (const std::string_view behind : {"\x91", "\xBC\x91", "\xE2\x82\xAC"}) {
    const Judge judge(key + std::string(behind) + "!");
    EXPECT_TRUE(judge.same({key.size()}));
    EXPECT_TRUE(judge.same(judge.each(1)));
    EXPECT_EQ(judge.expected().parts[0].text, key);
  }
}

// Longer than what is kept of the text that is out, so that scans begin in its middle.
TEST(StreamGuardTest, C15_LongTexts) {
  Hostile hostile(21);
  const auto cuts = [&](const Judge& judge, std::size_t least, std::size_t most) {
    std::vector<std::size_t> at = {0};
    while (at.back() < judge.text().size()) {
      at.push_back(at.back() + least + hostile.random()() % (most - least));
    }
    at.pop_back();
    return at;
  };
  std::string mixed;
  while (mixed.size() < 24000) mixed += hostile.text() + sample_text(300, hostile.random()(), 150);
  const Judge judge(mixed);
  EXPECT_GT(judge.expected().parts.size(), 50U);
  EXPECT_TRUE(judge.same(cuts(judge, 60, 200)));
  EXPECT_TRUE(judge.same(cuts(judge, 300, 3000)));
  for (std::size_t kind = 0; kind < 7; ++kind) {
    const Judge encoded("x: " + Hostile::encoded(sample_text(3000, kind, 200), kind) + " end");
    EXPECT_GT(encoded.expected().parts.size(), 10U) << kind;
    EXPECT_TRUE(encoded.same(cuts(encoded, 200, 1500))) << kind;
  }
}

std::vector<Part> all_parts(const Scanner& scanner, std::string_view text, std::size_t width,
                            std::size_t* most_held = nullptr) {
  StreamGuard guard(scanner);
  const auto own = scanner.make_scratch();
  std::vector<Part> parts;
  for (std::size_t at = 0; at < text.size(); at += width) {
    guard.feed(text.substr(at, width), *own, parts);
    if (most_held != nullptr) *most_held = std::max(*most_held, guard.held());
  }
  guard.finish(*own, parts);
  return parts;
}

std::string text_of(const std::vector<Part>& parts, std::optional<Part::Kind> kind = {}) {
  std::string out;
  for (const Part& part : parts) {
    if (!kind || part.kind == *kind) out += part.text;
  }
  return out;
}

TEST(StreamGuardTest, APrivateKeyIsMaskedFromItsFirstLineOnAndItsStateBounded) {
  std::string body;
  while (body.size() < 3000) body += "MIIEpAIBAAKCAQEAm7kEv8c0ZDkqW3ZtG0pYq8o1bS2hQmQ1\n";
  const std::string key =
      "-----BEGIN RSA PRIVATE KEY-----\n" + body + "-----END RSA PRIVATE KEY-----";
  const Judge judge("the key:\n" + key + "\nkeep it, mail john@example.com");
  EXPECT_TRUE(judge.same(judge.each(97)));
  std::size_t most = 0;
  const auto parts = all_parts(builtin(), judge.text(), 40, &most);
  EXPECT_LE(most, 256U);
  EXPECT_FALSE(text_of(parts, Part::Kind::kText).contains("MIIE"));
  EXPECT_TRUE(text_of(parts, Part::Kind::kText).contains("keep it"));
  const auto certificate = all_parts(
      builtin(), "-----BEGIN CERTIFICATE-----\n" + body + "-----END CERTIFICATE-----\n", 40);
  EXPECT_TRUE(text_of(certificate, Part::Kind::kText).contains("BEGIN CERTIFICATE"));
}

TEST(StreamGuardTest, WhatCannotBeOpenedIsToldAfterItIsOut) {
  std::mt19937 random(5);
  std::string bytes(900, 0);
  for (char& c : bytes) c = static_cast<char>(random());
  for (const std::string& blob : {to_base64(as_bytes(bytes)), to_hex(as_bytes(bytes))}) {
    const Judge judge("data: " + blob + ", that is all. " + sample_text(200, 3));
    EXPECT_EQ(judge.expected().notes.size(), 1U);
    for (const std::size_t width : {1U, 7U, 64U, 5000U}) EXPECT_TRUE(judge.same(judge.each(width)));
  }
}

TEST(StreamGuardTest, HostileTextWithoutEndHoldsLittle) {
  std::string ignorable;
  for (int i = 0; i < 3000; ++i) ignorable += "\u200b";
  for (const auto& [unit, bound] : {std::pair{std::string("7"), 600U},
                                    {std::string("a"), 600U},
                                    {std::string("QUJD"), 9000U},
                                    {std::string("6a"), 9000U},
                                    {std::string("\\"), 9000U},
                                    {std::string("%41"), 9000U},
                                    {std::string("eyJ"), 9000U},
                                    {std::string("word "), 600U}}) {
    std::string text;
    while (text.size() < 24000) text += unit;
    std::size_t most = 0;
    EXPECT_EQ(text_of(all_parts(builtin(), text, 512, &most)), text);
    EXPECT_LE(most, bound) << unit;
  }
}

TEST(StreamGuardTest, MoreThanTheBoundIsAFindingToTheEndOfTheField) {
  std::string text = "before ";
  const std::size_t begin = text.size();
  while (text.size() < StreamGuard::kMaxHeld + 3 * StreamGuard::kHeldStep) text += "\u200b";
  text += " after, and john@example.com";
  for (const std::size_t width : {1000U, 4096U, 30001U, 100000U}) {
    const testing::Told told = testing::joined(all_parts(builtin(), text, width));
    ASSERT_EQ(told.parts.size(), 2U) << width;
    EXPECT_EQ(told.parts[0].text, "before ");
    EXPECT_EQ(told.parts[1].kind, Part::Kind::kFinding);
    EXPECT_EQ(told.parts[1].finding.detector, builtin().undecided());
    EXPECT_EQ(told.parts[1].finding.begin, begin);
    EXPECT_EQ(told.parts[1].finding.end, text.size());
  }
}

TEST(StreamGuardTest, ADetectorThatBuffersHoldsTheWholeField) {
  auto pack = parse_pack(
      "format = 1\npack = \"try\"\n[[detector]]\nid = \"try\"\nclass = \"internal.label\"\n"
      "anchor = \"start\"\nliterals = [\"PRJ-\"]\npattern = 'PRJ-[0-9]{4}'\nmax_span = 8\n"
      "stream = \"buffer\"\nmatch = [\"[[PRJ-1234]]\"]\n",
      "try.toml");
  ASSERT_TRUE(pack);
  std::vector<Pack> packs;
  packs.push_back(*std::move(pack));
  const auto scanner = Scanner::build(std::move(packs));
  ASSERT_TRUE(scanner);
  StreamGuard guard(*scanner);
  const auto own = scanner->make_scratch();
  std::vector<Part> parts;
  guard.feed("see PRJ-1234, long settled. " + sample_text(1000, 2), *own, parts);
  EXPECT_TRUE(parts.empty());
  guard.finish(*own, parts);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[1].text, "PRJ-1234");
}

TEST(StreamGuardTest, ATriggerThatCouldBeTakenBackIsRefused) {
  auto pack = parse_pack(
      "format = 1\npack = \"try\"\n[[detector]]\nid = \"try\"\nclass = \"secret\"\n"
      "anchor = \"start\"\nliterals = [\"PRJ-\"]\npattern = 'PRJ-[0-9]{4,90}'\nmax_span = 94\n"
      "stream = \"trigger\"\nmatch = [\"[[PRJ-1234]]\"]\n",
      "try.toml");
  ASSERT_TRUE(pack);
  std::vector<Pack> packs;
  packs.push_back(*std::move(pack));
  const auto scanner = Scanner::build(std::move(packs));
  ASSERT_FALSE(scanner);
  EXPECT_THAT(scanner.error().message(), ::testing::HasSubstr("stream trigger takes"));
}

// C20: the median hold-back of ordinary prose, after each piece of 1 to 8 bytes.
TEST(StreamGuardTest, C20_ProseIsHeldBackBy64BytesInTheMedian) {
  static constexpr std::string_view kProse =
      "The committee met again on Thursday and agreed that the draft needs another reading. "
      "Several members asked for a shorter introduction, since most readers know the history "
      "and want the numbers. In 2024 the office answered about 1,200 letters a month; today it "
      "is closer to 1,900, and the staff has not grown. Anna Keller suggested that we hire two "
      "people for the summer, but nobody could say where the money would come from.\n\n"
      "What follows is a list of open questions. First, who signs the contract if the director "
      "is away? Second, which of the three suppliers can deliver before the end of March? "
      "Third, do we still need the old archive, or can it go? I would keep it for a year: "
      "storage is cheap, regret is not. Please write your comments into the margin, and send "
      "the file back by Monday evening so that I can merge them before the meeting. ";
  std::vector<std::size_t> held;
  std::mt19937 random(3);
  StreamGuard guard(builtin());
  std::vector<Part> parts;
  for (int round = 0; round < 4; ++round) {
    for (std::size_t at = 0; at < kProse.size();) {
      const std::size_t size = 1 + random() % 8;
      guard.feed(kProse.substr(at, size), scratch(), parts);
      held.push_back(guard.held());
      at += size;
    }
  }
  std::ranges::sort(held);
  EXPECT_LE(held[held.size() / 2], 64U);
  RecordProperty("median_bytes_held", static_cast<int>(held[held.size() / 2]));
  fmt::print("held back of prose: median {} bytes, 90 % {}, most {}\n", held[held.size() / 2],
             held[held.size() * 9 / 10], held.back());
}

}  // namespace
}  // namespace candor::dlp
