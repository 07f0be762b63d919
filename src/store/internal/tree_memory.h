// The tree's young edge in memory, and tiles for what is older: proofs and nodes for any leaf
// (thread-safe).
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"
#include "ledger/merkle.h"
#include "ledger/tiles.h"

namespace candor::store {

// Reads published tiles below the log's folder.
class TileFiles final : public ledger::TileReader {
 public:
  TileFiles(FileSystem& files, Path ledger_folder)
      : files_(files), folder_(std::move(ledger_folder)) {}
  [[nodiscard]] Result<Bytes> read(const ledger::TileId& id) override;

 private:
  FileSystem& files_;
  Path folder_;
};

class TreeMemory {
 public:
  TreeMemory(FileSystem& files, Path ledger_folder, const ledger::Frontier& at,
             std::uint64_t published_size)
      : tiles_(files, std::move(ledger_folder)), recent_(at), published_(published_size) {}

  // The commit thread's: appends and gives the consistency proof from the size before.
  [[nodiscard]] Result<ledger::Proof> append(std::span<const Digest> leaves);
  [[nodiscard]] ledger::Frontier frontier() const;

  [[nodiscard]] Result<ledger::Proof> prove(std::uint64_t index, std::uint64_t size);
  // Nodes [first, first + count) of a level.
  [[nodiscard]] Result<void> nodes(std::uint8_t level, std::uint64_t first, std::size_t count,
                                   std::vector<Digest>& out);
  // Tiles of a tree of this size stand on disk; older nodes than keep_leaves are forgotten.
  void published(std::uint64_t size, std::size_t keep_leaves);

 private:
  class Source;
  mutable std::mutex mutex_;
  TileFiles tiles_;
  ledger::RecentNodes recent_;
  std::uint64_t published_;
};

}  // namespace candor::store
