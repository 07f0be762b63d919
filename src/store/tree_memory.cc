#include "store/internal/tree_memory.h"

#include <optional>

namespace candor::store {
namespace {

constexpr std::size_t kMaxTileFile = ledger::kMaxBundleBytes;

}  // namespace

Result<Bytes> TileFiles::read(const ledger::TileId& id) {
  return read_file(files_, folder_ / ledger::tile_path(id), kMaxTileFile);
}

// Memory first, tiles where it does not reach. The lock is held for one node at a time, so that a
// proof that reads files does not hold up a commit.
class TreeMemory::Source final : public ledger::HashSource {
 public:
  explicit Source(TreeMemory& tree) : tree_(tree) {}
  Result<Digest> node(ledger::NodeId id) override {
    std::uint64_t published = 0;
    {
      const std::lock_guard lock(tree_.mutex_);
      auto hash = tree_.recent_.node(id);
      if (hash || hash.error().code() != Code::kNotFound) return hash;
      published = tree_.published_;
    }
    if (!older_) older_.emplace(tree_.tiles_, published);
    return older_->node(id);
  }

 private:
  TreeMemory& tree_;
  std::optional<ledger::TileSource> older_;
};

Result<ledger::Proof> TreeMemory::append(std::span<const Digest> leaves) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t before = recent_.frontier().size();
  for (const Digest& leaf : leaves) recent_.append(leaf);
  return ledger::prove_consistency(recent_, before, before + leaves.size());
}

ledger::Frontier TreeMemory::frontier() const {
  const std::lock_guard lock(mutex_);
  return recent_.frontier();
}

Result<ledger::Proof> TreeMemory::prove(std::uint64_t index, std::uint64_t size) {
  if (index >= size || size > frontier().size()) {
    return fail(Code::kNotFound,
                "entry " + std::to_string(index) + " is not in a tree of " + std::to_string(size));
  }
  Source source(*this);
  return ledger::prove_inclusion(source, index, size);
}

Result<void> TreeMemory::nodes(std::uint8_t level, std::uint64_t first, std::size_t count,
                               std::vector<Digest>& out) {
  Source source(*this);
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(TRY(source.node({.level = level, .index = first + i})));
  }
  return {};
}

void TreeMemory::published(std::uint64_t size, std::size_t keep_leaves) {
  const std::lock_guard lock(mutex_);
  published_ = size;
  const std::uint64_t all = recent_.frontier().size();
  // Not a leaf at a time: forgetting costs a walk over the levels.
  if (all > keep_leaves) recent_.forget_before(std::min(size, all - keep_leaves));
}

}  // namespace candor::store
