#include "ledger/content_check.h"

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "ledger/testing/log_maker.h"

namespace candor::ledger {
namespace {

using testing::transcript_of;

struct Half {
  SealedRecord record;
  TranscriptCommitment first, second;
};

// Commitments of both transcripts of a request, as they stand in a sealed record.
Half request(const Id128& id, const std::string& text) {
  FakeRandom random(5);
  Digest root{};
  random.fill(root);
  Half half;
  half.record.id = id;
  for (const std::string_view name : {"request.received", "request.forwarded"}) {
    const Transcript said = transcript_of({{"model", "tiny"}, {"prompts/0", text}});
    const auto made = commit(opening_key(Root(root), name), id, name, said);
    SealedTranscript transcript{.name = std::string(name), .fields = {}};
    for (const FieldCommitment& field : made.fields) {
      transcript.fields.push_back({.path = field.path, .commitment = field.value, .text = {}});
    }
    half.record.transcripts.push_back(transcript);
    (name == "request.received" ? half.first : half.second) = made;
  }
  return half;
}

Id128 id_of(unsigned char byte) {
  Id128 id{};
  id.fill(static_cast<std::byte>(byte));
  return id;
}

TEST(ContentCheckTest, ContentIsHeldAgainstTheEntriesThatCommitToIt) {
  const Half half = request(id_of(1), "what was asked");
  Intent intent;
  intent.exchange = id_of(1);
  intent.received = half.first.root;
  intent.forwarded = half.second.root;
  const Entry entries[] = {intent};
  EXPECT_OK(check_logged(half.record, entries));

  // Other texts of the same shape, sealed by somebody else.
  EXPECT_THAT(check_logged(request(id_of(1), "what was not asked").record, entries),
              HasCode(Code::kDataLoss));
  // A record of another exchange, whose commitments are of its own id.
  EXPECT_THAT(check_logged(request(id_of(2), "what was asked").record, entries),
              HasCode(Code::kDataLoss));
  // A dropped field, a reordered one, and a transcript that no entry knows.
  SealedRecord changed = half.record;
  changed.transcripts[0].fields.pop_back();
  EXPECT_THAT(check_logged(changed, entries), HasCode(Code::kDataLoss));
  changed = half.record;
  std::swap(changed.transcripts[1].fields[0], changed.transcripts[1].fields[1]);
  EXPECT_THAT(check_logged(changed, entries), HasCode(Code::kDataLoss));
  changed = half.record;
  changed.transcripts[1].name = "answer.produced";
  EXPECT_THAT(check_logged(changed, entries), HasCode(Code::kDataLoss));
  EXPECT_THAT(check_logged(half.record, {}), HasCode(Code::kDataLoss));
}

TEST(ContentCheckTest, EachTypeOfEntryCommitsToItsOwnTranscripts) {
  Outcome outcome;
  outcome.exchange = id_of(3);
  outcome.produced[0] = std::byte{1};
  outcome.released[0] = std::byte{2};
  EXPECT_EQ(logged_commitment(outcome, id_of(3), "answer.produced"), outcome.produced);
  EXPECT_EQ(logged_commitment(outcome, id_of(3), "answer.released"), outcome.released);
  EXPECT_EQ(logged_commitment(outcome, id_of(3), "request.received"), std::nullopt);
  EXPECT_EQ(logged_commitment(outcome, id_of(4), "answer.released"), std::nullopt);
  Admin act;
  act.act = id_of(5);
  act.reason[0] = std::byte{3};
  EXPECT_EQ(logged_commitment(act, id_of(5), "note"), act.reason);
  Erasure erasure;
  erasure.act = id_of(6);
  erasure.reason[0] = std::byte{4};
  EXPECT_EQ(logged_commitment(erasure, id_of(6), "note"), erasure.reason);
  Configuration configuration;
  configuration.note = id_of(7);
  configuration.digest[0] = std::byte{5};
  EXPECT_EQ(logged_commitment(configuration, id_of(7), "note"), configuration.digest);
}

}  // namespace
}  // namespace candor::ledger
