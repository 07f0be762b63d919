#include "base/file_system.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"

namespace candor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RealFileSystemTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  FileSystem& fs_ = real_file_system();
};

TEST_F(RealFileSystemTest, WhatIsWrittenIsReadBack) {
  const auto file = *fs_.open(folder_ / "a", OpenMode::kCreateNew);
  ASSERT_OK(file->write_at(3, as_bytes("hello")));
  ASSERT_OK(file->sync());
  EXPECT_EQ(*file->size(), 8U);
  Bytes bytes(5);
  ASSERT_OK(file->read_at(3, bytes));
  EXPECT_EQ(as_text(bytes), "hello");
  EXPECT_THAT(file->read_at(4, bytes), HasCode(Code::kInvalidArgument));
  ASSERT_OK(file->truncate(4));
  EXPECT_EQ(*file->size(), 4U);
}

TEST_F(RealFileSystemTest, ModesSayWhatMustExist) {
  EXPECT_THAT(fs_.open(folder_ / "a", OpenMode::kRead), HasCode(Code::kNotFound));
  EXPECT_THAT(fs_.open(folder_ / "a", OpenMode::kReadWrite), HasCode(Code::kNotFound));
  EXPECT_OK(fs_.open(folder_ / "a", OpenMode::kCreateNew));
  EXPECT_THAT(fs_.open(folder_ / "a", OpenMode::kCreateNew), HasCode(Code::kFailedPrecondition));
  EXPECT_OK(fs_.open(folder_ / "a", OpenMode::kCreate));
  struct stat info{};
  ASSERT_EQ(::stat((folder_ / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(RealFileSystemTest, SymbolicLinksAreNotFollowed) {
  ASSERT_OK(write_file_atomically(fs_, folder_ / "a", as_bytes("x")));
  ASSERT_EQ(::symlink((folder_ / "a").c_str(), (folder_ / "link").c_str()), 0);
  const auto opened = fs_.open(folder_ / "link", OpenMode::kRead);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message(), HasSubstr("symbolic link"));
}

TEST_F(RealFileSystemTest, AtomicWriteReplacesTheWholeFile) {
  ASSERT_OK(write_file_atomically(fs_, folder_ / "a", as_bytes("long content")));
  ASSERT_OK(write_file_atomically(fs_, folder_ / "a", as_bytes("short")));
  EXPECT_EQ(as_text(*read_file(fs_, folder_ / "a", 100)), "short");
  EXPECT_THAT(*fs_.list(folder_.path()), ElementsAre("a"));
  EXPECT_THAT(read_file(fs_, folder_ / "a", 4), HasCode(Code::kInvalidArgument));
}

TEST_F(RealFileSystemTest, FoldersAreMadeListedAndPrivate) {
  ASSERT_OK(fs_.make_folders(folder_ / "x/y/z"));
  ASSERT_OK(fs_.make_folders(folder_ / "x/y/z"));
  ASSERT_OK(fs_.make_folders(folder_ / "x/a"));
  EXPECT_THAT(*fs_.list(folder_ / "x"), ElementsAre("a", "y"));
  EXPECT_THAT(fs_.list(folder_ / "none"), HasCode(Code::kNotFound));
  struct stat info{};
  ASSERT_EQ(::stat((folder_ / "x/y").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  ASSERT_OK(fs_.sync_folder(folder_ / "x"));
  EXPECT_GT(*fs_.free_bytes(folder_.path()), 0U);
}

TEST_F(RealFileSystemTest, RenameAndRemove) {
  ASSERT_OK(write_file_atomically(fs_, folder_ / "a", as_bytes("1")));
  ASSERT_OK(fs_.rename(folder_ / "a", folder_ / "b"));
  EXPECT_FALSE(*fs_.exists(folder_ / "a"));
  EXPECT_TRUE(*fs_.exists(folder_ / "b"));
  ASSERT_OK(fs_.remove(folder_ / "b"));
  EXPECT_THAT(fs_.remove(folder_ / "b"), HasCode(Code::kNotFound));
}

TEST_F(RealFileSystemTest, ASecondHolderOfALockLearnsTheFirstOnesPid) {
  auto first = fs_.lock(folder_ / "lock");
  ASSERT_OK(first);
  const auto second = fs_.lock(folder_ / "lock");
  ASSERT_THAT(second, HasCode(Code::kFailedPrecondition));
  EXPECT_THAT(second.error().message(), HasSubstr(std::to_string(::getpid())));
  first->reset();
  EXPECT_OK(fs_.lock(folder_ / "lock"));
}

}  // namespace
}  // namespace candor
