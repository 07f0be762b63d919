// Packs as they lie on disk (docs/formats/sealed-packs.md).
#include "store/sealed_store.h"

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/faulty_file_system.h"
#include "base/testing/result_matchers.h"
#include "base/thread.h"
#include "ledger/testing/known_answers.h"

namespace candor::store {
namespace {

struct Seen {
  SealedPlace place;
  Id128 id{};
  Bytes bytes;
};

class SealedStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(files_.make_folders(paths_.packs()));
    ASSERT_OK(files_.make_folders(paths_.large()));
  }
  void put(const std::string& name, ByteView bytes) {
    auto file = files_.open(paths_.packs() / name, OpenMode::kCreateNew);
    ASSERT_OK(file);
    ASSERT_OK((*file)->write_at(0, bytes));
  }
  std::vector<Seen> scan() {
    std::vector<Seen> seen;
    EXPECT_OK(
        store_.scan([&](const SealedPlace& place, const Id128& id, ByteView bytes) -> Result<void> {
          seen.push_back({.place = place, .id = id, .bytes = to_bytes(bytes)});
          return {};
        }));
    return seen;
  }

  FaultyFileSystem files_;
  DataPaths paths_{"/data"};
  FakeClock clock_;
  SealedStore store_{files_, paths_, clock_};
};

// src/ledger/testdata/make_sealed.py: a live record, an erased one, a live one, a torn end.
TEST_F(SealedStoreTest, KnownAnswerOfAnIndependentToolIsReadAsItIs) {
  put("00000000000000000003.pack", ledger::testing::known_bytes("pack-v1.bin"));
  const std::vector<Seen> seen = scan();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].bytes, ledger::testing::known_bytes("sealed-v1.bin"));
  EXPECT_EQ(seen[0].id, seen[1].id);
  EXPECT_EQ(seen[0].place.pack, 3U);
  EXPECT_EQ(seen[0].place.offset, 32U);
  EXPECT_EQ(*store_.read(seen[1].place, seen[1].id), seen[1].bytes);
  EXPECT_THAT(store_.read({.pack = 3, .offset = 32 + 24 + seen[0].bytes.size()}, seen[0].id),
              HasCode(Code::kNotFound));  // erased, and another's
}

TEST_F(SealedStoreTest, WhatIsAppendedIsWrittenAsTheKnownAnswerIs) {
  clock_.set_wall_us(1'767'225'600'000'000);
  const Bytes known = ledger::testing::known_bytes("pack-v1.bin");
  const Bytes record = ledger::testing::known_bytes("sealed-v1.bin");
  Id128 id{};
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(100 + i);
  Pacer pacer;
  ASSERT_OK(store_.append(3, {{.id = id, .bytes = record}}, pacer));
  const auto written =
      read_file(files_, paths_.packs() / "00000000000000000003.pack", std::uint64_t{1} << 20U);
  ASSERT_OK(written);
  EXPECT_EQ(*written, to_bytes(ByteView(known).first(written->size())));
  EXPECT_EQ(written->size(), 32 + 24 + record.size());
}

}  // namespace
}  // namespace candor::store
