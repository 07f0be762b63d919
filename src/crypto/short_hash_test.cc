#include "crypto/short_hash.h"

#include <gtest/gtest.h>

namespace candor::crypto {
namespace {

// The paper's appendix A and the first of the reference implementation's vectors.
TEST(ShortHashTest, GivesThePapersValues) {
  ShortKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  std::string text;
  for (char c = 0; c < 15; ++c) text += c;
  EXPECT_EQ(short_hash(key, text), 0xa129ca6149be45e5ULL);
  EXPECT_EQ(short_hash(key, ""), 0x726fdb47dd0e0e31ULL);
}

}  // namespace
}  // namespace candor::crypto
