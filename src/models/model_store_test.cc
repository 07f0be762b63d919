#include "models/model_store.h"

#include <map>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "crypto/hash.h"

namespace candor::models {
namespace {

using ::testing::HasSubstr;

const Path kFolder = "/data/models";

Gate passes() {
  return [](const Path&, const StoredFile&, const Manifest&) -> Result<Judgement> {
    return Judgement{.by = "test", .architecture = "llama", .licence = "mit"};
  };
}

Result<void> fetch(ModelStore& store, const std::string& name, const Plan& plan,
                   const std::map<std::string, std::string>& contents) {
  QuarantineEntry entry = TRY(store.enter_quarantine(name));
  TRY(entry.set_plan(plan));
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    const std::string& bytes = contents.at(plan.files[i].path);
    Part part = TRY(entry.part(part_label(i)));
    TRY(part.expect(bytes.size(), "\"e\""));
    while (const auto gap = part.fetched().ranges.missing(bytes.size(), 700)) {
      TRY(part.write(gap->begin, as_bytes(bytes).subspan(gap->begin, gap->end - gap->begin)));
      TRY(part.checkpoint());
    }
    TRY(part.checkpoint());
  }
  TRY(entry.finish(1, {}));
  return {};
}

Plan plan_of(const std::map<std::string, std::string>& contents) {
  Plan plan{.source = {.reference = "file:x", .trust = Trust::kFirstUse}};
  for (const auto& [path, bytes] : contents) {
    plan.files.push_back({.path = path,
                          .url = "/x/" + path,
                          .size = bytes.size(),
                          .sha256 = crypto::sha256(as_bytes(bytes))});
  }
  return plan;
}

const std::map<std::string, std::string> kOne = {{"a.gguf", std::string(1500, 'a')}};
const std::map<std::string, std::string> kSeveral = {
    {"config.json", "{}"},
    {"model-00001-of-00002.safetensors", std::string(2000, 'b')},
    {"model-00002-of-00002.safetensors", std::string(2000, 'b')},  // the same bytes
    {"tokenizer.json", "[]"}};

class ModelStoreTest : public ::testing::Test {
 protected:
  ModelStoreTest() {
    EXPECT_OK(files_.make_folders("/data"));
    store_.emplace(*ModelStore::open(files_, kFolder));
  }
  FaultyFileSystem files_;
  FakeClock clock_;
  std::optional<ModelStore> store_;
};

TEST_F(ModelStoreTest, AModelIsAdmittedByItsDigestAndVerifies) {
  ASSERT_OK(fetch(*store_, "tiny", plan_of(kSeveral), kSeveral));
  EXPECT_THAT(store_->find("tiny"), HasCode(Code::kNotFound));
  ASSERT_EQ(store_->quarantined()->size(), 1U);
  const auto admitted = store_->admit("tiny", {.gate = passes()}, clock_);
  ASSERT_OK(admitted);
  EXPECT_EQ(admitted->format, Format::kSafetensors);
  const auto found = store_->find(to_hex(admitted->digest()).substr(0, 12));
  ASSERT_OK(found);
  EXPECT_EQ(found->name, "tiny");
  EXPECT_EQ(found->manifest.gate.architecture, "llama");
  EXPECT_OK(store_->verify(found->manifest, {}));
  EXPECT_TRUE(store_->quarantined()->empty());
  EXPECT_EQ(files_.list(kFolder / "blobs")->size(), 3U);  // two files are of the same bytes

  ASSERT_OK(files_.corrupt(store_->blob(found->manifest.files[1].sha256), 700, std::byte{1}));
  const auto broken = store_->verify(found->manifest, {});
  ASSERT_THAT(broken, HasCode(Code::kDataLoss));
  EXPECT_THAT(broken.error().message(), HasSubstr("model-00001-of-00002.safetensors"));
}

TEST_F(ModelStoreTest, BytesThatAreNotWhatWasPublishedAreThrownAway) {
  Plan plan = plan_of(kOne);
  plan.files[0].sha256 = Digest{};
  EXPECT_THAT(fetch(*store_, "a", plan, kOne), HasCode(Code::kDataLoss));
  EXPECT_THAT(store_->admit("a", {.gate = passes()}, clock_), HasCode(Code::kFailedPrecondition));
  EXPECT_FALSE(*files_.exists(store_->quarantine() / "a@0000"));
}

TEST_F(ModelStoreTest, GateAndAgreementCanRefuseAndThenItStaysInQuarantine) {
  ASSERT_OK(fetch(*store_, "a", plan_of(kOne), kOne));
  const auto refused = store_->admit(
      "a", {.gate = [](const Path&, const StoredFile&, const Manifest&) -> Result<Judgement> {
        return fail(Code::kFailedPrecondition, "no");
      }},
      clock_);
  EXPECT_THAT(refused, HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(store_->admit("a",
                            {.gate = passes(),
                             .agree = [](const Manifest& manifest) -> Result<void> {
                               return fail(Code::kPermissionDenied, manifest.gate.licence);
                             }},
                            clock_),
              HasCode(Code::kPermissionDenied));
  EXPECT_EQ(store_->quarantined()->size(), 1U);
  EXPECT_TRUE(store_->list()->empty());
  EXPECT_OK(store_->admit("a", {.gate = passes()}, clock_));
}

TEST_F(ModelStoreTest, BytesChangedInQuarantineAreNotAdmitted) {
  ASSERT_OK(fetch(*store_, "a", plan_of(kOne), kOne));
  ASSERT_OK(files_.corrupt(store_->quarantine() / "a@0000", 3, std::byte{4}));
  EXPECT_THAT(store_->admit("a", {.gate = passes()}, clock_), HasCode(Code::kDataLoss));
}

TEST_F(ModelStoreTest, ANameIsNotTakenFromAnotherModelUnasked) {
  ASSERT_OK(fetch(*store_, "a", plan_of(kOne), kOne));
  ASSERT_OK(store_->admit("a", {.gate = passes()}, clock_));
  ASSERT_OK(fetch(*store_, "a", plan_of(kSeveral), kSeveral));
  EXPECT_THAT(store_->admit("a", {.gate = passes()}, clock_), HasCode(Code::kFailedPrecondition));
  EXPECT_OK(store_->admit("a", {.gate = passes(), .as = "b"}, clock_));
  EXPECT_EQ(store_->list()->size(), 2U);
  const auto near = store_->find("bb");
  ASSERT_THAT(near, HasCode(Code::kNotFound));
}

TEST_F(ModelStoreTest, CollectingRemovesWhatNoManifestNames) {
  ASSERT_OK(fetch(*store_, "a", plan_of(kOne), kOne));
  ASSERT_OK(store_->admit("a", {.gate = passes()}, clock_));
  ASSERT_OK(fetch(*store_, "b", plan_of(kSeveral), kSeveral));
  EXPECT_EQ(store_->collect()->files, 0U);
  EXPECT_EQ(*store_->remove("a"), ModelStore::Removed::kAdmitted);
  const auto collected = store_->collect();
  ASSERT_OK(collected);
  EXPECT_EQ(collected->files, 1U);
  EXPECT_EQ(collected->bytes, 1500U);
  EXPECT_OK(store_->admit("b", {.gate = passes()}, clock_));
  EXPECT_THAT(store_->remove("a"), HasCode(Code::kNotFound));
}

TEST_F(ModelStoreTest, APullThatIsGoingOnHoldsItsNameAlone) {
  const auto first = store_->enter_quarantine("a");
  ASSERT_OK(first);
  EXPECT_THAT(store_->enter_quarantine("a"), HasCode(Code::kFailedPrecondition));
  EXPECT_OK(store_->enter_quarantine("b"));
}

TEST_F(ModelStoreTest, APartOfAnotherSizeOrEtagBeginsAnew) {
  auto entry = *store_->enter_quarantine("a");
  ASSERT_OK(entry.set_plan(plan_of(kOne)));
  {
    Part part = *entry.part("0000");
    ASSERT_OK(part.expect(10, "\"1\""));
    ASSERT_OK(part.write(0, as_bytes("12345")));
    ASSERT_OK(part.checkpoint());
  }
  {
    Part part = *entry.part("0000");
    ASSERT_OK(part.expect(10, "\"1\""));
    EXPECT_EQ(part.fetched().ranges.bytes(), 5U);
    ASSERT_OK(part.expect(10, "\"2\""));
    EXPECT_EQ(part.fetched().ranges.bytes(), 0U);
    EXPECT_THAT(part.write(8, as_bytes("123")), HasCode(Code::kInternal));
  }
}

// The machine loses power at every write point of a schedule: what was acknowledged is there, what
// is named is whole, and the schedule can be ended.
TEST(ModelStoreCrashTest, AModelIsInQuarantineOrAdmittedWhole) {
  FaultyFileSystem files;
  FakeClock clock;
  ASSERT_OK(files.make_folders("/data"));
  files.settle();
  struct Done {
    std::uint64_t point;
    bool admitted;  // "a" and "b", or removed
    std::string name;
  };
  std::vector<Done> done;
  const auto schedule = [&](FaultyFileSystem& fs, bool note) -> Result<void> {
    ModelStore store = TRY(ModelStore::open(fs, kFolder));
    const auto get = [&](const std::string& name,
                         const std::map<std::string, std::string>& contents) -> Result<void> {
      const auto there = store.find(name);
      if (!there) {
        const auto fetched = fetch(store, name, plan_of(contents), contents);
        if (!fetched) return fetched;
        TRY(store.admit(name, {.gate = passes()}, clock));
      }
      if (note) done.push_back({fs.points(), true, name});
      return {};
    };
    TRY(get("a", kOne));
    TRY(get("b", kSeveral));
    TRY(store.remove("a"));
    if (note) done.push_back({fs.points(), false, "a"});
    TRY(store.collect());
    return {};
  };
  ASSERT_OK(schedule(files, true));
  std::uint64_t tried = 0;
  for (std::uint64_t point = 0; point <= files.points(); ++point) {
    for (const CrashPolicy policy : {CrashPolicy::kDropUnsynced, CrashPolicy::kKeepAll,
                                     CrashPolicy::kPrefix, CrashPolicy::kRandom}) {
      SCOPED_TRACE(std::to_string(point) + " of " + std::to_string(files.points()) + ", " +
                   (point == 0 ? "start" : files.describe(point)));
      const auto after = files.crash(point, policy, point);
      auto store = ModelStore::open(*after, kFolder);
      ASSERT_OK(store);
      for (const Done& one : done) {
        if (one.point > point) break;
        const bool removed_later = one.name == "a" && point >= done.back().point;
        if (one.admitted && one.name == "b") {
          const auto found = store->find(one.name);
          ASSERT_OK(found);
        }
        if (removed_later && !one.admitted) {
          ASSERT_THAT(store->find("a"), HasCode(Code::kNotFound));
        }
      }
      const auto all = store->list();
      ASSERT_OK(all);
      for (const NamedModel& model : *all) ASSERT_OK(store->verify(model.manifest, {}));
      ASSERT_OK(schedule(*after, false));
      ++tried;
    }
  }
  EXPECT_GT(tried, 200U);
}

TEST(ModelStoreCrashTest, FullDiskAndBadDiskAreErrorsThatCanBeTriedAgain) {
  for (const Fault fault : {Fault::kEio, Fault::kEnospc}) {
    for (std::uint64_t point = 1; point < 60; ++point) {
      FaultyFileSystem files;
      FakeClock clock;
      ASSERT_OK(files.make_folders("/data"));
      ModelStore store = *ModelStore::open(files, kFolder);
      files.fail_at(files.points() + point, fault);
      const auto run = [&]() -> Result<void> {
        TRY(fetch(store, "b", plan_of(kSeveral), kSeveral));
        TRY(store.admit("b", {.gate = passes()}, clock));
        return {};
      };
      if (run()) continue;
      files.heal();
      if (!store.find("b")) ASSERT_OK(run());
      ASSERT_OK(store.verify(store.find("b")->manifest, {}));
    }
  }
}

}  // namespace
}  // namespace candor::models
