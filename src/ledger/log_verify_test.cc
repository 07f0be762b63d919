// Whole logs: lawful ones verify, and each rule of docs/formats/entries.md is broken once, validly
// re-signed, and named with its place. The broad mutations are in mutation_test.cc.
#include "ledger/log_verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "ledger/testing/log_maker.h"

namespace candor::ledger {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using testing::LogMaker;
using testing::MemoryFolder;
using ::testing::Not;
using testing::publish;
using testing::write_journal;

LogReport verify(MemoryFolder& folder, const LogQuestion& question = {}) {
  const auto report = verify_log(folder, question);
  EXPECT_THAT(report, IsOk());
  return report ? *report : LogReport{};
}

// Signed again after a change: the texts as they are now.
LogReport verify_resigned(LogMaker& log, const LogQuestion& question = {}) {
  MemoryFolder folder;
  publish(folder, log.texts, log.signed_head(log.texts.size()));
  return verify(folder, question);
}

TEST(LogVerifyTest, LawfulLogsOfManySizesVerify) {
  for (const std::size_t exchanges : {0U, 1U, 5U, 90U, 120U, 400U}) {
    LogMaker log(exchanges + 1);
    log.run(exchanges);
    log.stop();
    const LogReport report = verify_resigned(log, {.log_key = log.verifier(),
                                                   .witnesses = {},
                                                   .pin = log.pin(log.texts.size() / 2),
                                                   .progress = {}});
    EXPECT_FALSE(report.fault) << report.fault->what;
    EXPECT_FALSE(any_fails(report.findings));
    EXPECT_EQ(report.head.size, log.texts.size());
    EXPECT_EQ(report.summary.intents, report.summary.outcomes + report.summary.aborts);
  }
}

TEST(LogVerifyTest, RunsFollowEachOtherAndACrashLeavesAborts) {
  LogMaker log(2);
  log.run(3);
  log.intent();
  const std::uint64_t open = log.intent();
  log.progress(open, 4096);
  log.run(3);  // the next run begins with the aborts
  log.stop();
  log.run(2);
  log.intent();
  const LogReport report = verify_resigned(log);
  EXPECT_FALSE(report.fault) << report.fault->what;
  EXPECT_EQ(report.summary.runs, 3U);
  EXPECT_EQ(report.summary.open, 1U);
}

TEST(LogVerifyTest, JournalGoesOnFromTheCheckpoint) {
  LogMaker log(3);
  log.run(60);
  for (const std::uint64_t published : {0ULL, 7ULL, 80ULL}) {
    MemoryFolder folder;
    if (published != 0) {
      const std::vector<std::string> first(
          log.texts.begin(), log.texts.begin() + static_cast<std::ptrdiff_t>(published));
      publish(folder, first, log.signed_head(published));
    }
    write_journal(folder, log, published, 9);
    const LogReport report = verify(folder, {.log_key = log.verifier(),
                                             .witnesses = {},
                                             .pin = log.pin(log.texts.size()),
                                             .progress = {}});
    EXPECT_FALSE(report.fault) << report.fault->what;
    EXPECT_EQ(report.published.size, published);
    EXPECT_EQ(report.head.size, log.texts.size());
    EXPECT_FALSE(any_fails(report.findings));
  }
}

TEST(LogVerifyTest, JournalThatOverlapsThePublishedPartIsNoFault) {
  LogMaker log(4);
  log.run(20);
  MemoryFolder folder;
  const std::uint64_t published = 18;
  const std::vector<std::string> first(log.texts.begin(), log.texts.begin() + 18);
  publish(folder, first, log.signed_head(published));
  write_journal(folder, log, 0, 6);
  const LogReport report = verify(folder);
  EXPECT_FALSE(report.fault) << report.fault->what;
  EXPECT_EQ(report.head.size, log.texts.size());
}

TEST(LogVerifyTest, A19_TilesOfAnotherLengthThanTheirNamesSayAreFound) {
  LogMaker log(13);
  log.run(130);
  ASSERT_GT(log.texts.size(), 256U);
  MemoryFolder lawful;
  publish(lawful, log.texts, log.signed_head(log.texts.size()));
  for (const auto& [path, bytes] : lawful.files) {
    if (path == "checkpoint") continue;
    for (const std::size_t more : {1U, 32U, 8192U - 32U}) {
      MemoryFolder folder = lawful;
      folder.files[path].resize(bytes.size() + more);
      const LogReport report = verify(folder);
      ASSERT_TRUE(report.fault) << path << " and " << more;
      EXPECT_THAT(report.fault->what, HasSubstr(path));
    }
  }
}

TEST(LogVerifyTest, AMalformedCheckpointIsNamed) {
  LogMaker log(14);
  log.run(1);
  MemoryFolder folder;
  publish(folder, log.texts, "no note");
  const auto report = verify_log(folder, {});
  EXPECT_THAT(report, HasCode(Code::kInvalidArgument));
  EXPECT_THAT(report.error().message(), HasSubstr("checkpoint: "));
}

TEST(LogVerifyTest, S4_RollbackIsFoundAgainstAPinAndAnnouncedWithoutOne) {
  LogMaker log(5);
  log.run(30);
  const Pin newer = log.pin(log.texts.size());
  const std::size_t size = 40;
  ASSERT_GT(log.texts.size(), size);
  MemoryFolder folder;
  const std::vector<std::string> first(log.texts.begin(), log.texts.begin() + size);
  publish(folder, first, log.signed_head(size));
  EXPECT_THAT(verify(folder).findings,
              Contains(Field(&Finding::what, HasSubstr("rollback not excluded after size 40"))));
  LogQuestion question{.log_key = log.verifier(), .witnesses = {}, .pin = newer, .progress = {}};
  const LogReport exported = verify(folder, question);
  EXPECT_TRUE(any_fails(exported.findings));
  EXPECT_THAT(exported.findings,
              Contains(Field(&Finding::what, HasSubstr("rollback or not yet published"))));
  EXPECT_THAT(exported.findings,
              Contains(Field(&Finding::where, "log 40, pin " + std::to_string(newer.size))));
  folder.with_journal = true;
  EXPECT_THAT(verify(folder, question).findings,
              Contains(Field(&Finding::what, HasSubstr("the log was rolled back"))));
}

TEST(LogVerifyTest, S4_ForkIsFoundAgainstAPin) {
  LogMaker log(6);
  log.run(30);
  Pin pin = log.pin(20);
  pin.root[5] ^= std::byte{1};
  const LogReport report = verify_resigned(
      log, {.log_key = log.verifier(), .witnesses = {}, .pin = pin, .progress = {}});
  EXPECT_THAT(report.findings, Contains(Field(&Finding::what, HasSubstr("the log was forked"))));
}

TEST(LogVerifyTest, S7_KeyChangeIsFollowedAndBothKeysSignDuringTheOverlap) {
  LogMaker log(7);
  log.run(10);
  const VerifierKey first = log.verifier();
  log.rotate_key(6);
  LogReport report =
      verify_resigned(log, {.log_key = first, .witnesses = {}, .pin = {}, .progress = {}});
  EXPECT_FALSE(report.fault) << report.fault->what;
  EXPECT_FALSE(any_fails(report.findings));
  // The older key's line is left out although the overlap asks for it.
  MemoryFolder folder;
  const crypto::SigningKey* only_new[] = {&log.key()};
  publish(folder, log.texts, sign_checkpoint(log.head(log.texts.size()), only_new));
  EXPECT_THAT(verify(folder).fault->what, HasSubstr("lacks the older key's signature"));
  for (int i = 0; i < 6; ++i) log.outcome(log.intent());
  report =
      verify_resigned(log, {.log_key = log.verifier(), .witnesses = {}, .pin = {}, .progress = {}});
  EXPECT_FALSE(report.fault) << report.fault->what;
  EXPECT_FALSE(any_fails(report.findings));
}

TEST(LogVerifyTest, S7_AfterTheOverlapTheOlderKeyVouchesByTheHandoverAlone) {
  LogMaker log(7);
  log.run(10);
  const VerifierKey first = log.verifier();
  const std::uint64_t change = log.texts.size();
  log.rotate_key(2);
  const std::string handover = log.signed_head(change + 1);
  for (int i = 0; i < 6; ++i) log.outcome(log.intent());
  const std::string path = "handover/" + std::to_string(change);
  const auto report_with = [&](const std::string& note, const VerifierKey& key) {
    MemoryFolder folder;
    publish(folder, log.texts, log.signed_head(log.texts.size()));
    if (!note.empty()) folder.files[path] = to_bytes(as_bytes(note));
    return verify(folder, {.log_key = key, .witnesses = {}, .pin = {}, .progress = {}});
  };
  const auto says = [](Standing standing, const char* what) {
    return Contains(
        AllOf(Field(&Finding::standing, standing), Field(&Finding::what, HasSubstr(what))));
  };
  EXPECT_THAT(report_with(handover, first).findings,
              AllOf(says(Standing::kHolds, "handed over to the next one"),
                    says(Standing::kHolds, "the log is of the key given")));
  // Without it anybody who can write the folder could have named the next key.
  EXPECT_THAT(report_with("", first).findings,
              AllOf(says(Standing::kNotExcluded, "the log's own word"),
                    Not(says(Standing::kHolds, "the log is of the key given"))));
  const crypto::SigningKey* newer[] = {&log.key()};
  EXPECT_THAT(report_with(sign_checkpoint(log.head(change + 1), newer), first).findings,
              says(Standing::kNotExcluded, "no head that both keys signed"));
  EXPECT_THAT(report_with("no note at all", first).findings,
              says(Standing::kNotExcluded, "no head that both keys signed"));
  // A head from before the change says nothing about it.
  const crypto::SigningKey* both[] = {&log.keys.front(), &log.key()};
  EXPECT_THAT(report_with(sign_checkpoint(log.head(change), both), first).findings,
              says(Standing::kNotExcluded, "no head that both keys signed"));
  // Both keys signed another history.
  Checkpoint other = log.head(change + 1);
  other.root[0] ^= std::byte{1};
  const LogReport forked = report_with(sign_checkpoint(other, both), first);
  EXPECT_TRUE(any_fails(forked.findings));
  // Who brings the newer key needs no handover.
  EXPECT_THAT(report_with("", log.verifier()).findings,
              says(Standing::kHolds, "the log is of the key given"));
}

TEST(LogVerifyTest, WitnessesAreCheckedOnThePublishedHead) {
  LogMaker log(8);
  log.run(4);
  const auto witness = crypto::SigningKey::generate(log.random);
  Note note = *parse_note(log.signed_head(log.texts.size()));
  note.signatures.push_back(cosign_note(note.text, "w", witness, 1'800'000'000));
  MemoryFolder folder;
  publish(folder, log.texts, format_note(note));
  LogQuestion question;
  question.witnesses = {
      {.name = "w", .kind = KeyKind::kCosignatureV1, .key = witness.public_key()}};
  const LogReport report = verify(folder, question);
  EXPECT_THAT(report.findings,
              Contains(Field(&Finding::what, HasSubstr("the witness w cosigned"))));
  EXPECT_THAT(report.findings, Not(Contains(Field(&Finding::promise, "S4"))));
}

// Each case breaks one rule and signs again.
struct RuleCase {
  const char* name;
  std::function<std::uint64_t(LogMaker&)> break_it;  // gives the first bad entry
  const char* promise;
  const char* what;
};

template <typename T>
void edit(LogMaker& log, std::uint64_t index, const std::function<void(T&)>& change) {
  auto& entry = std::get<T>(log.entries[index]);
  change(entry);
  log.texts[index] = *encode(entry);
}

class RulesTest : public ::testing::TestWithParam<RuleCase> {};

TEST_P(RulesTest, S6_IsCaughtThoughValidlySigned) {
  LogMaker log(11);
  log.run(6);
  const std::uint64_t bad = GetParam().break_it(log);
  const LogReport report = verify_resigned(log);
  ASSERT_TRUE(report.fault);
  EXPECT_EQ(report.fault->index, bad) << report.fault->what;
  EXPECT_EQ(report.fault->promise, GetParam().promise);
  EXPECT_THAT(report.fault->what, HasSubstr(GetParam().what));
  EXPECT_TRUE(any_fails(report.findings));
}

const RuleCase kRules[] = {
    {"FirstEntryIsNoStart",
     [](LogMaker& log) {
       log.texts.erase(log.texts.begin());
       return 0U;
     },
     "P2", "no start entry"},
    {"StartNamesAnotherKey",
     [](LogMaker& log) {
       LogMaker other(77);
       edit<Start>(log, 0, [&](Start& e) {
         e.log_key = format_verifier_key(log_verifier_key(log.origin, other.key().public_key()));
       });
       return 0U;
     },
     "P2", "does not belong to its first key"},
    {"StartNamesAnotherSize",
     [](LogMaker& log) {
       log.start();
       const std::uint64_t at = log.texts.size() - 1;
       edit<Start>(log, at, [](Start& e) { ++e.previous_size; });
       return at;
     },
     "P2", "entries stand before it"},
    {"StartNamesAnotherRoot",
     [](LogMaker& log) {
       log.start();
       const std::uint64_t at = log.texts.size() - 1;
       edit<Start>(log, at, [](Start& e) { e.previous_root = Digest{}; });
       return at;
     },
     "P2", "another root"},
    {"StartNamesAnotherLogId",
     [](LogMaker& log) {
       log.start();
       const std::uint64_t at = log.texts.size() - 1;
       edit<Start>(log, at, [](Start& e) { e.log_id = Id128{}; });
       return at;
     },
     "P2", "another log id"},
    {"StartRepeatsABootNonce",
     [](LogMaker& log) {
       const Id128 boot = std::get<Start>(log.entries[0]).at.boot;
       log.start();
       const std::uint64_t at = log.texts.size() - 1;
       edit<Start>(log, at, [&](Start& e) { e.at.boot = boot; });
       return at;
     },
     "P2", "one boot nonce"},
    {"EarlierIntentStaysOpenAfterAStart",
     [](LogMaker& log) {
       log.intent();
       log.start();
       log.texts.pop_back();  // the abort
       log.entries.pop_back();
       log.load();
       return log.texts.size() - 1;
     },
     "P1", "still open after a start entry"},
    {"EarlierIntentStaysOpenAtTheEnd",
     [](LogMaker& log) {
       log.intent();
       log.start();
       log.texts.pop_back();
       log.entries.pop_back();
       return log.texts.size();
     },
     "P1", "still open at the log's end"},
    {"EntryOfAnotherRun",
     [](LogMaker& log) {
       log.start();
       log.load();
       const std::uint64_t at = log.texts.size() - 1;
       edit<Load>(log, at, [](Load& e) { e.at.boot = Id128{}; });
       return at;
     },
     "P2", "another run's boot nonce"},
    {"EntryAfterAStop",
     [](LogMaker& log) {
       log.stop();
       log.load();
       return log.texts.size() - 1;
     },
     "P2", "after the run's stop"},
    {"IntentWithoutItsLoad",
     [](LogMaker& log) {
       log.start();
       log.intent();
       return log.texts.size() - 1;
     },
     "P7", "names no load"},
    {"IntentOfAnotherModelThanItsLoad",
     [](LogMaker& log) {
       const std::uint64_t at = log.intent();
       edit<Intent>(log, at, [](Intent& e) { e.provenance.weights[0] ^= std::byte{1}; });
       return at;
     },
     "P7", "another model"},
    {"IntentThatClaimsToBeMeasured",
     [](LogMaker& log) {
       const std::uint64_t at = log.intent();
       edit<Intent>(log, at, [](Intent& e) { e.provenance.engine_basis = Basis::kDeclared; });
       return at;
     },
     "P7", "another model"},
    {"ExchangeIdUsedTwice",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.outcome(first);
       const std::uint64_t second = log.intent();
       edit<Intent>(log, second,
                    [&](Intent& e) { e.exchange = std::get<Intent>(log.entries[first]).exchange; });
       return second;
     },
     "P1", "exchange id of entry"},
    {"SecondOutcome",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.outcome(first);
       log.append(log.entries.back());
       return log.texts.size() - 1;
     },
     "P1", "no open intent"},
    {"AbortAfterOutcome",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.outcome(first);
       const auto& done = std::get<Outcome>(log.entries.back());
       log.append(Abort{.at = log.now(),
                        .exchange = done.exchange,
                        .intent_index = first,
                        .intent_leaf = done.intent_leaf,
                        .reason = "crash",
                        .released_bytes = 10});
       return log.texts.size() - 1;
     },
     "P1", "no open intent"},
    {"OrphanOutcome",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.outcome(first);
       const std::uint64_t at = log.texts.size() - 1;
       edit<Outcome>(log, at, [](Outcome& e) { e.intent_index = 1'000'000; });
       return at;
     },
     "P1", "no open intent"},
    {"OutcomeOfAnotherExchange",
     [](LogMaker& log) {
       log.outcome(log.intent());
       const std::uint64_t at = log.texts.size() - 1;
       edit<Outcome>(log, at, [](Outcome& e) { e.exchange = Id128{}; });
       return at;
     },
     "P1", "another exchange"},
    {"OutcomeOfAnotherHash",
     [](LogMaker& log) {
       log.outcome(log.intent());
       const std::uint64_t at = log.texts.size() - 1;
       edit<Outcome>(log, at, [](Outcome& e) { e.intent_leaf = Digest{}; });
       return at;
     },
     "P1", "another hash of its intent"},
    {"OutcomeBelowAProgressMark",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.progress(first, 4096);
       log.outcome(first);
       const std::uint64_t at = log.texts.size() - 1;
       edit<Outcome>(log, at, [](Outcome& e) { e.released_bytes = 4095; });
       return at;
     },
     "P1", "less than a progress mark"},
    {"ProgressThatFalls",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.progress(first, 4096);
       log.progress(first, 4095);
       return log.texts.size() - 1;
     },
     "P1", "less than the one before"},
    {"ProgressOfNoIntent",
     [](LogMaker& log) {
       const std::uint64_t first = log.intent();
       log.progress(first, 4096);
       const std::uint64_t at = log.texts.size() - 1;
       edit<Progress>(log, at, [](Progress& e) { e.intent_index = 0; });
       return at;
     },
     "P1", "no open intent"},
    {"KeyChangeOfAnotherKey",
     [](LogMaker& log) {
       LogMaker other(78);
       log.append(KeyChange{
           .at = log.now(),
           .new_key = format_verifier_key(log.verifier()),
           .old_key = format_verifier_key(log_verifier_key(log.origin, other.key().public_key())),
           .overlap_until = 1'000});
       return log.texts.size() - 1;
     },
     "P2", "does not name the key in force"},
    {"KeyChangeToTheSameKey",
     [](LogMaker& log) {
       log.append(KeyChange{.at = log.now(),
                            .new_key = format_verifier_key(log.verifier()),
                            .old_key = format_verifier_key(log.verifier()),
                            .overlap_until = 1'000});
       return log.texts.size() - 1;
     },
     "P2", "no new key"},
    {"LoadIdUsedTwice",
     [](LogMaker& log) {
       log.append(log.entries[1]);
       return log.texts.size() - 1;
     },
     "P7", "two loads have one id"},
    {"UnloadOfNoLoad",
     [](LogMaker& log) {
       log.append(Unload{.at = log.now(), .load = Id128{}, .reason = "idle"});
       return log.texts.size() - 1;
     },
     "P7", "no load of this run"},
    {"TextThatIsNoEntry",
     [](LogMaker& log) {
       log.texts.push_back("{}");
       return log.texts.size() - 1;
     },
     "P2", "not an entry of a known type"},
};

INSTANTIATE_TEST_SUITE_P(EveryRule, RulesTest, ::testing::ValuesIn(kRules),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(HeadsTest, ConsistentForkAndRollbackAreToldApart) {
  LogMaker log(12);
  log.run(200);
  const std::uint64_t size = log.texts.size();
  MemoryFolder folder;
  publish(folder, log.texts, log.signed_head(size));
  const Checkpoint old = log.head(100);
  const Checkpoint now = log.head(size);
  EXPECT_EQ(compare_heads(old, now, &folder)->verdict, HeadsVerdict::kConsistent);
  EXPECT_EQ(compare_heads(now, old, &folder)->verdict, HeadsVerdict::kRollback);
  EXPECT_EQ(compare_heads(old, now, nullptr)->verdict, HeadsVerdict::kUndecided);
  EXPECT_EQ(compare_heads(old, old, nullptr)->verdict, HeadsVerdict::kSame);
  Checkpoint forked = old;
  forked.root[0] ^= std::byte{1};
  EXPECT_EQ(compare_heads(forked, now, &folder)->verdict, HeadsVerdict::kFork);
  EXPECT_EQ(compare_heads(forked, old, nullptr)->verdict, HeadsVerdict::kFork);
  Checkpoint other = old;
  other.origin = "candor/other";
  EXPECT_THAT(compare_heads(other, now, &folder), HasCode(Code::kFailedPrecondition));
}

}  // namespace
}  // namespace candor::ledger
