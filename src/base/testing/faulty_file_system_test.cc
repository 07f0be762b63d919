#include "base/testing/faulty_file_system.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"
#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"

namespace candor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string content(FileSystem& fs, const Path& path) {
  const auto bytes = read_file(fs, path, 1U << 20U);
  return bytes ? std::string(as_text(*bytes)) : "(none)";
}

constexpr CrashPolicy kPolicies[] = {CrashPolicy::kDropUnsynced, CrashPolicy::kKeepAll,
                                     CrashPolicy::kPrefix, CrashPolicy::kRandom};

TEST(FaultyFileSystemTest, SyncedBytesUnderASyncedNameSurviveEveryCrash) {
  FaultyFileSystem fs;
  ASSERT_OK(fs.make_folders("/d"));
  ASSERT_OK(fs.sync_folder("/"));
  const auto file = *fs.open("/d/a", OpenMode::kCreateNew);
  ASSERT_OK(file->write_at(0, as_bytes("kept")));
  ASSERT_OK(file->sync());
  ASSERT_OK(fs.sync_folder("/d"));
  ASSERT_OK(file->write_at(4, as_bytes(" perhaps")));
  for (const CrashPolicy policy : kPolicies) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const auto after = fs.crash(fs.points(), policy, seed);
      EXPECT_TRUE(content(*after, "/d/a").starts_with("kept"));
      EXPECT_EQ(after->points(), 0U);
    }
  }
  EXPECT_EQ(content(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0), "/d/a"), "kept");
  EXPECT_EQ(content(*fs.crash(fs.points(), CrashPolicy::kKeepAll, 0), "/d/a"), "kept perhaps");
}

TEST(FaultyFileSystemTest, ANameIsLostUntilItsFolderIsSynced) {
  FaultyFileSystem fs;
  const auto file = *fs.open("/a", OpenMode::kCreate);
  ASSERT_OK(file->write_at(0, as_bytes("x")));
  ASSERT_OK(file->sync());
  EXPECT_THAT(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0)->list("/"), IsEmpty());
  EXPECT_THAT(*fs.crash(fs.points(), CrashPolicy::kKeepAll, 0)->list("/"), ElementsAre("a"));
  ASSERT_OK(fs.sync_folder("/"));
  EXPECT_EQ(content(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0), "/a"), "x");
}

TEST(FaultyFileSystemTest, AFolderNotSyncedTakesItsFilesWithIt) {
  FaultyFileSystem fs;
  ASSERT_OK(fs.make_folders("/d"));
  const auto file = *fs.open("/d/a", OpenMode::kCreate);
  ASSERT_OK(file->sync());
  ASSERT_OK(fs.sync_folder("/d"));
  EXPECT_FALSE(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0)->exists("/d/a"));
}

TEST(FaultyFileSystemTest, AtomicReplacementShowsOldOrNewAtEveryPoint) {
  FaultyFileSystem fs;
  ASSERT_OK(write_file_atomically(fs, "/a", as_bytes("old")));
  const std::uint64_t begin = fs.points();
  ASSERT_OK(write_file_atomically(fs, "/a", as_bytes(std::string(2'000, 'n'))));
  for (std::uint64_t point = begin; point <= fs.points(); ++point) {
    for (const CrashPolicy policy : kPolicies) {
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto found = content(*fs.crash(point, policy, seed), "/a");
        EXPECT_TRUE(found == "old" || found == std::string(2'000, 'n'))
            << "after " << fs.describe(point);
        if (point == fs.points()) EXPECT_NE(found, "old");
      }
    }
  }
}

// Without the sync before the rename the new name can hold anything: the model must show that.
TEST(FaultyFileSystemTest, ARenameBeforeSyncCanLoseTheContent) {
  FaultyFileSystem fs;
  ASSERT_OK(write_file_atomically(fs, "/a", as_bytes("old")));
  {
    const auto file = *fs.open("/a.tmp", OpenMode::kCreate);
    ASSERT_OK(file->write_at(0, as_bytes("new")));
  }
  ASSERT_OK(fs.rename("/a.tmp", "/a"));
  ASSERT_OK(fs.sync_folder("/"));
  EXPECT_EQ(content(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0), "/a"), "");
}

TEST(FaultyFileSystemTest, AWriteTearsAtSectorsOnly) {
  FaultyFileSystem fs;
  const auto file = *fs.open("/a", OpenMode::kCreate);
  ASSERT_OK(file->write_at(0, Bytes(4'096, std::byte{'.'})));
  ASSERT_OK(file->sync());
  ASSERT_OK(fs.sync_folder("/"));
  ASSERT_OK(file->write_at(100, Bytes(2'000, std::byte{'x'})));
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    const std::string found = content(*fs.crash(fs.points(), CrashPolicy::kRandom, seed), "/a");
    ASSERT_EQ(found.size(), 4'096U);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool written = i >= 100 && i < 2'100;
      if (!written) {
        ASSERT_EQ(found[i], '.');
      } else if (i != 100 && i % FaultyFileSystem::kSectorBytes != 0) {
        ASSERT_EQ(found[i], found[i - 1]) << i;
      }
    }
    seen.insert(found);
    EXPECT_EQ(found, content(*fs.crash(fs.points(), CrashPolicy::kRandom, seed), "/a"));
  }
  EXPECT_EQ(seen.size(), 32U);  // every subset of the five sectors
}

TEST(FaultyFileSystemTest, APrefixCrashNeverKeepsALaterChangeWithoutAnEarlierOne) {
  FaultyFileSystem fs;
  const auto a = *fs.open("/a", OpenMode::kCreate);
  const auto b = *fs.open("/b", OpenMode::kCreate);
  fs.settle();
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_OK((i % 2 == 0 ? a : b)->write_at(i / 2, as_bytes("x")));
  }
  std::set<std::size_t> lengths;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto after = fs.crash(fs.points(), CrashPolicy::kPrefix, seed);
    const std::size_t in_a = content(*after, "/a").size();
    const std::size_t in_b = content(*after, "/b").size();
    EXPECT_TRUE(in_a == in_b || in_a == in_b + 1) << in_a << ' ' << in_b;
    lengths.insert(in_a + in_b);
  }
  EXPECT_EQ(lengths.size(), 11U);
}

TEST(FaultyFileSystemTest, TheChosenCallFailsAndTheNextSucceeds) {
  FaultyFileSystem fs;
  const auto file = *fs.open("/a", OpenMode::kCreate);
  fs.fail_at(fs.points() + 2, Fault::kEnospc);
  ASSERT_OK(file->write_at(0, as_bytes("one")));
  EXPECT_THAT(file->write_at(3, as_bytes("two")), HasCode(Code::kResourceExhausted));
  ASSERT_OK(file->write_at(3, as_bytes("two")));
  fs.fail_at(fs.points() + 1, Fault::kEio, FaultSpan::kFromThenOn);
  EXPECT_THAT(file->sync(), HasCode(Code::kUnavailable));
  EXPECT_THAT(fs.sync_folder("/"), HasCode(Code::kUnavailable));
  EXPECT_THAT(fs.open("/b", OpenMode::kCreate), HasCode(Code::kUnavailable));
  EXPECT_THAT(fs.rename("/a", "/b"), HasCode(Code::kUnavailable));
  fs.heal();
  EXPECT_OK(fs.rename("/a", "/b"));
}

TEST(FaultyFileSystemTest, S6_ASyncRetriedAfterAFailureLies) {
  FaultyFileSystem fs;
  const auto file = *fs.open("/a", OpenMode::kCreate);
  ASSERT_OK(fs.sync_folder("/"));
  ASSERT_OK(file->write_at(0, as_bytes("lost")));
  fs.fail_at(fs.points() + 1, Fault::kEio);
  EXPECT_THAT(file->sync(), HasCode(Code::kUnavailable));
  EXPECT_OK(file->sync());
  EXPECT_EQ(content(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0), "/a"), "");
  ASSERT_OK(file->write_at(2, as_bytes("new")));
  ASSERT_OK(file->sync());
  EXPECT_EQ(content(*fs.crash(fs.points(), CrashPolicy::kDropUnsynced, 0), "/a"),
            std::string("\0\0new", 5));
}

TEST(FaultyFileSystemTest, AFullDiskRefusesGrowthAndTakesOverwrites) {
  FaultyFileSystem fs;
  fs.set_capacity(1'000);
  const auto file = *fs.open("/a", OpenMode::kCreate);
  ASSERT_OK(file->write_at(0, Bytes(900)));
  EXPECT_EQ(*fs.free_bytes("/"), 100U);
  EXPECT_THAT(file->write_at(900, Bytes(101)), HasCode(Code::kResourceExhausted));
  EXPECT_OK(file->write_at(0, Bytes(900, std::byte{1})));
  EXPECT_OK(file->write_at(900, Bytes(100)));
}

TEST(FaultyFileSystemTest, LocksAreHeldUntilReleasedAndFreeAfterACrash) {
  FaultyFileSystem fs;
  auto held = fs.lock("/lock");
  ASSERT_OK(held);
  EXPECT_THAT(fs.lock("/lock"), HasCode(Code::kFailedPrecondition));
  EXPECT_OK(fs.crash(fs.points(), CrashPolicy::kRandom, 1)->lock("/lock"));
  held->reset();
  EXPECT_OK(fs.lock("/lock"));
}

TEST(FaultyFileSystemTest, CorruptChangesAByteForGood) {
  FaultyFileSystem fs;
  ASSERT_OK(write_file_atomically(fs, "/a", as_bytes("abc")));
  ASSERT_OK(fs.corrupt("/a", 1, std::byte{1}));
  EXPECT_EQ(content(fs, "/a"), "acc");
  fs.settle();
  EXPECT_EQ(content(*fs.crash(0, CrashPolicy::kDropUnsynced, 0), "/a"), "acc");
}

TEST(FaultyFileSystemTest, FakesForTimeAndRandomnessRepeat) {
  FakeClock clock;
  EXPECT_EQ(format_utc(clock.wall_us()), "2026-01-01T00:00:00.000000Z");
  const std::int64_t before = clock.mono_us();
  clock.advance_us(5);
  EXPECT_EQ(clock.mono_us(), before + 5);
  clock.set_wall_us(0);
  EXPECT_EQ(clock.mono_us(), before + 5);
  FakeRandom a(1);
  FakeRandom b(1);
  EXPECT_EQ(make_id(a), make_id(b));
}

// The oracle of the model's everyday side: the real file system answers the same calls the same
// way.
TEST(FaultyFileSystemTest, AnswersAsTheRealFileSystemDoes) {
  const TemporaryFolder folder;
  FaultyFileSystem model;
  ASSERT_OK(model.make_folders(folder.path()));
  std::mt19937 random(11);
  const auto run = [&](FileSystem& fs, unsigned call, const Path& a, const Path& b, unsigned n) {
    const auto show = [](const auto& result) {
      return result ? std::string("ok") : std::string(to_string(result.error().code()));
    };
    switch (call) {
      case 0: return show(fs.open(a, OpenMode::kCreateNew));
      case 1: return show(fs.open(a, OpenMode::kRead));
      case 2: return show(fs.remove(a));
      case 3: return show(fs.rename(a, b));
      case 4: return content(fs, a);
      case 5: return show(fs.sync_folder(a.parent_path()));
      case 6: return *fs.exists(a) ? std::string("there") : std::string("absent");
      case 7: {
        const auto names = fs.list(a.parent_path());
        return names ? fmt::format("{}", fmt::join(*names, ",")) : show(names);
      }
      case 8: return show(fs.make_folders(a.parent_path()));
      case 9: {
        const auto file = fs.open(a, OpenMode::kCreate);
        return file ? show((*file)->truncate(n)) : show(file);
      }
      default: {
        const auto file = fs.open(a, OpenMode::kReadWrite);
        if (!file) return show(file);
        const std::string wrote = show((*file)->write_at(n, as_bytes("data")));
        return wrote + std::to_string(*(*file)->size()) + show((*file)->sync());
      }
    }
  };
  const std::string_view names[] = {"a", "b", "c", "d/a", "d/b", "e/f/a"};
  for (int i = 0; i < 3'000; ++i) {
    const unsigned call = random() % 11;
    const Path a = folder / std::string(names[random() % std::size(names)]);
    const Path b = folder / std::string(names[random() % std::size(names)]);
    const unsigned n = random() % 9;
    ASSERT_EQ(run(model, call, a, b, n), run(real_file_system(), call, a, b, n))
        << "call " << call << " on " << a << ", " << b;
  }
}

}  // namespace
}  // namespace candor
