#include "engine/model_file.h"

#include <cerrno>
#include <fstream>
#include <future>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"
#include "crypto/hash.h"

namespace candor::engine {
namespace {

class ModelFileTest : public ::testing::Test {
 protected:
  ModelFileTest() { std::ofstream(path_) << "weights"; }
  bool leases_work() {
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool ok = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
    close(fd);
    return ok;
  }
  TemporaryFolder folder_;
  Path path_ = folder_ / "model.gguf";
  DigestCache cache_;
};

int open_for_writing(const Path& path) {
  return open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

TEST_F(ModelFileTest, TheDigestIsThePlainSha256OfTheFile) {
  const auto file = ModelFile::open(path_, {}, cache_);
  ASSERT_OK(file);
  EXPECT_EQ(file->digest(), crypto::sha256(as_bytes("weights")));
  EXPECT_EQ(file->size_bytes(), 7U);
  EXPECT_FALSE(file->broken());
}

TEST_F(ModelFileTest, S12_AWriterWaitsUntilTheFileIsReleased) {
  if (!leases_work()) GTEST_SKIP() << "this file system gives no leases";
  auto file = ModelFile::open(path_, {}, cache_);
  ASSERT_OK(file);
  EXPECT_EQ(file->guard(), Guard::kLease);
  EXPECT_EQ(open_for_writing(path_), -1);
  EXPECT_EQ(errno, EWOULDBLOCK);
  EXPECT_TRUE(file->broken());
  auto writer = std::async(std::launch::async, [&] {
    const int fd = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    const ssize_t wrote = write(fd, "W", 1);
    close(fd);
    return wrote;
  });
  char byte = 0;
  EXPECT_EQ(pread(file->fd(), &byte, 1, 0), 1);
  EXPECT_EQ(byte, 'w');
  file->release();
  EXPECT_EQ(writer.get(), 1);
}

TEST_F(ModelFileTest, S12_AFileThatIsBeingWrittenIsRefused) {
  if (!leases_work()) GTEST_SKIP() << "this file system gives no leases";
  const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_THAT(ModelFile::open(path_, {}, cache_), HasCode(Code::kFailedPrecondition));
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(page, MAP_FAILED);
  close(fd);
  // A writable mapping alone keeps the file open for writing.
  EXPECT_THAT(ModelFile::open(path_, {}, cache_), HasCode(Code::kFailedPrecondition));
  munmap(page, 4096);
  EXPECT_OK(ModelFile::open(path_, {}, cache_));
}

TEST_F(ModelFileTest, S12_WithoutALeaseACopyInTheStoreIsServed) {
  if (!leases_work()) GTEST_SKIP() << "this file system gives no leases";
  const auto file =
      ModelFile::open(path_, {.store_folder = folder_.path(), .try_lease_in_place = false}, cache_);
  ASSERT_OK(file);
  EXPECT_EQ(file->guard(), Guard::kStoreLease);
  EXPECT_EQ(file->digest(), crypto::sha256(as_bytes("weights")));
  const Path copy = folder_ / ("sha256-" + to_hex(file->digest()) + ".gguf");
  EXPECT_TRUE(std::filesystem::exists(copy));
  std::ofstream(path_) << "changed";
  char bytes[8] = {};
  EXPECT_EQ(pread(file->fd(), bytes, 7, 0), 7);
  EXPECT_STREQ(bytes, "weights");
  EXPECT_FALSE(file->broken());
}

TEST_F(ModelFileTest, S12_WithoutAStoreASealedMemoryCopyIsServed) {
  const auto file =
      ModelFile::open(path_, {.max_memory_copy = 100, .try_lease_in_place = false}, cache_);
  ASSERT_OK(file);
  EXPECT_EQ(file->guard(), Guard::kSealedMemory);
  EXPECT_EQ(file->digest(), crypto::sha256(as_bytes("weights")));
  const std::string name = "/proc/self/fd/" + std::to_string(file->fd());
  const int writer = open(name.c_str(), O_RDWR | O_CLOEXEC);
  if (writer >= 0) {  // opening is allowed, writing is not
    EXPECT_EQ(write(writer, "x", 1), -1);
    EXPECT_EQ(ftruncate(writer, 0), -1);
    EXPECT_EQ(mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, writer, 0), MAP_FAILED);
    close(writer);
  }
}

TEST_F(ModelFileTest, S12_WithNeitherItIsRefusedWithAdvice) {
  const auto file = ModelFile::open(path_, {.try_lease_in_place = false}, cache_);
  ASSERT_THAT(file, HasCode(Code::kPermissionDenied));
  EXPECT_NE(file.error().message().find("model_store"), std::string::npos);
}

TEST_F(ModelFileTest, WhatIsNoModelFileIsRefused) {
  EXPECT_THAT(ModelFile::open(folder_ / "absent", {}, cache_), HasCode(Code::kNotFound));
  EXPECT_THAT(ModelFile::open(folder_.path(), {}, cache_), HasCode(Code::kInvalidArgument));
  std::ofstream(folder_ / "empty").flush();
  EXPECT_THAT(ModelFile::open(folder_ / "empty", {}, cache_), HasCode(Code::kInvalidArgument));
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(ModelFile::open(folder_ / "pipe", {}, cache_), HasCode(Code::kInvalidArgument));
}

TEST_F(ModelFileTest, ADigestIsRememberedOnlyForAFileAtRest) {
  DigestCache::Key key{.device = 1, .inode = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};
  const Digest digest = crypto::sha256(as_bytes("x"));
  cache_.put(key, digest);
  EXPECT_EQ(cache_.find(key), digest);
  key.ctime_ns = 6;
  EXPECT_EQ(cache_.find(key), std::nullopt);
  cache_.put(key, digest);
  key.ctime_ns = 5;
  EXPECT_EQ(cache_.find(key), std::nullopt);  // one entry for an inode
  // Just written: hashed each time.
  ASSERT_OK(ModelFile::open(path_, {}, cache_));
  std::ofstream(path_) << "WEIGHTS";
  const auto again = ModelFile::open(path_, {}, cache_);
  ASSERT_OK(again);
  EXPECT_EQ(again->digest(), crypto::sha256(as_bytes("WEIGHTS")));
}

}  // namespace
}  // namespace candor::engine
