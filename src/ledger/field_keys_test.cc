#include "ledger/field_keys.h"

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "base/text.h"
#include "json/json.h"
#include "ledger/testing/known_answers.h"

namespace candor::ledger {
namespace {

using testing::known_bytes;
using testing::known_text;

class FieldKeysTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto value = json::parse(known_text("sealed-v1.json"));
    ASSERT_OK(value);
    const json::Object& about = value->as_object();
    root_ = Root(*digest_from_hex(std::string(about.at("root").as_string())));
    key_ = Sensitive<Digest>(*digest_from_hex(std::string(about.at("field_key").as_string())));
    erased_ = std::string(about.at("erased").as_string());
    record_ = *decode_sealed_record(known_bytes("sealed-v1.bin"));
  }
  Root root_;
  Sensitive<Digest> key_;
  std::string erased_;
  SealedRecord record_;
};

// testdata/make_sealed.py
TEST_F(FieldKeysTest, S3_KnownAnswerOfAnIndependentToolOpensAllFieldsButTheErasedOne) {
  const Bytes known = known_bytes("field-keys-v1.bin");
  const auto keys = decode_field_keys(known, record_.id, key_);
  ASSERT_OK(keys);
  const auto whole = open_sealed_record(record_, root_);
  const auto opened = open_sealed_record(record_, *keys);
  ASSERT_OK(opened);
  std::size_t same = 0;
  for (std::size_t t = 0; t < opened->size(); ++t) {
    for (std::size_t f = 0; f < (*opened)[t].texts.size(); ++f) {
      const auto& text = (*opened)[t].texts[f];
      if (record_.transcripts[t].fields[f].path == erased_) {
        EXPECT_FALSE(text);
        continue;
      }
      ASSERT_EQ(text.has_value(), (*whole)[t].texts[f].has_value());
      if (!text) continue;
      EXPECT_EQ(text->reveal(), (*whole)[t].texts[f]->reveal());
      ++same;
    }
  }
  EXPECT_EQ(same, 6U);
  // What is derived here is what the tool derived.
  for (const FieldKeys& made : keys_without(record_, root_, {erased_})) {
    const auto found = std::ranges::find_if(*keys, [&](const FieldKeys& one) {
      return one.transcript == made.transcript && one.path == made.path;
    });
    ASSERT_NE(found, keys->end()) << made.path;
    EXPECT_EQ(found->content.reveal(), made.content.reveal());
    EXPECT_EQ(found->opening.reveal(), made.opening.reveal());
  }
  // And it is written as it was read, but for the nonce and what hangs on it.
  FakeRandom random(1);
  const Bytes again = encode_field_keys(record_.id, key_, *keys, random);
  ASSERT_EQ(again.size(), known.size());
  EXPECT_TRUE(std::equal(again.begin(), again.begin() + 28, known.begin()));
  EXPECT_EQ(decode_field_keys(again, record_.id, key_)->size(), keys->size());
}

TEST_F(FieldKeysTest, S3_AFieldThatSharesTheTextGoesWithIt) {
  // received and forwarded have the text in common; it is sealed once.
  const std::vector<std::string> touched{"request.received", "request.forwarded"};
  EXPECT_EQ(transcripts_touched(record_, {erased_}), touched);
  for (const FieldKeys& left : keys_without(record_, root_, {erased_})) {
    EXPECT_NE(left.path, erased_) << left.transcript;
  }
  EXPECT_EQ(transcripts_touched(record_, {"nonce"}), std::vector<std::string>{"request.received"});
  EXPECT_TRUE(transcripts_touched(record_, {"no/such/path"}).empty());
  // A second erasure goes on from what the first one left.
  const auto once = keys_without(record_, root_, {erased_});
  const auto twice = keys_without(record_, once, {"nonce"});
  EXPECT_EQ(once.size(), 7U);
  EXPECT_EQ(twice.size(), 6U);
}

TEST_F(FieldKeysTest, AnotherKeyAnotherExchangeAndAnyChangedByteAreRefused) {
  const Bytes known = known_bytes("field-keys-v1.bin");
  EXPECT_FALSE(decode_field_keys(known, record_.id, root_));
  Id128 other = record_.id;
  other[3] ^= std::byte{1};
  EXPECT_FALSE(decode_field_keys(known, other, key_));
  for (std::size_t at = 0; at < known.size(); ++at) {
    Bytes changed = known;
    changed[at] ^= std::byte{4};
    EXPECT_FALSE(decode_field_keys(changed, record_.id, key_)) << at;
  }
  for (std::size_t size = 0; size < known.size(); ++size) {
    EXPECT_FALSE(decode_field_keys(ByteView(known).first(size), record_.id, key_)) << size;
  }
}

}  // namespace
}  // namespace candor::ledger
