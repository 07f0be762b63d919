#include <filesystem>
#include <fstream>

#include <sys/wait.h>
#include <unistd.h>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "ledger/journal_format.h"
#include "store/restrict.h"
#include "store/testing/store_harness.h"

namespace candor::store {
namespace {

const Path kRoot = "/data";

class RecoveryTest : public testing::Test {
 protected:
  // A log of some exchanges, half of it published, not closed in order.
  void SetUp() override {
    auto store = open();
    ASSERT_OK(store);
    const auto load = add_load(**store);
    ASSERT_OK(load);
    load_ = *load;
    for (int i = 0; i < 3; ++i) ASSERT_OK(say(**store, *load, "key:1", "p", "a"));
    ASSERT_OK((*store)->ledger().publish());
    for (int i = 0; i < 3; ++i) ASSERT_OK(say(**store, *load, "key:1", "p", "a"));
    size_ = (*store)->ledger().head()->size;
  }
  Result<std::unique_ptr<Store>> open(const LedgerOptions& options = small_options()) {
    return open_store(files_, kRoot, clock_, options);
  }
  Path segment() {
    for (const std::string& name : *files_.list(kRoot / "journal")) {
      if (name.ends_with(".journal")) return kRoot / "journal" / name;
    }
    return {};
  }

  FaultyFileSystem files_;
  FakeClock clock_;
  Id128 load_{};
  std::uint64_t size_ = 0;
};

TEST_F(RecoveryTest, S6_ATornTailIsZeroedAndTheLogGoesOn) {
  // Where the next batch would stand: after the last one that is complete.
  std::uint64_t end = 0;
  {
    const Bytes bytes = *read_file(files_, segment(), 1U << 30U);
    const auto scan = ledger::scan_segment(bytes);
    ASSERT_OK(scan);
    end = scan->end_offset;
    auto file = files_.open(segment(), OpenMode::kReadWrite);
    ASSERT_OK(file);
    ASSERT_OK((*file)->write_at(end, as_bytes("CANDBAT1 a write that was cut off")));
  }
  auto store = open();
  ASSERT_OK(store);
  EXPECT_GT((*store)->recovery().torn_bytes, 0U);
  EXPECT_EQ((*store)->recovery().previous_size, size_);
  ASSERT_OK((*store)->close("signal"));
  EXPECT_OK(verify_folder(files_, kRoot));
}

TEST_F(RecoveryTest, S6_AChangedByteInTheJournalIsRefusedWithThePlaceAndInstructions) {
  ASSERT_OK(files_.corrupt(segment(), 4096 + 100, std::byte{1}));
  const Bytes before = *read_file(files_, segment(), 1U << 30U);
  const auto store = open();
  ASSERT_THAT(store, HasCode(Code::kDataLoss));
  EXPECT_NE(store.error().message().find("byte 4096"), std::string::npos);
  EXPECT_NE(store.error().message().find("nothing was changed"), std::string::npos);
  EXPECT_EQ(*read_file(files_, segment(), 1U << 30U), before);
}

TEST_F(RecoveryTest, AChangedTileAtTheEdgeIsRefused) {
  const Path tile = kRoot / "ledger/tile/0/000.p/8";
  ASSERT_TRUE(*files_.exists(tile));
  ASSERT_OK(files_.corrupt(tile, 3, std::byte{1}));
  ASSERT_THAT(open(), HasCode(Code::kDataLoss));
}

TEST_F(RecoveryTest, AChangedEntryInTheLastBundleIsRefused) {
  ASSERT_OK(files_.corrupt(kRoot / "ledger/tile/entries/000.p/8", 30, std::byte{1}));
  ASSERT_THAT(open(), HasCode(Code::kDataLoss));
}

TEST_F(RecoveryTest, S4_ARemovedJournalIsNoticedByTheSigner) {
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK((*store)->close("signal"));  // the signer's state is at the end
  }
  {
    auto store = open();
    ASSERT_OK(store);
    ASSERT_OK(say(**store, load_, "key:1", "p", "a"));
    const auto load = add_load(**store);
    ASSERT_OK(load);
    clock_.advance_us(2'000'000);
    ASSERT_OK(add_load(**store));  // later than a second: the state is synced
  }
  ASSERT_OK(files_.remove(segment()));
  const auto store = open();
  ASSERT_THAT(store, HasCode(Code::kDataLoss));
  EXPECT_NE(store.error().message().find("signer has signed size"), std::string::npos);
}

TEST_F(RecoveryTest, AStateThatWasLostIsRebuiltFromTheLog) {
  auto store = open();  // SQLite in memory: every start of this test begins without an index
  ASSERT_OK(store);
  EXPECT_EQ((*store)->recovery().aborted, 0U);
  ASSERT_OK((*store)->ledger().publish());
  EXPECT_EQ(*(*store)->state().indexed_size(), (*store)->published_size());
}

TEST_F(RecoveryTest, S17_ANearlyFullDiskRefusesNewWorkAndKeepsRoomForOutcomes) {
  auto store = open();
  ASSERT_OK(store);
  const auto load = add_load(**store);
  ASSERT_OK(load);
  const auto subject = (*store)->keys().subject("key:1");
  ASSERT_OK(subject);
  // Exchanges that are admitted and not yet ended, until the ledger refuses more.
  std::vector<std::pair<ExchangeRecord, Acknowledgement>> open_ones;
  Result<void> refused;
  std::uint64_t used = 0;
  for (const std::string& name : *files_.list(kRoot / "journal")) {
    used += *(*files_.open(kRoot / "journal" / name, OpenMode::kRead))->size();
  }
  files_.set_capacity(used + (200U << 10U));  // no further segment fits
  for (int i = 0; i < 4000 && refused; ++i) {
    auto record = ExchangeRecord::begin((*store)->keys(), make_id(system_random()), subject->id);
    auto intent = record.intent(intent_entry(**store, *subject, *load), request_transcript("p"),
                                request_transcript("p"), {});
    ASSERT_OK(intent);
    auto ack = submit_and_wait((*store)->ledger(), *std::move(intent));
    if (ack) {
      open_ones.emplace_back(std::move(record), *ack);
    } else {
      refused = std::unexpected(ack.error());
    }
  }
  ASSERT_THAT(refused, HasCode(Code::kResourceExhausted));
  ASSERT_FALSE(open_ones.empty());
  for (auto& [record, ack] : open_ones) {
    auto outcome = record.outcome(outcome_entry(**store), ack, answer_transcript("answer"),
                                  answer_transcript("answer"));
    ASSERT_OK(outcome);
    ASSERT_OK(submit_and_wait((*store)->ledger(), *std::move(outcome)));
  }
}

// Seen in the soak (B10): the table's first write without room had poisoned the log.
TEST_F(RecoveryTest, S17_AKeyTableWithoutRoomIsWrittenOnceThereIsSome) {
  auto store = open();
  ASSERT_OK(store);
  const auto load = add_load(**store);
  ASSERT_OK(load);
  const auto subject = (*store)->keys().subject("key:1");
  ASSERT_OK(subject);
  ASSERT_OK((*store)->ledger().publish());
  int met = 0;
  bool reached = true;
  for (std::uint64_t nth = 1; reached; ++nth) {
    auto record = ExchangeRecord::begin((*store)->keys(), make_id(system_random()), subject->id);
    auto intent = record.intent(intent_entry(**store, *subject, *load), request_transcript("p"),
                                request_transcript("p"), {});
    ASSERT_OK(intent);
    const auto ack = submit_and_wait((*store)->ledger(), *std::move(intent));
    ASSERT_OK(ack);
    auto outcome = record.outcome(outcome_entry(**store), *ack, answer_transcript("a"),
                                  answer_transcript("a"));
    ASSERT_OK(outcome);
    ASSERT_OK(submit_and_wait((*store)->ledger(), *std::move(outcome)));
    const std::uint64_t point = files_.points() + nth;
    files_.fail_at(point, Fault::kEnospc);
    const auto published = (*store)->ledger().publish();
    files_.heal();
    reached = files_.points() >= point;
    const bool table = reached && files_.describe(point).starts_with("write ") &&
                       files_.describe(point).find("keys.table") != std::string::npos;
    if (!table) {
      ASSERT_OK((*store)->ledger().publish()) << (reached ? files_.describe(point) : "");
      continue;
    }
    ++met;
    EXPECT_THAT(published, HasCode(Code::kResourceExhausted));
    EXPECT_THAT((*store)->ledger().health(), HasCode(Code::kResourceExhausted));
    EXPECT_OK((*store)->ledger().publish());
    EXPECT_OK((*store)->ledger().health());
    break;
  }
  EXPECT_EQ(met, 1);
  ASSERT_OK((*store)->close("signal"));
  EXPECT_OK(verify_folder(files_, kRoot));
}

// An hour's soak found it: a log of more entries than memory holds took none after a restart.
TEST_F(RecoveryTest, P1_ALogLongerThanMemoryHoldsGoesOnAfterARestart) {
  LedgerOptions options = small_options();
  options.recent_leaves = 4;
  for (int run = 0; run < 4; ++run) {
    auto store = open(options);
    ASSERT_OK(store);
    const auto load = add_load(**store);
    ASSERT_OK(load);
    for (int i = 0; i < 6; ++i) {
      ASSERT_OK((*store)->ledger().publish());
      ASSERT_OK(say(**store, *load, "key:1", "p", "a")) << run << " " << i;
    }
    ASSERT_OK((*store)->close("signal"));
  }
  EXPECT_OK(verify_folder(files_, kRoot));
}

TEST_F(RecoveryTest, S6_AFailedFlushPoisonsUntilARestart) {
  auto store = open();
  ASSERT_OK(store);
  const auto load = add_load(**store);
  ASSERT_OK(load);
  // The flush after the write. From then on, since the next segment may be in the making and take
  // a single fault for itself.
  files_.fail_at(files_.points() + 2, Fault::kEio, FaultSpan::kFromThenOn);
  EXPECT_FALSE(add_load(**store));
  EXPECT_THAT(add_load(**store), HasCode(Code::kDataLoss));
  EXPECT_THAT((*store)->ledger().health(), HasCode(Code::kDataLoss));
  store->reset();
  files_.heal();
  auto again = open();
  ASSERT_OK(again);
  EXPECT_OK(add_load(**again));
  ASSERT_OK((*again)->close("signal"));
  EXPECT_OK(verify_folder(files_, kRoot));
}

TEST(RestrictTest, S5_TheMonitorCannotOpenTheSignersFolder) {
  TemporaryFolder folder;
  const DataPaths paths(folder.path());
  ASSERT_OK(real_file_system().make_folders(paths.signer()));
  std::ofstream(paths.signer() / "log.key") << "secret";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto report = restrict_monitor(paths, {});
    if (!report) ::_exit(1);
    if (report->landlock_abi == 0) ::_exit(77);
    const bool key_closed = !read_file(real_file_system(), paths.signer() / "log.key", 100);
    const bool own_open =
        write_file_atomically(real_file_system(), paths.keys() / "x", as_bytes("x")).has_value();
    const bool root_closed =
        !real_file_system().rename(paths.signer(), paths.keys() / "moved").has_value();
    ::_exit(report->signer_closed && report->not_dumpable && key_closed && own_open && root_closed
                ? 0
                : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace candor::store
