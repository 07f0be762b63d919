// Known answers for every type (testdata/, made by Python), then identity of both directions, then
// hostile entries.
#include "ledger/entry.h"

#include <cmath>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "json/json.h"
#include "ledger/merkle.h"
#include "ledger/testing/known_answers.h"
#include "ledger/testing/log_maker.h"

namespace candor::ledger {
namespace {

using testing::known_text;

const char* const kTypes[] = {
    "start",   "stop",  "key_change", "clock_step",    "load",    "unload", "intent",   "progress",
    "outcome", "abort", "refusal",    "configuration", "erasure", "admin",  "decision", "policy"};

TEST(EntryTest, KnownAnswerOfEveryTypeIsReadAndWrittenAlikeAndHasItsLeafHash) {
  std::istringstream hashes(known_text("entries.txt"));
  std::string name;
  std::string leaf;
  std::size_t count = 0;
  while (hashes >> name >> leaf) {
    SCOPED_TRACE(name);
    const std::string text = known_text(name + ".json");
    EXPECT_EQ(to_hex(hash_leaf(as_bytes(text))), leaf);
    const auto entry = decode(text);
    ASSERT_OK(entry);
    EXPECT_EQ(type_name(*entry), name.substr(0, name.find('.')));  // load and load.upstream
    const auto again = encode(*entry);
    ASSERT_OK(again);
    EXPECT_EQ(*again, text);
    const auto canonical = json::parse_canonical(text);
    EXPECT_OK(canonical);
    if (name.find('.') == std::string::npos) ++count;
  }
  EXPECT_EQ(count, std::size(kTypes));
  EXPECT_EQ(count, std::variant_size_v<Entry>);
}

TEST(EntryTest, S3_KnownAnswerOfAnErasureOfSingleFieldsIsReadAndWrittenAlike) {
  const std::string text = known_text("erasure-field.json");
  const auto entry = decode(text);
  ASSERT_OK(entry);
  EXPECT_EQ(*encode(*entry), text);
  const auto& erasure = std::get<Erasure>(*entry);
  EXPECT_EQ(erasure.scope, "field");
  EXPECT_EQ(erasure.fields, (std::vector<std::string>{"messages/0/parts/0/text", "nonce"}));
}

TEST(EntryTest, FieldsOfTheKnownIntentStandWhereTheyBelong) {
  const auto entry = decode(known_text("intent.json"));
  ASSERT_OK(entry);
  const auto& e = std::get<Intent>(*entry);
  EXPECT_EQ(e.at.time_us, 1'767'225'604'000'000);
  EXPECT_EQ(e.parameters.seed, UINT64_MAX);
  EXPECT_EQ(e.parameters.max_tokens, 256U);
  EXPECT_EQ(e.parameters.temperature, "0.7");
  EXPECT_EQ(e.provenance.adapters.size(), 2U);
  EXPECT_EQ(e.provenance.weights, testing::digest_of("weights"));
  EXPECT_EQ(e.provenance.usage_basis, Basis::kDeclared);
  EXPECT_EQ(e.received, testing::digest_of("received"));
  EXPECT_TRUE(e.stream);
}

TEST(EntryTest, WrittenEntriesAreWhatTheJsonLibraryCallsCanonical) {
  testing::LogMaker log(3);
  log.run(40);
  log.rotate_key(5);
  for (const std::string& text : log.texts) {
    const auto value = json::parse(text);
    ASSERT_OK(value);
    EXPECT_EQ(*json::canonical(*value), text);
  }
}

// The property that gives an entry one meaning: whatever is accepted is written back to the byte.
TEST(EntryTest, S7_NoChangedEntryIsReadAsAnotherSpelling) {
  std::mt19937_64 random(5);
  std::size_t accepted = 0;
  for (const char* type : kTypes) {
    const std::string text = known_text(std::string(type) + ".json");
    for (int round = 0; round < 4000; ++round) {
      std::string changed = text;
      const std::size_t at = random() % changed.size();
      switch (random() % 4) {
        case 0: changed[at] = static_cast<char>(random()); break;
        case 1: changed.erase(at, 1 + (random() % 3)); break;
        case 2: changed.insert(at, 1, static_cast<char>(random() % 128)); break;
        default: std::swap(changed[at], changed[random() % changed.size()]); break;
      }
      const auto entry = decode(changed);
      if (!entry) continue;
      ++accepted;
      ASSERT_EQ(*encode(*entry), changed) << type;
    }
  }
  EXPECT_GT(accepted, 1000U);  // many changes make another lawful entry
}

TEST(EntryTest, S7_OtherSpellingsOfTheSameValuesAreRefused) {
  const std::string text = known_text("progress.json");
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string out = text;
    const std::size_t at = out.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return out.replace(at, from.size(), to);
  };
  for (const std::string& bad : {
           replaced("\"v\":1", "\"v\":2"),
           replaced("\"v\":1", "\"v\":1.0"),
           replaced("\"v\":1", "\"v\":1,\"w\":0"),
           replaced("\"v\":1", "\"v\":1,\"v\":1"),
           replaced("4096", "04096"),
           replaced("4096", "4096.0"),
           replaced("4096", "4.096e3"),
           replaced("4096", "-4096"),
           replaced("4096", "\"4096\""),
           replaced("4096", "9007199254740992"),
           replaced("\"6\"", "6"),
           replaced("\"6\"", "\"06\""),
           replaced("\"6\"", "\"18446744073709551616\""),
           replaced("\"6\"", "\"\""),
           replaced("progress", "pr\\u006fgress"),
           replaced("progress", "unknown"),
           replaced("0404", "040G"),
           replaced("\"exchange\":", "\"exchange\": "),
           " " + text,
           text + " ",
           text + "\n",
           text.substr(0, text.size() - 1),
           std::string("{}"),
           std::string(""),
           std::string("null"),
       }) {
    EXPECT_THAT(decode(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
}

TEST(EntryTest, ValuesOutsideTheirBoundsAreNotWritten) {
  const auto base = std::get<Intent>(*decode(known_text("intent.json")));
  const auto refused = [&](auto change) {
    Intent e = base;
    change(e);
    const auto written = encode(e);
    EXPECT_THAT(written, HasCode(Code::kInvalidArgument));
    if (!written) EXPECT_EQ(written.error().message().find("secret"), std::string::npos);
  };
  refused([](Intent& e) { e.at.time_us = -1; });
  refused([](Intent& e) { e.received_bytes = 1ULL << 53U; });
  refused([](Intent& e) { e.provenance.model = "secret name\n"; });
  refused([](Intent& e) { e.provenance.model = ""; });
  refused([](Intent& e) { e.provenance.model = std::string(129, 'x'); });
  refused([](Intent& e) { e.caller = "secret person"; });
  refused([](Intent& e) { e.api = "OpenAI"; });
  refused([](Intent& e) { e.content = "secret"; });
  refused([](Intent& e) { e.parameters.temperature = "0.70"; });
  refused([](Intent& e) { e.parameters.temperature = "1e3"; });
  refused([](Intent& e) { e.provenance.adapters.resize(65); });
  Erasure erasure = std::get<Erasure>(*decode(known_text("erasure.json")));
  erasure.exchanges.resize(1000);
  EXPECT_OK(encode(erasure));
  erasure.exchanges.resize(1001);
  EXPECT_THAT(encode(erasure), HasCode(Code::kInvalidArgument));
}

TEST(EntryTest, FractionsHaveOneSpelling) {
  EXPECT_EQ(*decimal_text(0.7), "0.7");
  EXPECT_EQ(*decimal_text(1.0), "1");
  EXPECT_EQ(*decimal_text(0.0), "0");
  EXPECT_EQ(*decimal_text(0.95), "0.95");
  EXPECT_EQ(*decimal_text(123456789.5), "123456789.5");
  EXPECT_EQ(*decimal_text(1e-5), "0.00001");
  EXPECT_EQ(*decimal_text(1e-300), "0");
  EXPECT_OK(decimal_text(0.1 + 0.2));
  EXPECT_THAT(decimal_text(-0.5), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(decimal_text(1e9), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(decimal_text(std::nan("")), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(decimal_text(INFINITY), HasCode(Code::kInvalidArgument));
}

}  // namespace
}  // namespace candor::ledger
