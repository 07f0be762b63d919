#include "store/internal/preallocator.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "base/testing/temporary_folder.h"

namespace candor::store {
namespace {

constexpr std::size_t kSegment = 1U << 20U;

class PreallocatorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Preallocator::open(
        files_, {.folder = folder_.path(), .segment_bytes = kSegment, .spares = 2});
    ASSERT_OK(made);
    spares_ = *std::move(made);
  }

  Path used_segment(const std::string& name) {
    const Path path = folder_.path() / name;
    EXPECT_OK(write_file_atomically(files_, path, as_bytes(std::string(kSegment, 'w'))));
    return path;
  }

  bool holds(char byte) {
    for (const std::string& name : *files_.list(folder_.path())) {
      const Bytes text = *read_file(files_, folder_.path() / name, 2 * kSegment);
      if (as_text(text).contains(byte)) return true;
    }
    return false;
  }

  FileSystem& files_ = real_file_system();
  TemporaryFolder folder_;
  std::unique_ptr<Preallocator> spares_;
};

TEST_F(PreallocatorTest, S3_a_segment_taken_over_is_zeros_once_settled) {
  for (int i = 0; i < 5; ++i) {
    const Path used = used_segment("used");
    for (;;) {  // refused while a spare is being made
      const auto recycled = spares_->recycle(used);
      ASSERT_OK(recycled);
      if (*recycled) break;
    }
    spares_->settle();
    EXPECT_FALSE(holds('w'));
    ASSERT_OK(spares_->take());
  }
}

TEST_F(PreallocatorTest, a_spare_is_a_segment_of_zeros) {
  const auto spare = spares_->take();
  ASSERT_OK(spare);
  EXPECT_EQ(spare->file->size().value(), kSegment);
  const Bytes text = *read_file(files_, spare->path, kSegment);
  EXPECT_TRUE(std::ranges::all_of(text, [](std::byte b) { return b == std::byte{0}; }));
}

TEST_F(PreallocatorTest, a_disk_that_must_stay_free_gives_no_spare_and_says_why) {
  spares_.reset();
  auto made = Preallocator::open(
      files_,
      {.folder = folder_.path(), .segment_bytes = kSegment, .min_free_bytes = UINT64_MAX / 2});
  ASSERT_OK(made);
  const auto spare = (*made)->take();
  ASSERT_FALSE(spare.has_value());
  EXPECT_EQ(spare.error().code(), Code::kResourceExhausted);
  EXPECT_FALSE((*made)->health().has_value());
}

}  // namespace
}  // namespace candor::store
