// The journal's bytes against a Python-made file, then torn writes and damage at every byte.
#include "ledger/journal_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "ledger/testing/known_answers.h"

namespace candor::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::known_bytes;

TEST(JournalFormatTest, KnownAnswerIsReadAndWrittenAlike) {
  const Bytes known = known_bytes("journal-v1.bin");
  const auto scan = scan_segment(known);
  ASSERT_OK(scan);
  EXPECT_EQ(scan->header.first_index, 7U);
  EXPECT_EQ(scan->header.origin, "candor/66687aadf862bd776c8fc18b8e9f8e20");
  EXPECT_EQ(scan->end, SegmentEnd::kClean);
  ASSERT_EQ(scan->batches.size(), 2U);
  const Batch& first = scan->batches[0].batch;
  EXPECT_THAT(first.entries, ElementsAre("one", "two"));
  EXPECT_EQ(first.head, "head of nine");
  ASSERT_EQ(first.aux.size(), 2U);
  EXPECT_EQ(as_text(first.aux[0].payload), "slot");
  EXPECT_EQ(first.aux[0].state, AuxState::kLive);
  EXPECT_EQ(first.aux[1].state, AuxState::kErased);
  EXPECT_EQ(first.aux[1].kind, AuxKind::kSealedRecord);

  Bytes made = *encode_segment_header(scan->header);
  BatchBuilder builder;
  builder.begin(7);
  ASSERT_OK(builder.add_entry("one"));
  ASSERT_OK(builder.add_entry("two"));
  ASSERT_OK(builder.add_aux({.kind = AuxKind::kKeySlot, .payload = as_bytes("slot")}));
  ASSERT_OK(builder.add_aux({.kind = AuxKind::kSealedRecord, .payload = as_bytes("sealed")}));
  put_bytes(made, *builder.seal("head of nine"));
  // Erase the second record as the store does: the state, then the payload.
  const std::size_t start = scan->batches[0].offset;
  made[start + first.aux[1].state_offset] = static_cast<std::byte>(AuxState::kErased);
  EXPECT_OK(decode_batch(ByteView(made).subspan(start)));
  for (std::size_t i = 0; i < 6; ++i) made[start + first.aux[1].payload_offset + i] = std::byte{0};
  builder.begin(9);
  ASSERT_OK(builder.add_entry(std::string(5000, 'x')));
  put_bytes(made, *builder.seal("head of ten"));
  made.resize(made.size() + (2 * kJournalPage));
  EXPECT_EQ(made, known);
}

TEST(JournalFormatTest, SegmentNamesSortByIndex) {
  EXPECT_EQ(segment_name(0), "00000000000000000000.journal");
  EXPECT_EQ(segment_name(UINT64_MAX), "18446744073709551615.journal");
  EXPECT_EQ(*parse_segment_name(segment_name(1234)), 1234U);
  for (const char* bad : {"", "1.journal", "0000000000000000000x.journal",
                          "99999999999999999999.journal", "00000000000000000000.journal~"}) {
    EXPECT_FALSE(parse_segment_name(bad)) << bad;
  }
}

struct Made {
  Bytes segment;
  std::vector<std::size_t> ends;  // of each batch
};

Made three_batches() {
  Made made;
  made.segment = *encode_segment_header({.first_index = 0, .root = {}, .origin = "candor/x"});
  BatchBuilder builder;
  for (std::uint64_t i = 0; i < 3; ++i) {
    builder.begin(i);
    EXPECT_OK(builder.add_entry(std::string(3000, static_cast<char>('a' + i))));
    EXPECT_OK(
        builder.add_aux({.kind = AuxKind::kKeySlot, .payload = as_bytes(std::string(2000, 'k'))}));
    put_bytes(made.segment, *builder.seal("head"));
    made.ends.push_back(made.segment.size());
  }
  made.segment.resize(made.segment.size() + (3 * kJournalPage));
  return made;
}

TEST(JournalFormatTest, TornLastWriteIsATornTailAndLosesNothingBefore) {
  const Made made = three_batches();
  for (std::size_t cut = made.ends[1]; cut < made.ends[2]; cut += 97) {
    Bytes torn = made.segment;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(cut),
              torn.begin() + static_cast<std::ptrdiff_t>(made.ends[2]), std::byte{0});
    if (torn == made.segment) continue;
    const auto scan = scan_segment(torn);
    ASSERT_OK(scan);
    EXPECT_EQ(scan->batches.size(), 2U) << cut;
    EXPECT_EQ(scan->end_offset, made.ends[1]);
    EXPECT_EQ(scan->end, cut == made.ends[1] ? SegmentEnd::kClean : SegmentEnd::kTornTail) << cut;
  }
}

TEST(JournalFormatTest, ChangeInsideWhatWasAcknowledgedIsDamage) {
  const Made made = three_batches();
  std::size_t erased_states = 0;
  for (std::size_t at = kJournalPage; at < made.ends[1]; at += 7) {
    Bytes changed = made.segment;
    changed[at] ^= std::byte{0x41};
    const auto scan = scan_segment(changed);
    ASSERT_OK(scan);
    if (scan->end == SegmentEnd::kClean) {
      ++erased_states;
      continue;
    }
    EXPECT_EQ(scan->end, SegmentEnd::kDamage) << at;
    EXPECT_EQ(scan->end_offset, at < made.ends[0] ? kJournalPage : made.ends[0]) << at;
    EXPECT_THAT(scan->what, HasSubstr("at byte"));
  }
  EXPECT_EQ(erased_states, 0U);
  for (std::size_t at = 0; at < kJournalPage; ++at) {
    Bytes changed = made.segment;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(scan_segment(changed)) << at;
  }
}

// The last batch was acknowledged too: a changed byte behind it must not have it dropped as torn.
TEST(JournalFormatTest, PaddingThatIsNotZeroIsDamageOfTheLastBatchToo) {
  const Made made = three_batches();
  for (const std::size_t end : made.ends) {
    Bytes changed = made.segment;
    changed[end - 1] = std::byte{1};
    const auto scan = scan_segment(changed);
    ASSERT_OK(scan);
    EXPECT_EQ(scan->end, SegmentEnd::kDamage);
    EXPECT_THAT(scan->what, HasSubstr("padding is not zero"));
  }
}

TEST(JournalFormatTest, SwappedAndMissingBatchesAreDamage) {
  const Made made = three_batches();
  Bytes missing(made.segment.begin(),
                made.segment.begin() + static_cast<std::ptrdiff_t>(made.ends[0]));
  missing.insert(missing.end(), made.segment.begin() + static_cast<std::ptrdiff_t>(made.ends[1]),
                 made.segment.end());
  const auto scan = scan_segment(missing);
  ASSERT_OK(scan);
  EXPECT_EQ(scan->end, SegmentEnd::kDamage);
  EXPECT_EQ(scan->batches.size(), 1U);
  EXPECT_THAT(scan->what, HasSubstr("entry 2 stands where entry 1 is due"));
}

TEST(JournalFormatTest, BoundsAreKept) {
  BatchBuilder builder;
  builder.begin(0);
  EXPECT_THAT(builder.seal("head"), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(builder.add_entry(std::string(65'536, 'x')), HasCode(Code::kInvalidArgument));
  ASSERT_OK(builder.add_entry(std::string(65'535, 'x')));
  EXPECT_THAT(builder.seal(""), HasCode(Code::kInvalidArgument));
  const auto sealed = builder.seal("head");
  ASSERT_OK(sealed);
  EXPECT_EQ(sealed->size() % kJournalPage, 0U);
  EXPECT_EQ(decode_batch(*sealed)->entries.front().size(), 65'535U);
  EXPECT_THAT(decode_batch(sealed->first(kJournalPage)), HasCode(Code::kInvalidArgument));
  builder.begin(0);
  for (std::size_t i = 0; i < kMaxBatchEntries; ++i) ASSERT_OK(builder.add_entry(""));
  EXPECT_THAT(builder.add_entry(""), HasCode(Code::kResourceExhausted));
}

}  // namespace
}  // namespace candor::ledger
