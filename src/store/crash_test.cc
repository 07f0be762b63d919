// The crash matrix (A18): a schedule of exchanges, publications, erasures and restarts is run once
// on a file system that remembers every change; then the machine "loses power" at every point, and
// what is found must hold all that was acknowledged before, verify, and keep erased what was
// erased. Everyday: a few hundred points. CANDOR_CRASH_POINTS=10000 (ctest label slow) asks for
// more.
#include <cstdlib>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "store/key_table.h"
#include "store/testing/store_harness.h"

namespace candor::store {
namespace {

const Path kRoot = "/data";

struct Acked {
  std::uint64_t point = 0;  // of the file system, when it was acknowledged
  std::uint64_t index = 0;
  Digest leaf{};
};
struct Erased {
  std::uint64_t point = 0;
  Id128 exchange{};
};
struct Trace {
  std::vector<Acked> acked;
  std::vector<Erased> erased;
};

LedgerOptions crash_options() {
  LedgerOptions options = small_options();
  options.segment_bytes = 64U << 10U;  // so that segments change often
  options.reserve_bytes = 4U << 10U;
  options.outcome_bytes = 4U << 10U;
  options.spare_segments = 1;
  return options;
}

class Schedule {
 public:
  Schedule(FaultyFileSystem& files, std::uint64_t seed) : files_(files), random_(seed) {}

  // False: the store refused to go on (a fault was injected).
  bool run(int steps) {
    if (!open()) return false;
    for (int i = 0; i < steps; ++i) {
      switch (random_() % 13) {
        case 0:
        case 1:
          if (!store_->ledger().publish()) return false;
          break;
        case 2:
          if (!erase()) return false;
          break;
        case 3:
          if (random_() % 2 == 0 && !store_->close("signal")) return false;
          store_.reset();
          if (!open()) return false;
          break;
        case 4:
          clock_.advance_us(1'500'000);  // the signer's state is synced
          break;
        case 5:
          if (!leave_open()) return false;
          break;
        case 6:
          // The next start changes the log's key, once within these short logs.
          if (!store_->change_log_key(kMinKeyOverlap) && files_.points() == 0) return false;
          break;
        default:
          if (!exchange()) return false;
          break;
      }
    }
    return true;
  }
  [[nodiscard]] const Trace& trace() const { return trace_; }

 private:
  void acked(const Acknowledgement& ack) {
    trace_.acked.push_back({.point = files_.points(), .index = ack.index, .leaf = ack.leaf});
  }
  bool open() {
    auto opened = open_store(files_, kRoot, clock_, crash_options());
    if (!opened) return false;
    store_ = *std::move(opened);
    if (store_->keys().auditors().empty()) {
      AuditorKey key{};
      key[0] = std::byte{9};
      if (!store_->keys().add_auditor(key, "a")) return false;
    }
    const auto load = add_load(*store_);
    if (!load) return false;
    load_ = *load;
    return true;
  }
  bool exchange() {
    const std::string text(1 + (random_() % 6000), 'q');
    const auto said = say(*store_, load_, "key:" + std::to_string(random_() % 3), text, "answer");
    if (!said) return false;
    acked(said->intent);
    acked(said->outcome);
    exchanges_.push_back(said->exchange);
    return true;
  }
  bool leave_open() {
    const auto subject = store_->keys().subject("key:1");
    if (!subject) return false;
    auto record = ExchangeRecord::begin(store_->keys(), make_id(system_random()), subject->id);
    auto intent = record.intent(intent_entry(*store_, *subject, load_), request_transcript("p"),
                                request_transcript("p"), {});
    if (!intent) return false;
    const auto ack = submit_and_wait(store_->ledger(), *std::move(intent));
    if (!ack) return false;
    acked(*ack);
    return true;
  }
  bool erase() {
    if (exchanges_.empty()) return true;
    const Id128 id = exchanges_[random_() % exchanges_.size()];
    std::erase(exchanges_, id);
    const auto subject = store_->keys().subject("uid:0");
    if (!subject) return false;
    ErasureRequest request{.exchange = id, .caller = {}, .reason = "r", .actor = *subject};
    if (random_() % 3 == 0) {  // a field first; of an older epoch only an auditor could
      request.fields = {"messages/0/parts/0/text"};
      const auto one = store_->erase(request);
      if (!one && one.error().code() != Code::kFailedPrecondition) return false;
      request.fields.clear();
    }
    if (!store_->erase(request)) return false;
    trace_.erased.push_back({.point = files_.points(), .exchange = id});
    return true;
  }

  FaultyFileSystem& files_;
  std::mt19937_64 random_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  Id128 load_{};
  std::vector<Id128> exchanges_;
  Trace trace_;
};

// Opens what is left, and holds it against what was acknowledged by then.
void check(FaultyFileSystem& files, const Trace& trace, std::uint64_t point,
           const std::string& what) {
  SCOPED_TRACE(what);
  FakeClock clock;
  auto store = open_store(files, kRoot, clock, crash_options());
  ASSERT_OK(store);
  for (const Acked& acked : trace.acked) {
    if (acked.point > point) break;
    const auto entry = (*store)->ledger().read(acked.index);
    ASSERT_OK(entry);
    ASSERT_EQ(ledger::hash_leaf(as_bytes(*entry)), acked.leaf) << "entry " << acked.index;
  }
  ASSERT_OK((*store)->ledger().publish());
  for (const Erased& erased : trace.erased) {
    if (erased.point > point) break;
    ASSERT_THAT((*store)->receipt(erased.exchange), HasCode(Code::kFailedPrecondition));
  }
  ASSERT_OK((*store)->close("signal"));
  store->reset();
  ASSERT_OK(verify_folder(files, kRoot));
  const auto table = KeyTable::open_for_reading(files, DataPaths(kRoot).key_table());
  ASSERT_OK(table);
  ASSERT_OK((*table)->scan([&](std::uint64_t, const ledger::KeySlot& slot) -> Result<void> {
    for (const Erased& erased : trace.erased) {
      if (erased.point <= point && slot.id == erased.exchange &&
          slot.state != ledger::SlotState::kErased) {
        return fail(Code::kDataLoss, "an erased root is there again");
      }
    }
    return {};
  }));
}

std::uint64_t wanted_points(std::uint64_t everyday) {
  const char* wanted = std::getenv("CANDOR_CRASH_POINTS");
  return wanted == nullptr ? everyday : std::strtoull(wanted, nullptr, 10);
}

TEST(CrashMatrixTest, NothingAcknowledgedIsLostWhereverThePowerIsCut) {
  const std::uint64_t wanted = wanted_points(300);
  constexpr CrashPolicy kPolicies[] = {CrashPolicy::kDropUnsynced, CrashPolicy::kRandom,
                                       CrashPolicy::kPrefix, CrashPolicy::kKeepAll};
  std::uint64_t tried = 0;
  for (std::uint64_t seed = 1; tried < wanted; ++seed) {
    FaultyFileSystem files;
    Schedule schedule(files, seed);
    ASSERT_TRUE(schedule.run(30));
    const std::uint64_t points = files.points();
    const std::uint64_t step = wanted > 2000 ? 1 : std::max<std::uint64_t>(1, points / 100);
    for (std::uint64_t point = seed % step; point <= points && tried < wanted; point += step) {
      const CrashPolicy policy = kPolicies[tried % std::size(kPolicies)];
      auto after = files.crash(point, policy, tried);
      check(*after, schedule.trace(), point,
            "seed " + std::to_string(seed) + " point " + std::to_string(point) + " of " +
                std::to_string(points) + " (" + (point == 0 ? "" : files.describe(point)) +
                ") policy " + std::to_string(tried % std::size(kPolicies)));
      if (testing::Test::HasFatalFailure()) return;
      ++tried;
    }
  }
  std::printf("%llu crash points\n", static_cast<unsigned long long>(tried));
}

// A write, sync or name that fails: whatever was acknowledged is there when the disk is well again,
// and nothing was acknowledged that is not.
TEST(CrashMatrixTest, S6_FailingAndFullDisksLoseNothingAcknowledged) {
  const std::uint64_t wanted = wanted_points(150);
  std::uint64_t points = 0;
  {
    FaultyFileSystem files;
    Schedule schedule(files, 1);
    ASSERT_TRUE(schedule.run(20));
    points = files.points();
  }
  const std::uint64_t step = std::max<std::uint64_t>(1, points * 4 / wanted);
  std::uint64_t tried = 0;
  for (const Fault fault : {Fault::kEio, Fault::kEnospc}) {
    for (const FaultSpan span : {FaultSpan::kOnce, FaultSpan::kFromThenOn}) {
      for (std::uint64_t point = 1 + (tried % step); point <= points; point += step) {
        FaultyFileSystem files;
        files.fail_at(point, fault, span);
        Schedule schedule(files, 1);
        (void)schedule.run(20);
        files.heal();
        const std::uint64_t now = files.points();
        auto after = files.crash(
            now, (point % 2) == 0 ? CrashPolicy::kKeepAll : CrashPolicy::kDropUnsynced, point);
        check(*after, schedule.trace(), now,
              "fault " + std::to_string(static_cast<int>(fault)) + " span " +
                  std::to_string(static_cast<int>(span)) + " at point " + std::to_string(point) +
                  " (" + (point <= now ? files.describe(point) : "") + ")");
        if (testing::Test::HasFatalFailure()) return;
        ++tried;
      }
    }
  }
  std::printf("%llu faults\n", static_cast<unsigned long long>(tried));
}

}  // namespace
}  // namespace candor::store
