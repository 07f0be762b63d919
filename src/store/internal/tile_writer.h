// Writes the C2SP tlog-tiles layout below ledger/: bundles and tiles, synced, then the checkpoint
// by rename. Idempotent: what an unfinished call wrote is written again. One thread at a time.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file_system.h"
#include "base/result.h"
#include "base/thread.h"
#include "ledger/tiles.h"
#include "store/internal/tree_memory.h"

namespace candor::store {

class TileWriter {
 public:
  TileWriter(FileSystem& files, Path folder, TreeMemory& tree)
      : files_(files), folder_(std::move(folder)), tree_(tree) {}

  // Reads the partial bundle at the edge of a published tree.
  [[nodiscard]] Result<void> open(std::uint64_t published_size);
  // Entries [published, published + entries.size()) and the tiles over them. entries are views that
  // live until this returns.
  [[nodiscard]] Result<void> write(std::span<const std::string_view> entries, Pacer& pacer);
  // After write(): the head over exactly those entries.
  [[nodiscard]] Result<void> write_checkpoint(std::string_view note, std::uint64_t size);
  // Entry `index` below the published size.
  [[nodiscard]] Result<std::string> read(std::uint64_t index, std::uint64_t published_size);

 private:
  [[nodiscard]] Result<void> put(const ledger::TileId& id, ByteView bytes);
  [[nodiscard]] Result<void> sync_names();
  [[nodiscard]] Result<void> remove_partials(std::uint64_t new_size);

  FileSystem& files_;
  Path folder_;
  TreeMemory& tree_;
  std::uint64_t published_ = 0;
  std::vector<std::string> edge_;  // entries of the partial bundle at published_
  std::vector<std::string> next_edge_;
  std::set<Path> known_folders_;
  std::set<Path> touched_folders_;
};

}  // namespace candor::store
