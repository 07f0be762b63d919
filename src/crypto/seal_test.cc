#include "crypto/seal.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"

namespace candor::crypto {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::string_view hex) : bytes_(*from_hex(hex)) {}
  void fill(std::span<std::byte> out) override {
    std::ranges::copy(ByteView(bytes_).first(out.size()), out.begin());
  }

 private:
  Bytes bytes_;
};

// draft-irtf-cfrg-xchacha-03 appendix A.3.1.
TEST(SealTest, MatchesTheXChaChaDraft) {
  const auto key =
      *digest_from_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  FixedRandom nonce("404142434445464748494a4b4c4d4e4f5051525354555657");
  const Bytes associated = *from_hex("50515253c0c1c2c3c4c5c6c7");
  const std::string_view plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.";
  const Bytes sealed = seal(key, as_bytes(plain), associated, nonce);
  EXPECT_EQ(to_hex(sealed),
            "404142434445464748494a4b4c4d4e4f5051525354555657"
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
            "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
            "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
            "21f9664c97637da9768812f615c68b13b52e"
            "c0875924c1c7987947deafd8780acf49");
  const auto opened = open(key, sealed, associated);
  ASSERT_OK(opened);
  EXPECT_EQ(as_text(opened->reveal()), plain);
}

TEST(SealTest, ChangedBytesKeysAndContextsDoNotOpen) {
  const Digest key{};
  const Bytes sealed = seal(key, as_bytes("content"), as_bytes("context"), system_random());
  EXPECT_EQ(sealed.size(), 7 + kSealOverhead);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= std::byte{1};
    EXPECT_THAT(open(key, changed, as_bytes("context")), HasCode(Code::kDataLoss));
  }
  Digest other{};
  other[31] = std::byte{1};
  EXPECT_THAT(open(other, sealed, as_bytes("context")), HasCode(Code::kDataLoss));
  EXPECT_THAT(open(key, sealed, as_bytes("contexu")), HasCode(Code::kDataLoss));
  EXPECT_THAT(open(key, ByteView(sealed).first(kSealOverhead - 1), {}),
              HasCode(Code::kInvalidArgument));
}

TEST(SealTest, EmptyContentIsSealedToo) {
  const Digest key{};
  const auto opened = open(key, seal(key, {}, {}, system_random()), {});
  ASSERT_OK(opened);
  EXPECT_TRUE(opened->reveal().empty());
}

TEST(SealTest, ABoxOpensOnlyWithItsSecret) {
  const BoxKeyPair mine = make_box_key(system_random());
  const BoxKeyPair other = make_box_key(system_random());
  const Bytes sealed = seal_to(mine.public_key, as_bytes("epoch key"));
  EXPECT_EQ(sealed.size(), 9 + kSealToOverhead);
  const auto opened = open_sealed(box_key_from_secret(mine.secret_key), sealed);
  ASSERT_OK(opened);
  EXPECT_EQ(as_text(opened->reveal()), "epoch key");
  EXPECT_THAT(open_sealed(other, sealed), HasCode(Code::kDataLoss));
  EXPECT_THAT(open_sealed(mine, ByteView(sealed).first(47)), HasCode(Code::kInvalidArgument));
}

}  // namespace
}  // namespace candor::crypto
