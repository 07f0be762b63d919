// Append-only Merkle tree hashing and proofs (RFC 9162 section 2.1, the same tree as RFC 6962):
//   leaf = SHA-256(0x00 || entry)   node = SHA-256(0x01 || left || right)   empty = SHA-256("")
//
// Sizes and indices are in leaves, from 0. A *complete node* (level, index) covers the leaves
// [index << level, (index + 1) << level). Proof hashes run from the leaf up, as in tlog-proof.
// Pure; const calls may run at once. Verifiers are safe on hostile input: at most 128 hashes.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace candor::ledger {

using Proof = std::vector<Digest>;

[[nodiscard]] Digest hash_leaf(ByteView entry);
[[nodiscard]] Digest hash_node(const Digest& left, const Digest& right);
[[nodiscard]] const Digest& empty_root();

struct NodeId {
  std::uint8_t level = 0;
  std::uint64_t index = 0;
  bool operator==(const NodeId&) const = default;
};

// Is told of every complete node in the order in which it comes into being, the leaf (level 0)
// first.
class NodeSink {
 public:
  virtual ~NodeSink() = default;
  virtual void node(NodeId id, const Digest& hash) = 0;
};

// The compact range [0, size): one hash for each complete subtree, largest first ("peaks", one for
// each bit set in size). All that is needed to append and to know the root. Appending n leaves
// costs at most 2n node hashes; root() at most 63.
class Frontier {
 public:
  Frontier() = default;
  // kInvalidArgument unless there is one peak for each bit of size.
  [[nodiscard]] static Result<Frontier> restore(std::uint64_t size, std::vector<Digest> peaks);

  void append(const Digest& leaf, NodeSink* sink = nullptr);
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] Digest root() const;
  [[nodiscard]] std::span<const Digest> peaks() const noexcept { return peaks_; }

 private:
  std::uint64_t size_ = 0;
  std::vector<Digest> peaks_;
};

// Where proofs get their hashes: tiles on disk, memory, both. kNotFound when a node is not held.
class HashSource {
 public:
  virtual ~HashSource() = default;
  [[nodiscard]] virtual Result<Digest> node(NodeId id) = 0;
};

// Every complete node made since some size, in memory: the tree's young edge. Nodes older than that
// are asked of `older` (may be null: then kNotFound). About 64 bytes a leaf until forgotten.
class RecentNodes final : public HashSource, public NodeSink {
 public:
  // Starts at an existing tree: its peaks are known at once.
  explicit RecentNodes(const Frontier& at = {}, HashSource* older = nullptr);

  void append(const Digest& leaf) { frontier_.append(leaf, this); }
  [[nodiscard]] const Frontier& frontier() const noexcept { return frontier_; }
  // Drops nodes whose leaves all lie below size, but for the peaks of the tree of that size.
  void forget_before(std::uint64_t size);

  [[nodiscard]] Result<Digest> node(NodeId id) override;
  void node(NodeId id, const Digest& hash) override;

 private:
  struct Level {
    std::uint64_t first = 0;  // index of nodes.front()
    std::deque<Digest> nodes;
  };
  struct Held {
    NodeId id;
    Digest hash;
  };
  Frontier frontier_;
  HashSource* older_;
  std::vector<Level> levels_;
  std::vector<Held> peaks_;  // of the tree that was here before levels_ begin
};

// Made from complete nodes alone. kInvalidArgument when the sizes or the index are impossible;
// errors of the source otherwise. Cost: O(log size) nodes read.
[[nodiscard]] Result<Proof> prove_inclusion(HashSource& source, std::uint64_t index,
                                            std::uint64_t size);
[[nodiscard]] Result<Proof> prove_consistency(HashSource& source, std::uint64_t old_size,
                                              std::uint64_t new_size);
[[nodiscard]] Result<Digest> root_at(HashSource& source, std::uint64_t size);
[[nodiscard]] Result<Frontier> frontier_at(HashSource& source, std::uint64_t size);

// What the signer is sent: the consistency proof from `old` to `old` with these leaves appended,
// without any other source. O(added).
[[nodiscard]] Proof prove_append(const Frontier& old, std::span<const Digest> added);

// RFC 9162 sections 2.1.3.2 and 2.1.4.2. kInvalidArgument: the proof's shape is impossible for
// these sizes (malformed). kDataLoss: well formed, but it leads to another root (evidence).
// Consistency with an old size of 0 is kInvalidArgument: the empty tree is a prefix of every tree,
// so there is nothing to verify, and who starts from it (a signer's first head) must say so itself.
[[nodiscard]] Result<void> verify_inclusion(std::uint64_t index, std::uint64_t size,
                                            const Digest& leaf, std::span<const Digest> proof,
                                            const Digest& root);
[[nodiscard]] Result<void> verify_consistency(std::uint64_t old_size, std::uint64_t new_size,
                                              const Digest& old_root, const Digest& new_root,
                                              std::span<const Digest> proof);

}  // namespace candor::ledger
