// The published layout: C2SP tlog-tiles (https://c2sp.org/tlog-tiles). Tile (L, N) holds up to 256
// hashes of complete nodes of level 8 L, from index 256 N on; an entry bundle N holds the entries
// of the level-0 tile N, each with a u16 big-endian length before it. Paths are relative to the
// log's folder: tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>], N in groups of three digits, all
// but the last with an x before them (1234067 is x001/x234/067). Pure; decoders are safe on hostile
// input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "ledger/merkle.h"

namespace candor::ledger {

inline constexpr unsigned kTileWidth = 256;
inline constexpr std::size_t kMaxBundleBytes = kTileWidth * (2 + 65'535);

enum class TileKind : std::uint8_t { kHashes, kEntries };

// width 256 is a full tile, 1 to 255 a partial one. level is 0 for bundles.
struct TileId {
  TileKind kind = TileKind::kHashes;
  std::uint8_t level = 0;
  std::uint64_t index = 0;
  unsigned width = kTileWidth;
  bool operator==(const TileId&) const = default;
};

[[nodiscard]] std::string tile_path(const TileId& id);
// Only the one spelling that tile_path writes; kInvalidArgument otherwise.
[[nodiscard]] Result<TileId> parse_tile_path(std::string_view path);

// The tile that holds a complete node's hash at level 8 L in a tree of size, and how wide it is
// there; 0 when the tree does not reach it.
[[nodiscard]] unsigned tile_width(std::uint8_t level, std::uint64_t index, std::uint64_t size);

// Every hash tile and bundle (bundles first, then levels upward) that a tree of new_size has and
// that a tree of old_size had not, or had narrower: what publication writes. tiles_since(0, n) is
// the whole log.
[[nodiscard]] std::vector<TileId> tiles_since(std::uint64_t old_size, std::uint64_t new_size);
// The partial tiles and bundle at the right edge of a tree of that size.
[[nodiscard]] std::vector<TileId> edge_tiles(std::uint64_t size);

// kInvalidArgument for an entry above 65,535 bytes or more than 256 entries.
[[nodiscard]] Result<Bytes> encode_bundle(std::span<const std::string_view> entries);
// Exactly `width` entries and nothing after them, or kInvalidArgument. Views into the input.
[[nodiscard]] Result<std::vector<std::string_view>> decode_bundle(ByteView bundle, unsigned width);

// Reads one tile's bytes: from a folder, a map, a network. kNotFound when it is not there.
class TileReader {
 public:
  virtual ~TileReader() = default;
  [[nodiscard]] virtual Result<Bytes> read(const TileId& id) = 0;
};

// Complete nodes of a tree of `size` leaves from its tiles. Reads a partial tile where the tree has
// one and, if that is gone, the full tile in its place. Nothing is trusted: what it answers is only
// as good as the proof check that follows. Keeps up to 256 tiles (2 MiB). Not thread-safe.
class TileSource final : public HashSource {
 public:
  TileSource(TileReader& reader, std::uint64_t size) : reader_(reader), size_(size) {}
  [[nodiscard]] Result<Digest> node(NodeId id) override;

 private:
  [[nodiscard]] Result<const std::vector<Digest>*> tile(std::uint8_t level, std::uint64_t index);

  TileReader& reader_;
  std::uint64_t size_;
  std::unordered_map<std::uint64_t, std::vector<Digest>> tiles_;
};

}  // namespace candor::ledger
