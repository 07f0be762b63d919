// C3: what an organisation registers is found however it is written, in pieces as in one, and is
// not in the pack that finds it.
#include "dlp/registration.h"

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "dlp/pack.h"
#include "dlp/sample_text.h"
#include "dlp/testing/stream_judge.h"

namespace candor::dlp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

crypto::ShortKey key_of(int number) {
  crypto::ShortKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::byte>(static_cast<std::size_t>(number) * 31 + i + 1);
  }
  return key;
}

// The built-in detectors and these packs.
Scanner scanner_with(const std::vector<std::string>& packs, bool with_builtin = false) {
  std::vector<Pack> all;
  if (with_builtin) all = builtin_packs().value();
  for (const std::string& pack : packs) {
    auto parsed = parse_pack(pack, "test.toml");
    CANDOR_CHECK(parsed.has_value());
    all.push_back(*std::move(parsed));
  }
  auto made = Scanner::build(std::move(all));
  CANDOR_CHECK(made.has_value());
  return *std::move(made);
}

std::vector<std::string> found(const Scanner& scanner, std::string_view text) {
  std::vector<std::string> out;
  for (const Finding& f : scanner.scan(text)) {
    out.emplace_back(text.substr(f.begin, f.end - f.begin));
  }
  return out;
}

// Text that repeats nothing, of words of 2 to 9 letters.
std::string random_prose(std::mt19937& random, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) {
    for (std::size_t n = 2 + random() % 8; n > 0; --n)
      out += static_cast<char>('a' + random() % 26);
    out += random() % 9 == 0 ? ".\n" : " ";
  }
  return out;
}

const std::vector<std::string> kCustomers = {
    "Erika Mustermann", "DE89 3704 0044 0532 0130 00", "erika@kunde.example",
    "KD-2024-118812",   "Łukasz Żółć-Kowalski",        "12 Hauptstraße, 10115 Berlin"};

std::string customers() {
  return register_values({.id = "customers", .name = "", .severity = "high"}, kCustomers, key_of(1))
      .value()
      .pack;
}

TEST(RegisteredValuesTest, C3_AreFoundHoweverTheyAreWritten) {
  const Scanner scanner = scanner_with({customers()});
  EXPECT_THAT(found(scanner, "Ask ERIKA  mustermann about it."),
              ::testing::ElementsAre("ERIKA  mustermann"));
  EXPECT_THAT(found(scanner, "to DE89-3704-0044-0532-0130-00 today"),
              ::testing::ElementsAre("DE89-3704-0044-0532-0130-00"));
  EXPECT_THAT(found(scanner, "to DE89370400440532013000."),
              ::testing::ElementsAre("DE89370400440532013000"));
  EXPECT_THAT(found(scanner, "{\"mail\":\"erika@kunde.example\"}"),
              ::testing::ElementsAre("erika@kunde.example"));
  EXPECT_THAT(found(scanner, "Lukasz Zolc Kowalski"),
              ::testing::ElementsAre());  // Ł is no L + mark
  EXPECT_THAT(found(scanner, "Łukasz Zołc Kowalski"),
              ::testing::ElementsAre("Łukasz Zołc Kowalski"));
  EXPECT_THAT(found(scanner, "base64: " + to_base64(as_bytes("call Erika Mustermann now"))),
              ::testing::SizeIs(1));
}

TEST(RegisteredValuesTest, C3_AreWholeWordsAndNothingElse) {
  const Scanner scanner = scanner_with({customers()});
  EXPECT_THAT(found(scanner, "Erika Mustermanns, xErika Mustermann, Erika    Mustermann"),
              ::testing::IsEmpty());
  EXPECT_THAT(found(scanner, "KD-2024-118813 and KD-2024-11881 and Erika alone"),
              ::testing::IsEmpty());
}

TEST(RegisteredValuesTest, C3_AreNotInThePack) {
  const std::string pack = customers();
  for (const std::string& value : kCustomers) {
    EXPECT_THAT(pack, Not(HasSubstr(value)));
    EXPECT_THAT(pack, Not(HasSubstr(normal_value(value)->text)));
  }
  // Another key gives other fingerprints, so that two sets cannot be laid over each other.
  const Pack one = parse_pack(pack, "a").value();
  const Pack other = parse_pack(register_values({.id = "customers", .name = "", .severity = "high"},
                                                kCustomers, key_of(2))
                                    .value()
                                    .pack,
                                "b")
                         .value();
  std::vector<std::uint64_t> shared;
  std::ranges::set_intersection(one.detectors[0].fingerprints->hashes,
                                other.detectors[0].fingerprints->hashes,
                                std::back_inserter(shared));
  EXPECT_THAT(shared, ::testing::IsEmpty());
}

TEST(RegisteredValuesTest, L2_AllSetsAreOfOneClass) {
  EXPECT_EQ(parse_pack(customers(), "a").value().detectors[0].class_name, kRegisteredClass);
  std::string told = customers();
  told.replace(told.find("registered.data"), std::string_view("registered.data").size(),
               "patients");
  const auto refused = parse_pack(told, "a.toml");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message(), HasSubstr("class of anchor values is registered.data"));
}

TEST(RegisteredValuesTest, C3_OfTwoThatHoldOneAnotherTheLongerStaysAndInOnePlaceTheRegistered) {
  const std::vector<std::string> values = {"DE89 3704 0044 0532 0130 00", "example"};
  const Scanner scanner = scanner_with(
      {register_values({.id = "mine", .name = "", .severity = "low"}, values, key_of(1))
           .value()
           .pack},
      /*with_builtin=*/true);
  const auto ids = [&](std::string_view text) {
    std::vector<std::string> out;
    for (const Finding& f : scanner.scan(text)) out.push_back(scanner.detectors()[f.detector].id);
    return out;
  };
  EXPECT_THAT(ids("to DE89 3704 0044 0532 0130 00 today"), ::testing::ElementsAre("mine"));
  EXPECT_THAT(ids("an example, maria.sommer@example.org"), ::testing::ElementsAre("mine", "email"));
}

TEST(RegisteredValuesTest, C3_WhatIsTooShortOrTooLongIsCounted) {
  const std::vector<std::string> values = {
      "Ann", "", "--", std::string(64, 'x'), "a    b long gap", "123456"};
  const auto made = register_values({.id = "x", .name = "", .severity = "low"}, values, key_of(1));
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->kept, 1U);
  EXPECT_EQ(made->skipped, 5U);
  EXPECT_FALSE(register_values({.id = "x", .name = "", .severity = "low"},
                               std::vector<std::string>{"Ann"}, key_of(1))
                   .has_value());
}

TEST(RegisteredWordsTest, C3_AreFoundWithoutRegardToCaseAndSeparators) {
  const std::vector<std::string> words = {"Project Falcon", "Blaumeise", "X\"7\\"};
  const auto made =
      register_words({.id = "code-names", .name = "code names", .severity = "high"}, words);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->kept, 3U);
  const Scanner scanner = scanner_with({made->pack});
  EXPECT_THAT(found(scanner, "PROJECT-FALCON, project_falcon; blaumeise x7 Falcon Blaumeisen"),
              ::testing::ElementsAre("PROJECT-FALCON", "project_falcon", "blaumeise", "x7"));
}

TEST(CanaryTest, C3_IsFoundAndDiffersEachTime) {
  const auto one = make_canary({.id = "canary.hr", .name = "", .severity = "critical"}, key_of(1));
  const auto other =
      make_canary({.id = "canary.hr", .name = "", .severity = "critical"}, key_of(2));
  ASSERT_TRUE(one.has_value() && other.has_value());
  EXPECT_NE(one->text, other->text);
  const Scanner scanner = scanner_with({one->pack});
  EXPECT_THAT(found(scanner, "the file says " + one->text + "."),
              ::testing::ElementsAre(one->text));
  EXPECT_THAT(found(scanner, other->text), ::testing::IsEmpty());
}

// The guarantee of winnowing: each passage of gram + kWinnow - 1 value bytes is found, whatever its
// line breaks and case; a shorter one than a gram never.
TEST(RegisteredPassagesTest, C3_EveryCopiedPassageIsFound) {
  std::mt19937 random(5);
  const std::vector<std::string> documents = {random_prose(random, 6000),
                                              random_prose(random, 3000)};
  const auto made =
      register_documents({.id = "minutes", .name = "", .severity = "high"}, documents, key_of(1));
  ASSERT_TRUE(made.has_value());
  EXPECT_LT(made->kept, 9000 * 3 / kWinnow);  // an eighth of all grams, not all
  const Scanner scanner = scanner_with({made->pack});
  for (int i = 0; i < 400; ++i) {
    const std::string& document = documents[static_cast<std::size_t>(i % 2)];
    std::size_t begin = random() % (document.size() - 200);
    std::size_t end = begin;
    for (std::size_t bytes = 0; bytes < kDefaultGram + kWinnow - 1; ++end) {
      bytes += is_value_byte(document[end]) ? 1 : 0;
    }
    std::string copied = document.substr(begin, end - begin);
    for (char& c : copied) {
      if (c == '\n') c = ' ';
      if (c >= 'a' && c <= 'z' && i % 3 == 0) c = static_cast<char>(c - 'a' + 'A');
    }
    const std::string text = random_prose(random, 150) + copied + " " + random_prose(random, 150);
    EXPECT_THAT(found(scanner, text), ::testing::SizeIs(1)) << copied;
  }
  EXPECT_THAT(found(scanner, random_prose(random, 100'000)), ::testing::IsEmpty());
}

TEST(RegisteredPassagesTest, C3_OnePassageIsOneFinding) {
  std::mt19937 random(6);
  const std::vector<std::string> documents = {random_prose(random, 4000)};
  const Scanner scanner = scanner_with(
      {register_documents({.id = "minutes", .name = "", .severity = "high"}, documents, key_of(1))
           .value()
           .pack});
  const std::string copied = documents[0].substr(1000, 2000);
  const auto all = found(scanner, "Before it. " + copied + " And behind.");
  ASSERT_THAT(all, ::testing::SizeIs(1));
  EXPECT_GT(all[0].size(), 1900U);
  EXPECT_THAT(copied, HasSubstr(all[0]));
}

// The oracle of C15 for what is registered, beside the built-in detectors: pieces of every size,
// with passages, values and words near, over and inside other findings, and under encodings.
TEST(RegisteredTest, C15_PiecesChangeNothing) {
  std::mt19937 random(7);
  const std::vector<std::string> documents = {
      random_prose(random, 1500) + "card 4111 1111 1111 1111 " + random_prose(random, 1500)};
  const std::vector<std::string> words = {"Project Falcon", "Kranich"};
  const Scanner scanner = scanner_with(
      {customers(),
       register_words({.id = "code-names", .name = "", .severity = "high"}, words).value().pack,
       register_documents({.id = "minutes", .name = "", .severity = "high"}, documents, key_of(3),
                          20)
           .value()
           .pack},
      /*with_builtin=*/true);
  const auto scratch = scanner.make_scratch();
  std::vector<std::string> samples = kCustomers;
  samples.insert(samples.end(),
                 {"project falcon", "PROJECT\u00A0KRANICH", "Kranich", "Erika", "bob@example.org",
                  "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75"});
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (std::size_t n = 1 + random() % 6; n > 0; --n) {
      std::string piece;
      switch (random() % 4) {
        case 0: piece = random_prose(random, random() % 60); break;
        case 1: piece = samples[random() % samples.size()]; break;
        case 2: piece = documents[0].substr(random() % 2500, random() % 400); break;
        default: {
          std::mt19937 same(static_cast<std::uint32_t>(i));
          piece = sample_text(80, static_cast<std::uint32_t>(same()));
        }
      }
      if (random() % 5 == 0) piece = to_base64(as_bytes(piece));
      text += piece;
      if (random() % 3 != 0) text += ' ';
    }
    if (text.empty()) continue;
    const testing::Judge judge(scanner, *scratch, text);
    for (const Part& part : judge.expected().parts) {
      if (part.kind == Part::Kind::kFinding) seen.insert(part.finding.detector);
    }
    for (const std::size_t width : {1U, 2U, 3U, 7U, 32U})
      ASSERT_TRUE(judge.same(judge.each(width)));
    for (int n = 0; n < 8; ++n) ASSERT_TRUE(judge.same(judge.random(random, 5)));
  }
  for (std::uint32_t i = 0; i < scanner.detectors().size(); ++i) {
    if (is_registered(scanner.detectors()[i].anchor)) {
      EXPECT_TRUE(seen.contains(i)) << scanner.detectors()[i].id;
    }
  }
}

// What only a mistake or a hostile hand writes.
TEST(RegisteredPackTest, C3_WhatDoesNotFitIsRefused) {
  const auto refuses = [](std::string_view keys, std::string_view why) {
    const auto parsed = parse_pack(
        "format = 1\npack = \"x\"\n[[detector]]\nid = \"x\"\nclass = \"registered.data\"\n" +
            std::string(keys),
        "x.toml");
    ASSERT_FALSE(parsed.has_value()) << keys;
    EXPECT_THAT(parsed.error().message(), HasSubstr(why)) << keys;
  };
  const std::string key = "key = \"AQIDBAUGBwgJCgsMDQ4PEA==\"\n";
  const std::string one = "fingerprints = \"AQAAAAAAAAA=\"\n";
  const std::string two_falling = "fingerprints = \"AgAAAAAAAAABAAAAAAAAAA==\"\n";
  const std::string values = "anchor = \"values\"\nmax_words = 2\nlengths = 64\n";
  refuses(values + key, "needs fingerprints");
  refuses(values + one, "needs key");
  refuses(values + key + two_falling, "ascending");
  refuses(values + key + "fingerprints = \"AQAAAAAA\"\n", "8 bytes each");
  refuses("anchor = \"values\"\nlengths = 64\n" + key + one, "needs max_words");
  refuses("anchor = \"passages\"\ngram = 3\n" + key + one, "16 to 128");
  refuses("anchor = \"passages\"\ngram = 20\nstream = \"monitor\"\n" + key + one,
          "no stream monitor");
  refuses("anchor = \"words\"\nwords = [\"...\"]\n", "cannot be found as a word");
  refuses("anchor = \"words\"\nwords = [\"ab\"]\n" + key, "takes no key");
  refuses("anchor = \"words\"\nwords = [\"ab\"]\npattern = \"ab\"\n", "has no pattern");
}

}  // namespace
}  // namespace candor::dlp
