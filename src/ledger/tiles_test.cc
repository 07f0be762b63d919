// Paths and widths of tlog-tiles, against the examples of its specification and a slow oracle.
#include "ledger/tiles.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/testing/result_matchers.h"
#include "ledger/testing/log_maker.h"

namespace candor::ledger {
namespace {

TEST(TilesTest, PathsAreThoseOfTheSpecification) {
  EXPECT_EQ(tile_path({.kind = TileKind::kHashes, .level = 0, .index = 1234067}),
            "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path({.kind = TileKind::kHashes, .level = 0, .index = 0}), "tile/0/000");
  EXPECT_EQ(tile_path({.kind = TileKind::kHashes, .level = 2, .index = 1000, .width = 17}),
            "tile/2/x001/000.p/17");
  EXPECT_EQ(tile_path({.kind = TileKind::kEntries, .level = 0, .index = 273, .width = 112}),
            "tile/entries/273.p/112");
}

TEST(TilesTest, PathsAreReadBackAndInOneSpellingOnly) {
  for (const std::uint64_t index :
       {0ULL, 7ULL, 999ULL, 1000ULL, 999'999ULL, 1'000'000ULL, 72'057'594'037'927'935ULL}) {
    for (const unsigned width : {1U, 17U, 255U, 256U}) {
      const TileId id{.kind = TileKind::kHashes, .level = 3, .index = index, .width = width};
      const auto read = parse_tile_path(tile_path(id));
      ASSERT_OK(read) << tile_path(id);
      EXPECT_EQ(*read, id);
    }
  }
  for (const char* bad : {"",
                          "tile",
                          "tile/",
                          "tile/0",
                          "tile/0/",
                          "tile/0/0",
                          "tile/00/000",
                          "tile/64/000",
                          "tile/0/000.p/0",
                          "tile/0/000.p/256",
                          "tile/0/000.p/01",
                          "tile/0/x000/000",
                          "tile/0/001/234",
                          "tile/0/x001/23",
                          "tile/0/x01/234",
                          "tile/x/000",
                          "tile/entries/0000",
                          "tile/0/000/",
                          "/tile/0/000",
                          "tile/0/999999",
                          "tile/0/x999/x999/x999/x999/x999/x999/x999/999"}) {
    EXPECT_THAT(parse_tile_path(bad), HasCode(Code::kInvalidArgument)) << bad;
  }
}

TEST(TilesTest, TreeOfSeventyThousandHasTheTilesOfTheSpecification) {
  const auto tiles = tiles_since(0, 70'000);
  const auto count = [&](TileKind kind, unsigned level, bool full) {
    return std::ranges::count_if(tiles, [&](const TileId& id) {
      return id.kind == kind && id.level == level && (id.width == kTileWidth) == full;
    });
  };
  EXPECT_EQ(count(TileKind::kHashes, 0, true), 273);
  EXPECT_EQ(count(TileKind::kHashes, 0, false), 1);
  EXPECT_EQ(count(TileKind::kHashes, 1, true), 1);
  EXPECT_EQ(count(TileKind::kHashes, 1, false), 1);
  EXPECT_EQ(count(TileKind::kHashes, 2, false), 1);
  EXPECT_EQ(count(TileKind::kHashes, 3, false), 0);
  EXPECT_EQ(count(TileKind::kEntries, 0, true), 273);
  EXPECT_EQ(tile_width(0, 273, 70'000), 112U);
  EXPECT_EQ(tile_width(1, 1, 70'000), 17U);
  EXPECT_EQ(tile_width(2, 0, 70'000), 1U);
  EXPECT_EQ(tile_width(1, 0, 256), 1U);
  EXPECT_EQ(edge_tiles(256).size(), 1U);
  EXPECT_EQ(edge_tiles(70'000).size(), 4U);
}

TEST(TilesTest, TilesSinceAnySizeAreThoseThatAreNewOrWider) {
  for (const std::uint64_t old_size : {0ULL, 1ULL, 255ULL, 256ULL, 257ULL, 65'535ULL, 65'536ULL}) {
    for (const std::uint64_t more : {0ULL, 1ULL, 255ULL, 256ULL, 700ULL}) {
      std::set<std::string> before;
      std::set<std::string> fresh;
      for (const TileId& id : tiles_since(0, old_size)) before.insert(tile_path(id));
      for (const TileId& id : tiles_since(0, old_size + more)) {
        if (!before.contains(tile_path(id))) fresh.insert(tile_path(id));
      }
      std::set<std::string> told;
      for (const TileId& id : tiles_since(old_size, old_size + more)) told.insert(tile_path(id));
      EXPECT_EQ(told, fresh) << old_size << " + " << more;
    }
  }
}

TEST(TilesTest, HugeAndHostileSizesAreBounded) {
  EXPECT_EQ(tile_width(0, UINT64_MAX, UINT64_MAX), 0U);
  EXPECT_EQ(tile_width(63, 0, UINT64_MAX), 0U);
  EXPECT_GE(edge_tiles(UINT64_MAX).size(), 8U);
}

TEST(TilesTest, BundlesOfOtherLengthsAreRefused) {
  const std::vector<std::string_view> two{"one", "two"};
  const Bytes bundle = *encode_bundle(two);
  EXPECT_EQ(*decode_bundle(bundle, 2), two);
  EXPECT_THAT(decode_bundle(bundle, 1), HasCode(Code::kInvalidArgument));
  EXPECT_THAT(decode_bundle(bundle, 3), HasCode(Code::kInvalidArgument));
  for (std::size_t cut = 0; cut < bundle.size(); ++cut) {
    EXPECT_FALSE(decode_bundle(ByteView(bundle).first(cut), 2)) << cut;
  }
  const std::string long_entry(65'536, 'x');
  const std::vector<std::string_view> too_long{long_entry};
  EXPECT_THAT(encode_bundle(too_long), HasCode(Code::kInvalidArgument));
}

TEST(TilesTest, ProofsFromTilesEqualThoseFromMemory) {
  std::vector<std::string> texts;
  for (int i = 0; i < 700; ++i) texts.push_back("entry " + std::to_string(i));
  testing::MemoryFolder folder;
  testing::publish(folder, texts, "");
  RecentNodes nodes;
  for (const std::string& text : texts) nodes.append(hash_leaf(as_bytes(text)));
  TileSource source(folder, texts.size());
  for (std::uint64_t i = 0; i < texts.size(); i += 13) {
    EXPECT_EQ(*prove_inclusion(source, i, 700), *prove_inclusion(nodes, i, 700)) << i;
    EXPECT_EQ(*prove_consistency(source, i, 700), *prove_consistency(nodes, i, 700)) << i;
  }
  EXPECT_EQ(frontier_at(source, 700)->root(), nodes.frontier().root());
  // Proofs in a smaller tree come from the tiles of the larger one.
  EXPECT_EQ(*prove_inclusion(source, 299, 300), *prove_inclusion(nodes, 299, 300));
  // A partial tile that a later tree replaced by the full one.
  folder.files.erase("tile/0/001.p/44");
  TileSource smaller(folder, 300);
  EXPECT_OK(smaller.node({.level = 0, .index = 299}));
  EXPECT_THAT(smaller.node({.level = 0, .index = 300}), HasCode(Code::kNotFound));
}

}  // namespace
}  // namespace candor::ledger
