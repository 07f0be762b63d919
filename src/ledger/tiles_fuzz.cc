// A tile's path or a bundle that is accepted is written back to identical bytes, and the bundle is
// accepted at no other width. Over tiles of any bytes, the proofs of a tree of one tile verify
// against the root that this tile gives; a tree of any size is answered or refused.
#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "ledger/tiles.h"

namespace {

using namespace candor;

// Every tile is a window of the input; a tile longer than the input is not there.
class InputTiles final : public ledger::TileReader {
 public:
  explicit InputTiles(ByteView input) : input_(input) {}
  Result<Bytes> read(const ledger::TileId& id) override {
    const std::size_t bytes = std::size_t{id.width} * 32;
    if (bytes > input_.size()) return fail(Code::kNotFound, "no such tile");
    const std::size_t spare = input_.size() - bytes;
    return to_bytes(input_.subspan(spare == 0 ? 0 : (id.index + id.level) % (spare + 1), bytes));
  }

 private:
  ByteView input_;
};

void check_bundle(ByteView bundle, unsigned width) {
  const auto entries = ledger::decode_bundle(bundle, width);
  if (!entries) return;
  CANDOR_CHECK(entries->size() == width);
  CANDOR_CHECK(!ledger::decode_bundle(bundle, width + 1));
  const auto again = ledger::encode_bundle(*entries);
  CANDOR_CHECK(again && std::ranges::equal(*again, bundle));
}

void check_small_tree(ByteView tiles, std::uint64_t size, std::uint64_t index) {
  InputTiles reader(tiles);
  ledger::TileSource source(reader, size);
  const auto root = ledger::root_at(source, size);
  if (!root) return;
  const auto leaf = source.node({.level = 0, .index = index});
  const auto proof = ledger::prove_inclusion(source, index, size);
  CANDOR_CHECK(leaf && proof);
  CANDOR_CHECK(ledger::verify_inclusion(index, size, *leaf, *proof, *root).has_value());
  const auto old_root = ledger::root_at(source, index + 1);
  const auto grown = ledger::prove_consistency(source, index + 1, size);
  CANDOR_CHECK(old_root && grown);
  CANDOR_CHECK(ledger::verify_consistency(index + 1, size, *old_root, *root, *grown).has_value());
  const auto frontier = ledger::frontier_at(source, size);
  CANDOR_CHECK(frontier && frontier->root() == *root);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto id = ledger::parse_tile_path(as_text(input))) {
    CANDOR_CHECK(ledger::tile_path(*id) == as_text(input));
  }
  ByteReader reader(input);
  const auto width = reader.u8();
  if (!width) return 0;
  check_bundle(input.subspan(1), std::uint32_t{*width} + 1);
  if (*width != 0) check_small_tree(input.subspan(1), *width, *width / 3U);
  const auto tree = reader.u64();
  const auto index = reader.u64();
  if (!tree || !index) return 0;
  InputTiles tiles(input.last(reader.remaining()));
  ledger::TileSource source(tiles, *tree);
  const auto proof = ledger::prove_inclusion(source, *index, *tree);
  CANDOR_CHECK(!proof || (*index < *tree && proof->size() <= 64));
  const auto grown = ledger::prove_consistency(source, *index, *tree);
  CANDOR_CHECK(!grown || *index <= *tree);
  (void)ledger::root_at(source, *tree);
  return 0;
}
