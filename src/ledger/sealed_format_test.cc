#include "ledger/sealed_format.h"

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "base/text.h"
#include "json/json.h"
#include "ledger/content_check.h"
#include "ledger/key_table_format.h"
#include "ledger/testing/known_answers.h"
#include "ledger/testing/log_maker.h"

namespace candor::ledger {
namespace {

using testing::known_bytes;
using testing::transcript_of;

struct Sealed {
  Root root;
  Id128 id{};
  Transcript received, forwarded;
  Bytes bytes;
};

Sealed make() {
  FakeRandom random(9);
  Sealed out;
  Digest root;
  random.fill(root);
  out.root = Root(root);
  out.id = make_id(random);
  out.received = transcript_of({{"messages/0/role", "user"},
                                {"messages/0/parts/0/text", "a text that both transcripts have"},
                                {"empty", ""}});
  out.forwarded = transcript_of({{"messages/0/role", "user"},
                                 {"messages/0/parts/0/text", "a text that both transcripts have"}});
  const auto c1 =
      commit(opening_key(out.root, "request.received"), out.id, "request.received", out.received);
  const auto c2 = commit(opening_key(out.root, "request.forwarded"), out.id, "request.forwarded",
                         out.forwarded);
  const SealInput inputs[] = {{"request.received", &out.received, &c1},
                              {"request.forwarded", &out.forwarded, &c2}};
  out.bytes = *seal_exchange(out.root, out.id, inputs, random);
  return out;
}

TEST(SealedFormatTest, ContentOpensAndEqualTextsAreKeptOnce) {
  const Sealed made = make();
  const auto record = decode_sealed_record(made.bytes);
  ASSERT_OK(record);
  EXPECT_EQ(*encode_sealed_record(*record), made.bytes);
  ASSERT_EQ(record->transcripts.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<SameAs>(record->transcripts[1].fields[1].text));
  EXPECT_TRUE(std::holds_alternative<Bytes>(record->transcripts[1].fields[0].text));
  const auto opened = open_sealed_record(*record, made.root);
  ASSERT_OK(opened);
  for (std::size_t i = 0; i < made.received.size(); ++i) {
    EXPECT_EQ((*opened)[0].texts[i]->reveal(), made.received[i].text.reveal());
  }
  EXPECT_EQ((*opened)[1].texts[1]->reveal(), made.forwarded[1].text.reveal());
}

// testdata/make_sealed.py: an exchange that Candor did not make.
TEST(SealedFormatTest, KnownAnswerOfAnIndependentToolIsReadOpenedAndWrittenAlike) {
  const Bytes known = known_bytes("sealed-v1.bin");
  const auto value = json::parse(testing::known_text("sealed-v1.json"));
  ASSERT_OK(value);
  const json::Object& about = value->as_object();
  const auto record = decode_sealed_record(known);
  ASSERT_OK(record);
  EXPECT_EQ(*encode_sealed_record(*record), known);
  EXPECT_EQ(to_hex(record->id), about.at("id").as_string());
  const Root root(*digest_from_hex(std::string(about.at("root").as_string())));
  const auto opened = open_sealed_record(*record, root);
  ASSERT_OK(opened);
  ASSERT_EQ(opened->size(), 2U);
  std::size_t texts = 0;
  std::size_t absent = 0;
  for (std::size_t t = 0; t < opened->size(); ++t) {
    const json::Object& transcript =
        about.at("transcripts").as_object().at((*opened)[t].name).as_object();
    const json::Array& fields = transcript.at("fields").as_array();
    ASSERT_EQ((*opened)[t].texts.size(), fields.size());
    for (std::size_t f = 0; f < fields.size(); ++f) {
      EXPECT_EQ(record->transcripts[t].fields[f].path, fields[f].as_array()[0].as_string());
      if (!(*opened)[t].texts[f]) {
        ++absent;
        continue;
      }
      EXPECT_EQ((*opened)[t].texts[f]->reveal(), fields[f].as_array()[1].as_string());
      ++texts;
    }
  }
  EXPECT_EQ(texts, 8U);
  EXPECT_EQ(absent, 1U);
  // And it is what the entry made beside it commits to.
  const auto intent = decode(std::string(about.at("intent").as_string()));
  ASSERT_OK(intent);
  EXPECT_OK(check_logged(*record, std::span(&*intent, 1)));
}

TEST(SealedFormatTest, AnotherRootAndAnyChangedByteDoNotOpen) {
  const Sealed made = make();
  const auto record = decode_sealed_record(made.bytes);
  ASSERT_OK(record);
  EXPECT_THAT(open_sealed_record(*record, Root(Digest{})), HasCode(Code::kDataLoss));
  std::size_t unread = 0;
  for (std::size_t at = 0; at < made.bytes.size(); ++at) {
    Bytes changed = made.bytes;
    changed[at] ^= std::byte{4};
    const auto other = decode_sealed_record(changed);
    if (!other) {
      ++unread;
      continue;
    }
    EXPECT_THAT(open_sealed_record(*other, made.root), HasCode(Code::kDataLoss)) << at;
  }
  EXPECT_GT(unread, 0U);
}

TEST(SealedFormatTest, EveryCutIsRefused) {
  const Sealed made = make();
  for (std::size_t size = 0; size < made.bytes.size(); ++size) {
    EXPECT_FALSE(decode_sealed_record(ByteView(made.bytes).first(size))) << size;
  }
  Bytes longer = made.bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_sealed_record(longer));
}

TEST(SealedFormatTest, ReferencesForwardOrToThemselvesAreRefused) {
  SealedRecord record;
  record.transcripts.resize(1);
  record.transcripts[0].name = "note";
  record.transcripts[0].fields.resize(2);
  record.transcripts[0].fields[0].text = SameAs{.transcript = 0, .field = 1};
  record.transcripts[0].fields[1].text = Bytes(40);
  EXPECT_THAT(encode_sealed_record(record), HasCode(Code::kInvalidArgument));
  record.transcripts[0].fields[0].text = SameAs{.transcript = 0, .field = 0};
  EXPECT_THAT(encode_sealed_record(record), HasCode(Code::kInvalidArgument));
  record.transcripts[0].fields[0].text = Bytes(40);
  record.transcripts[0].fields[1].text = SameAs{.transcript = 0, .field = 0};
  EXPECT_OK(encode_sealed_record(record));
}

TEST(KeyTableFormatTest, KnownAnswersAreReadAndWrittenAlike) {
  const Bytes known = known_bytes("key-slot-v1.bin");
  const auto slot = decode_key_slot(known);
  ASSERT_OK(slot);
  EXPECT_EQ(slot->kind, SlotKind::kExchange);
  EXPECT_EQ(slot->epoch, 3U);
  EXPECT_EQ(slot->entry_index, 6U);
  EXPECT_EQ(slot->first_wrap, Bytes(72, std::byte{0xA1}));
  EXPECT_EQ(*encode_key_slot(*slot), known);
  EXPECT_EQ(erased_key_slot(*slot), known_bytes("key-slot-erased-v1.bin"));
  const auto erased = decode_key_slot(known_bytes("key-slot-erased-v1.bin"));
  ASSERT_OK(erased);
  EXPECT_EQ(erased->state, SlotState::kErased);
  EXPECT_EQ(erased->id, slot->id);
  EXPECT_TRUE(erased->first_wrap.empty());
}

TEST(KeyTableFormatTest, S3_AnErasedSlotHoldsNoByteOfTheWraps) {
  const auto slot = decode_key_slot(known_bytes("key-slot-v1.bin"));
  ASSERT_OK(slot);
  const Bytes erased = erased_key_slot(*slot);
  for (std::size_t i = 20; i < 248; ++i) EXPECT_EQ(erased[i], std::byte{0}) << i;
}

TEST(KeyTableFormatTest, EveryChangedByteIsToldAndZerosAreEmpty) {
  const Bytes known = known_bytes("key-slot-v1.bin");
  for (std::size_t at = 0; at < known.size(); ++at) {
    Bytes changed = known;
    changed[at] ^= std::byte{1};
    EXPECT_THAT(decode_key_slot(changed), HasCode(Code::kDataLoss)) << at;
  }
  EXPECT_EQ(decode_key_slot(Bytes(kKeySlotBytes))->kind, SlotKind::kEmpty);
  EXPECT_FALSE(decode_key_slot(Bytes(kKeySlotBytes - 1)));
  EXPECT_OK(check_key_table_header(encode_key_table_header()));
  EXPECT_FALSE(check_key_table_header(Bytes(kKeyTablePage)));
  EXPECT_FALSE(
      encode_key_slot({.kind = SlotKind::kNote, .first_wrap = Bytes(71), .second_wrap = {}}));
}

}  // namespace
}  // namespace candor::ledger
