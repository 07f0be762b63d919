#include "ledger/tiles.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace candor::ledger {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::uint8_t kMaxTileLevel = 7;  // 256^8 leaves pass 2^63
constexpr std::size_t kMaxCachedTiles = 256;

std::uint64_t shifted(std::uint64_t size, unsigned bits) { return bits >= 64 ? 0 : size >> bits; }

void append_index(std::string& out, std::uint64_t index) {
  std::array<unsigned, 7> groups{};
  std::size_t count = 0;
  do {
    groups[count++] = static_cast<unsigned>(index % 1000);
    index /= 1000;
  } while (index != 0);
  while (count-- > 0) {
    if (count != 0) out += 'x';
    for (const unsigned digit :
         {groups[count] / 100, groups[count] / 10 % 10, groups[count] % 10}) {
      out += static_cast<char>('0' + digit);
    }
    if (count != 0) out += '/';
  }
}

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

unsigned width_at(std::uint64_t nodes, std::uint64_t tile) {
  const std::uint64_t first = tile * kTileWidth;
  if (nodes <= first) return 0;
  return static_cast<unsigned>(std::min<std::uint64_t>(nodes - first, kTileWidth));
}

void add_since(std::vector<TileId>& out, TileKind kind, std::uint8_t level, std::uint64_t old_nodes,
               std::uint64_t new_nodes) {
  if (new_nodes == old_nodes) return;
  for (std::uint64_t tile = old_nodes / kTileWidth; width_at(new_nodes, tile) != 0; ++tile) {
    out.push_back(
        {.kind = kind, .level = level, .index = tile, .width = width_at(new_nodes, tile)});
  }
}

}  // namespace

std::string tile_path(const TileId& id) {
  std::string path = "tile/";
  if (id.kind == TileKind::kEntries) {
    path += "entries";
  } else {
    path += std::to_string(id.level);
  }
  path += '/';
  append_index(path, id.index);
  if (id.width != kTileWidth) path += ".p/" + std::to_string(id.width);
  return path;
}

Result<TileId> parse_tile_path(std::string_view path) {
  const auto bad = [] { return fail(Code::kInvalidArgument, "not the path of a tile"); };
  TileId id;
  const std::string_view whole = path;
  if (!path.starts_with("tile/")) return bad();
  path.remove_prefix(5);
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return bad();
  const std::string_view level = path.substr(0, slash);
  path.remove_prefix(slash + 1);
  if (level == "entries") {
    id.kind = TileKind::kEntries;
  } else {
    const auto value = parse_decimal(level);
    if (!value || *value > 63) return bad();
    id.level = static_cast<std::uint8_t>(*value);
  }
  if (const std::size_t partial = path.find(".p/"); partial != std::string_view::npos) {
    const auto width = parse_decimal(path.substr(partial + 3));
    if (!width || *width == 0 || *width >= kTileWidth) return bad();
    id.width = static_cast<unsigned>(*width);
    path = path.substr(0, partial);
  }
  if (path.size() > 7 * 5) return bad();
  std::string digits;
  while (path.size() > 3) {
    if (path.size() < 8 || path[0] != 'x' || path[4] != '/') return bad();
    digits += path.substr(1, 3);
    path.remove_prefix(5);
  }
  if (path.size() != 3) return bad();
  digits += path;
  if (!all_digits(digits)) return bad();
  const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  const auto index = parse_decimal(std::string_view(digits).substr(zeros));
  if (!index) return bad();
  id.index = *index;
  if (tile_path(id) != whole) return bad();  // one spelling only
  return id;
}

unsigned tile_width(std::uint8_t level, std::uint64_t index, std::uint64_t size) {
  if (index > (UINT64_MAX / kTileWidth) - 1) return 0;
  return width_at(shifted(size, 8U * level), index);
}

std::vector<TileId> tiles_since(std::uint64_t old_size, std::uint64_t new_size) {
  std::vector<TileId> out;
  add_since(out, TileKind::kEntries, 0, old_size, new_size);
  for (std::uint8_t level = 0; level <= kMaxTileLevel; ++level) {
    add_since(out, TileKind::kHashes, level, shifted(old_size, 8U * level),
              shifted(new_size, 8U * level));
  }
  return out;
}

std::vector<TileId> edge_tiles(std::uint64_t size) {
  std::vector<TileId> out;
  const auto add = [&](TileKind kind, std::uint8_t level) {
    const std::uint64_t nodes = shifted(size, 8U * level);
    if (nodes % kTileWidth == 0) return;
    out.push_back({.kind = kind,
                   .level = level,
                   .index = nodes / kTileWidth,
                   .width = static_cast<unsigned>(nodes % kTileWidth)});
  };
  add(TileKind::kEntries, 0);
  for (std::uint8_t level = 0; level <= kMaxTileLevel; ++level) add(TileKind::kHashes, level);
  return out;
}

Result<Bytes> encode_bundle(std::span<const std::string_view> entries) {
  if (entries.size() > kTileWidth) {
    return fail(Code::kInvalidArgument, "more than 256 entries for one bundle");
  }
  std::size_t bytes = 0;
  for (const std::string_view entry : entries) {
    if (entry.size() > 65'535) return fail(Code::kInvalidArgument, "an entry above 65,535 bytes");
    bytes += 2 + entry.size();
  }
  Bytes out;
  out.reserve(bytes);
  for (const std::string_view entry : entries) {
    put_u16(out, static_cast<std::uint16_t>(entry.size()));
    put_bytes(out, as_bytes(entry));
  }
  return out;
}

Result<std::vector<std::string_view>> decode_bundle(ByteView bundle, unsigned width) {
  std::vector<std::string_view> entries;
  entries.reserve(std::min(width, kTileWidth));
  std::size_t at = 0;
  while (at < bundle.size()) {
    if (entries.size() == width) {
      return fail(Code::kInvalidArgument, "the bundle goes on after its last entry");
    }
    if (bundle.size() - at < 2) return fail(Code::kInvalidArgument, "the bundle ends in a length");
    const std::size_t length = (std::to_integer<std::size_t>(bundle[at]) << 8U) |
                               std::to_integer<std::size_t>(bundle[at + 1]);
    at += 2;
    if (bundle.size() - at < length) {
      return fail(Code::kInvalidArgument, "the bundle ends in an entry");
    }
    entries.push_back(as_text(bundle.subspan(at, length)));
    at += length;
  }
  if (entries.size() != width) {
    return fail(Code::kInvalidArgument, "the bundle holds " + std::to_string(entries.size()) +
                                            " entries, not " + std::to_string(width));
  }
  return entries;
}

Result<const std::vector<Digest>*> TileSource::tile(std::uint8_t level, std::uint64_t index) {
  const std::uint64_t key = (std::uint64_t{level} << 56U) | index;
  if (const auto found = tiles_.find(key); found != tiles_.end()) return &found->second;
  const unsigned width = tile_width(level, index, size_);
  if (width == 0) return fail(Code::kNotFound, "a tile outside the tree");
  TileId id{.kind = TileKind::kHashes, .level = level, .index = index, .width = width};
  auto bytes = reader_.read(id);
  if (!bytes && bytes.error().code() == Code::kNotFound && width != kTileWidth) {
    const std::string partial = tile_path(id);
    id.width = kTileWidth;  // a later tree may have removed the partial one
    bytes = reader_.read(id);
    if (!bytes && bytes.error().code() == Code::kNotFound) {
      return fail(Code::kNotFound, partial + " is missing");
    }
  }
  if (!bytes) return std::unexpected(std::move(bytes).error());
  if (bytes->size() != id.width * kHashBytes) {
    return fail(Code::kInvalidArgument, tile_path(id) + " has " + std::to_string(bytes->size()) +
                                            " bytes, not " + std::to_string(id.width * kHashBytes));
  }
  std::vector<Digest> hashes(width);
  std::memcpy(hashes.data(), bytes->data(), width * kHashBytes);
  if (tiles_.size() >= kMaxCachedTiles) tiles_.clear();
  return &tiles_.emplace(key, std::move(hashes)).first->second;
}

Result<Digest> TileSource::node(NodeId id) {
  if (id.level >= 64 || id.index >= shifted(size_, id.level)) {
    return fail(Code::kNotFound, "a node outside the tree");
  }
  const auto tile_level = static_cast<std::uint8_t>(id.level / 8);
  const unsigned inside = id.level % 8U;
  // The node covers 2^inside hashes of one tile, since 2^inside divides 256.
  const std::uint64_t first = id.index << inside;
  const auto* hashes = TRY(tile(tile_level, first / kTileWidth));
  const std::size_t offset = first % kTileWidth;
  const std::size_t count = std::size_t{1} << inside;
  if (offset + count > hashes->size()) return fail(Code::kNotFound, "a node outside its tile");
  std::vector<Digest> row(hashes->begin() + static_cast<std::ptrdiff_t>(offset),
                          hashes->begin() + static_cast<std::ptrdiff_t>(offset + count));
  while (row.size() > 1) {
    for (std::size_t i = 0; i < row.size() / 2; ++i) row[i] = hash_node(row[2 * i], row[2 * i + 1]);
    row.resize(row.size() / 2);
  }
  return row.front();
}

}  // namespace candor::ledger
