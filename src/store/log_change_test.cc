// A log's key changes and a log ends (S7; docs/formats/log-key.md), wherever the machine stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "base/text.h"
#include "ledger/receipt.h"
#include "store/testing/store_harness.h"

namespace candor::store {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

const Path kRoot = "/data";

Result<std::vector<Said>> say_some(Store& store, int count) {
  const Id128 load = TRY(add_load(store));
  std::vector<Said> said;
  for (int i = 0; i < count; ++i) said.push_back(TRY(say(store, load, "key:1", "p", "a")));
  return said;
}

// So many entries, in few batches.
Result<void> fill(Store& store, std::uint64_t count) {
  const ledger::Refusal entry{
      .at = store.stamp(), .cause = "busy", .status = 503, .caller = {}, .api = {}};
  const std::string text = TRY(ledger::encode(entry));
  for (std::uint64_t i = 0; i < count; ++i) {
    store.ledger().submit({.entry = text, .aux = {}, .priority = Priority::kReserved, .mark = {}},
                          [](const auto&) {});
  }
  TRY(submit_and_wait(store.ledger(),
                      {.entry = text, .aux = {}, .priority = Priority::kReserved, .mark = {}}));
  return {};
}

Result<std::unique_ptr<Store>> reopen(std::unique_ptr<Store> store, FileSystem& files,
                                      const Path& root, Clock& clock) {
  if (store) TRY(store->close("signal"));
  store.reset();
  return open_store(files, root, clock);
}

ledger::LogReport report_for(FileSystem& files, const Path& root, const std::string& key) {
  FolderOfLog folder(files, root);
  ledger::LogQuestion question;
  question.log_key = *ledger::parse_verifier_key(key);
  return *ledger::verify_log(folder, question);
}

bool receipt_holds(const std::string& text, const std::string& key) {
  const auto receipt = ledger::parse_receipt(text);
  if (!receipt) return false;
  ledger::ReceiptQuestion question;
  question.log_key = *ledger::parse_verifier_key(key);
  const auto report = ledger::verify_receipt(*receipt, question);
  return report && !ledger::any_fails(report->findings);
}

template <typename T>
std::vector<T> entries_of(Store& store) {
  std::vector<T> found;
  for (std::uint64_t i = 0; i < store.ledger().head()->size; ++i) {
    const auto entry = ledger::decode(*store.ledger().read(i));
    if (const auto* one = std::get_if<T>(&*entry)) found.push_back(*one);
  }
  return found;
}

std::size_t signatures(const SignedHead& head) {
  return ledger::parse_signed_checkpoint(head.note)->note.signatures.size();
}

TEST(LogChangeTest, S7_TheKeyChangesAtAStartAndTheOlderOneSignsUntilTheOverlapIsOver) {
  FaultyFileSystem files;
  FakeClock clock;
  auto store = *open_store(files, kRoot, clock);
  const std::string first = store->ledger().verifier_key();
  const auto before = say_some(*store, 2);
  ASSERT_OK(before);
  ASSERT_OK(store->change_log_key(kMinKeyOverlap));
  EXPECT_EQ(store->ledger().verifier_key(), first);  // nothing changes within a run

  store = *reopen(std::move(store), files, kRoot, clock);
  EXPECT_TRUE(store->recovery().key_changed);
  const std::string second = store->ledger().verifier_key();
  EXPECT_NE(first, second);
  const auto changes = entries_of<ledger::KeyChange>(*store);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].old_key, first);
  EXPECT_EQ(changes[0].new_key, second);
  EXPECT_EQ(entries_of<ledger::Start>(*store).back().log_key, first);  // in force until the change
  const auto during = say_some(*store, 2);
  ASSERT_OK(during);
  EXPECT_EQ(signatures(*store->ledger().head()), 2U);
  for (const std::string& key : {first, second})
    EXPECT_TRUE(receipt_holds((*during)[0].receipt, key));
  EXPECT_TRUE(receipt_holds((*before)[0].receipt, first));
  EXPECT_THAT(store->change_log_key(kMinKeyOverlap), HasCode(Code::kFailedPrecondition));

  // An ordinary restart within the overlap changes nothing.
  store = *reopen(std::move(store), files, kRoot, clock);
  EXPECT_FALSE(store->recovery().key_changed);
  EXPECT_EQ(store->ledger().verifier_key(), second);
  EXPECT_EQ(entries_of<ledger::Start>(*store).back().log_key, second);
  ASSERT_OK(fill(*store, kMinKeyOverlap));

  // Beyond it the older key is destroyed by the next start.
  store = *reopen(std::move(store), files, kRoot, clock);
  const auto after = say_some(*store, 1);
  ASSERT_OK(after);
  EXPECT_EQ(signatures(*store->ledger().head()), 1U);
  EXPECT_TRUE(receipt_holds((*after)[0].receipt, second));
  EXPECT_FALSE(receipt_holds((*after)[0].receipt, first));
  const Bytes key_file = *read_file(files, DataPaths(kRoot).signer() / "log.key", 4096);
  EXPECT_TRUE(as_text(key_file).starts_with("candor-log-key-v1\n"));
  ASSERT_OK(store->close("signal"));
  store.reset();
  EXPECT_OK(verify_folder(files, kRoot));
  for (const std::string& key : {first, second}) {
    const auto report = report_for(files, kRoot, key);
    EXPECT_FALSE(ledger::any_fails(report.findings));
    EXPECT_THAT(report.findings,
                Contains(Field(&ledger::Finding::what, HasSubstr("the log is of the key given"))));
  }
  EXPECT_THAT(report_for(files, kRoot, first).findings,
              Contains(Field(&ledger::Finding::what, HasSubstr("handed over to the next one"))));
  // And it can change again.
  store = *open_store(files, kRoot, clock);
  ASSERT_OK(store->change_log_key(kMinKeyOverlap));
  store = *reopen(std::move(store), files, kRoot, clock);
  EXPECT_EQ(entries_of<ledger::KeyChange>(*store).size(), 2U);
  ASSERT_OK(store->close("signal"));
  EXPECT_OK(verify_folder(files, kRoot));
}

TEST(LogChangeTest, S7_AnOverlapOutOfItsBoundsIsRefused) {
  FaultyFileSystem files;
  FakeClock clock;
  auto store = *open_store(files, kRoot, clock);
  EXPECT_THAT(store->change_log_key(kMinKeyOverlap - 1), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(store->change_log_key(kMaxKeyOverlap + 1), HasCode(Code::kInvalidArgument));
  ASSERT_OK(store->change_log_key(kMinKeyOverlap));
  ASSERT_OK(store->withdraw_log_wishes());
  store = *reopen(std::move(store), files, kRoot, clock);
  EXPECT_FALSE(store->recovery().key_changed);
}

// An exchange that is open at the change gets its abort before it; all that was acknowledged is
// there, the log verifies from its first key, and the change happens once.
TEST(LogChangeTest, S7_AKeyChangeLosesNothingWhereverThePowerIsCut) {
  FaultyFileSystem files;
  FakeClock clock;
  std::string first;
  std::uint64_t size = 0;
  {
    auto store = *open_store(files, kRoot, clock);
    first = store->ledger().verifier_key();
    ASSERT_OK(say_some(*store, 2));
    const auto load = add_load(*store);
    const auto subject = store->keys().subject("key:1");
    auto record = ExchangeRecord::begin(store->keys(), make_id(system_random()), subject->id);
    ASSERT_OK(submit_and_wait(
        store->ledger(), *record.intent(intent_entry(*store, *subject, *load),
                                        request_transcript("p"), request_transcript("p"), {})));
    ASSERT_OK(store->change_log_key(kMinKeyOverlap));
    size = store->ledger().head()->size;
  }  // killed
  files.settle();
  std::vector<std::pair<std::uint64_t, Acknowledgement>> acknowledged;  // by the point
  {
    auto store = *open_store(files, kRoot, clock);
    for (int i = 0; i < 2; ++i) {
      const auto said = say_some(*store, 1);
      ASSERT_OK(said);
      acknowledged.emplace_back(files.points(), (*said)[0].outcome);
      ASSERT_OK(store->ledger().publish());
    }
    ASSERT_OK(store->close("signal"));
  }
  std::size_t tried = 0;
  const std::uint64_t step = std::max<std::uint64_t>(1, files.points() / 15);
  for (const CrashPolicy policy : {CrashPolicy::kDropUnsynced, CrashPolicy::kKeepAll,
                                   CrashPolicy::kPrefix, CrashPolicy::kRandom}) {
    // The first ones are the change.
    for (std::uint64_t point = 0; point <= files.points(); point += point < 40 ? 1 : step) {
      SCOPED_TRACE(std::to_string(point) + " " + (point == 0 ? "" : files.describe(point)) +
                   ", policy " + std::to_string(static_cast<int>(policy)));
      auto after = files.crash(point, policy, point);
      auto store = open_store(*after, kRoot, clock);
      ASSERT_OK(store);
      ASSERT_GE((*store)->ledger().head()->size, size);
      for (const auto& [at, ack] : acknowledged) {
        if (at > point) break;
        ASSERT_EQ(ledger::hash_leaf(as_bytes(*(*store)->ledger().read(ack.index))), ack.leaf);
      }
      ASSERT_OK(say_some(**store, 1));
      ASSERT_EQ(entries_of<ledger::KeyChange>(**store).size(), 1U);
      ASSERT_GE(entries_of<ledger::Abort>(**store).size(), 1U);
      ASSERT_EQ(signatures(*(*store)->ledger().head()), 2U);
      ASSERT_OK((*store)->close("signal"));
      store->reset();
      ASSERT_OK(verify_folder(*after, kRoot));
      const auto report = report_for(*after, kRoot, first);
      ASSERT_FALSE(ledger::any_fails(report.findings));
      ASSERT_THAT(report.findings, Contains(Field(&ledger::Finding::what,
                                                  HasSubstr("handed over to the next one"))));
      auto names = after->list(DataPaths(kRoot).handovers());
      ASSERT_OK(names);
      std::erase_if(*names, [](const std::string& name) { return !parse_decimal(name); });
      ASSERT_EQ(names->size(), 1U);
      ASSERT_FALSE(*after->exists(DataPaths(kRoot).key_change_wish()));
      ++tried;
    }
  }
  std::printf("%zu crash points\n", tried);
}

// The process dies before its n-th change of the real file system: that one and all later fail.
class DyingFileSystem final : public FileSystem {
 public:
  explicit DyingFileSystem(std::uint64_t budget) : left_(budget) {}
  [[nodiscard]] bool died() const { return died_; }

  Result<void> spend() {
    if (left_ == 0) {
      died_ = true;
      return fail(Code::kUnavailable, "the process has died");
    }
    --left_;
    return {};
  }
  Result<std::unique_ptr<File>> open(const Path& path, OpenMode mode) override;
  Result<void> sync_folder(const Path& folder) override { return real().sync_folder(folder); }
  Result<void> make_folders(const Path& folder) override { return real().make_folders(folder); }
  Result<void> rename(const Path& from, const Path& to) override {
    TRY(spend());
    return real().rename(from, to);
  }
  Result<void> remove(const Path& path) override {
    TRY(spend());
    return real().remove(path);
  }
  Result<std::vector<std::string>> list(const Path& folder) override { return real().list(folder); }
  Result<bool> exists(const Path& path) override { return real().exists(path); }
  Result<std::unique_ptr<FileLock>> lock(const Path& path) override { return real().lock(path); }
  Result<std::uint64_t> free_bytes(const Path& folder) override {
    return real().free_bytes(folder);
  }

 private:
  static FileSystem& real() { return real_file_system(); }
  std::uint64_t left_;
  bool died_ = false;
};

class DyingFile final : public File {
 public:
  DyingFile(std::unique_ptr<File> file, DyingFileSystem& files)
      : file_(std::move(file)), files_(files) {}
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    return file_->read_at(offset, out);
  }
  Result<void> write_at(std::uint64_t offset, ByteView data) override {
    TRY(files_.spend());
    return file_->write_at(offset, data);
  }
  Result<void> sync() override { return file_->sync(); }
  Result<void> truncate(std::uint64_t size) override {
    TRY(files_.spend());
    return file_->truncate(size);
  }
  Result<std::uint64_t> size() override { return file_->size(); }

 private:
  std::unique_ptr<File> file_;
  DyingFileSystem& files_;
};

Result<std::unique_ptr<File>> DyingFileSystem::open(const Path& path, OpenMode mode) {
  return std::make_unique<DyingFile>(TRY(real().open(path, mode)), *this);
}

struct Closed {
  std::string origin, key;
  SignedHead head;
  Id128 exchange{};
};

// A log of some exchanges, closed in order, that is to end.
Closed make_closing(const Path& root, Clock& clock) {
  auto store = *open_store(real_file_system(), root, clock);
  AuditorKey key{};
  key[0] = std::byte{9};
  EXPECT_OK(store->keys().add_auditor(key, "a"));
  const auto said = say_some(*store, 3);
  EXPECT_OK(store->close_log());
  Closed closed{.origin = store->ledger().origin(),
                .key = store->ledger().verifier_key(),
                .head = {},
                .exchange = (*said)[0].exchange};
  EXPECT_OK(store->close("signal"));
  closed.head = *store->ledger().head();
  return closed;
}

// The new log in place, the old one whole beside it.
void expect_followed(const Path& root, const Closed& closed, Clock& clock) {
  FileSystem& files = real_file_system();
  const DataPaths paths(root);
  {
    auto store = open_store(files, root, clock);
    ASSERT_OK(store);
    const auto starts = entries_of<ledger::Start>(**store);
    ASSERT_TRUE(starts.front().continues.has_value());
    EXPECT_EQ(starts.front().continues->origin, closed.origin);
    EXPECT_EQ(starts.front().continues->size, closed.head.size);
    EXPECT_EQ(starts.front().continues->root, closed.head.root);
    EXPECT_NE((*store)->ledger().origin(), closed.origin);
    ASSERT_OK(say_some(**store, 2));
    // Content of the ended log can still be erased.
    const auto actor = (*store)->keys().subject("uid:0");
    ASSERT_OK((*store)->erase(
        {.exchange = closed.exchange, .caller = {}, .reason = "r", .actor = *actor}));
    EXPECT_THAT((*store)->erase(
                    {.exchange = closed.exchange, .caller = {}, .reason = "r", .actor = *actor}),
                HasCode(Code::kNotFound));
    ASSERT_OK((*store)->close("signal"));
  }
  EXPECT_OK(verify_folder(files, root));
  const Path old = paths.closed() / closed.origin.substr(7);
  EXPECT_EQ(*verify_folder(files, old), closed.head.size);
  const auto report = report_for(files, old, closed.key);
  EXPECT_EQ(report.head.root, closed.head.root);
  for (const Path& wish : {paths.closing_wish(), paths.continued_log()}) {
    EXPECT_FALSE(*files.exists(wish)) << wish;
  }
}

TEST(LogChangeTest, S7_AClosedLogIsFollowedByOneThatNamesItsLastHead) {
  TemporaryFolder folder;
  FakeClock clock;
  const Closed closed = make_closing(folder / "data", clock);
  expect_followed(folder / "data", closed, clock);
}

TEST(LogChangeTest, S7_EndingALogSurvivesADyingProcessAnywhere) {
  FakeClock clock;
  bool died = true;
  // What comes later is an ordinary start, which the crash matrix tries.
  for (std::uint64_t budget = 0; died && budget < 24; ++budget) {
    SCOPED_TRACE("dead before change " + std::to_string(budget));
    TemporaryFolder folder;
    const Path root = folder / "data";
    const Closed closed = make_closing(root, clock);
    DyingFileSystem files(budget);
    {
      auto store = open_store(files, root, clock);
      died = files.died() || !store;
    }
    expect_followed(root, closed, clock);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(LogChangeTest, S7_ALogWithOpenExchangesEndsOneStartLater) {
  TemporaryFolder folder;
  FakeClock clock;
  const Path root = folder / "data";
  std::string origin;
  {
    auto store = *open_store(real_file_system(), root, clock);
    origin = store->ledger().origin();
    ASSERT_OK(say_some(*store, 1));
    ASSERT_OK(store->close_log());
  }  // killed: what is durable is not all published
  {
    auto store = *open_store(real_file_system(), root, clock);
    EXPECT_EQ(store->ledger().origin(), origin);
    ASSERT_OK(store->close("signal"));
  }
  auto store = *open_store(real_file_system(), root, clock);
  EXPECT_NE(store->ledger().origin(), origin);
  EXPECT_EQ(store->recovery().closed_log, origin);
}

}  // namespace
}  // namespace candor::store
