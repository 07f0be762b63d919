#include "store/internal/tile_writer.h"

#include <algorithm>

namespace candor::store {

Result<void> TileWriter::open(std::uint64_t published_size) {
  published_ = published_size;
  edge_.clear();
  const auto width = static_cast<unsigned>(published_size % ledger::kTileWidth);
  if (width == 0) return {};
  TileFiles reader(files_, folder_);
  const Bytes bytes = TRY(reader.read({.kind = ledger::TileKind::kEntries,
                                       .level = 0,
                                       .index = published_size / ledger::kTileWidth,
                                       .width = width}));
  for (const std::string_view entry : TRY(ledger::decode_bundle(bytes, width))) {
    edge_.emplace_back(entry);
  }
  return {};
}

Result<void> TileWriter::put(const ledger::TileId& id, ByteView bytes) {
  const Path path = folder_ / ledger::tile_path(id);
  const Path parent = path.parent_path();
  if (!known_folders_.contains(parent)) {
    TRY(files_.make_folders(parent));
    known_folders_.insert(parent);
    // Every name on the way may be new.
    for (Path above = parent; above != folder_; above = above.parent_path()) {
      touched_folders_.insert(above.parent_path());
    }
  }
  const auto file = TRY(files_.open(path, OpenMode::kCreate));
  TRY(file->truncate(0));
  TRY(file->write_at(0, bytes));
  TRY(file->sync());
  touched_folders_.insert(parent);
  return {};
}

Result<void> TileWriter::sync_names() {
  for (const Path& folder : touched_folders_) TRY(files_.sync_folder(folder));
  touched_folders_.clear();
  return {};
}

Result<void> TileWriter::write(std::span<const std::string_view> entries, Pacer& pacer) {
  const std::uint64_t new_size = published_ + entries.size();
  const std::uint64_t edge_start = published_ - edge_.size();
  const auto entry_at = [&](std::uint64_t index) -> std::string_view {
    return index < published_ ? std::string_view(edge_[index - edge_start])
                              : entries[index - published_];
  };
  std::vector<std::string_view> bundle;
  std::vector<Digest> hashes;
  for (const ledger::TileId& id : ledger::tiles_since(published_, new_size)) {
    pacer.breathe();
    if (id.kind == ledger::TileKind::kEntries) {
      bundle.clear();
      for (unsigned i = 0; i < id.width; ++i) {
        bundle.push_back(entry_at((id.index * ledger::kTileWidth) + i));
      }
      const Bytes bytes = TRY(ledger::encode_bundle(bundle));
      TRY(put(id, bytes));
    } else {
      hashes.clear();
      TRY(tree_.nodes(static_cast<std::uint8_t>(8 * id.level), id.index * ledger::kTileWidth,
                      id.width, hashes));
      TRY(put(id, std::as_bytes(std::span(hashes))));
    }
  }
  TRY(sync_names());
  next_edge_.clear();
  for (std::uint64_t i = new_size - (new_size % ledger::kTileWidth); i < new_size; ++i) {
    next_edge_.emplace_back(entry_at(i));
  }
  return {};
}

Result<void> TileWriter::write_checkpoint(std::string_view note, std::uint64_t size) {
  TRY(write_file_atomically(files_, folder_ / "checkpoint", as_bytes(note)));
  const std::uint64_t before = published_;
  published_ = size;
  edge_.swap(next_edge_);
  // Only full tiles make partial ones superfluous (C2SP tlog-tiles); old ones may be gone already.
  for (const ledger::TileId& id : ledger::tiles_since(before, size)) {
    if (id.width != ledger::kTileWidth) continue;
    const Path partials(Path(folder_ / ledger::tile_path(id)).native() + ".p");
    const auto names = files_.list(partials);
    if (!names) continue;
    for (const std::string& name : *names) TRY(files_.remove(partials / name));
  }
  return {};
}

Result<std::string> TileWriter::read(std::uint64_t index, std::uint64_t published_size) {
  TileFiles reader(files_, folder_);
  ledger::TileId id{.kind = ledger::TileKind::kEntries,
                    .level = 0,
                    .index = index / ledger::kTileWidth,
                    .width = ledger::kTileWidth};
  const std::uint64_t edge = published_size / ledger::kTileWidth;
  if (id.index == edge) id.width = static_cast<unsigned>(published_size % ledger::kTileWidth);
  auto bytes = reader.read(id);
  if (!bytes && id.width != ledger::kTileWidth) {  // published further meanwhile
    id.width = ledger::kTileWidth;
    bytes = reader.read(id);
  }
  if (!bytes) return std::unexpected(bytes.error());
  const auto entries = TRY(ledger::decode_bundle(*bytes, id.width));
  return std::string(entries[index % ledger::kTileWidth]);
}

}  // namespace candor::store
