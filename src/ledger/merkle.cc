#include "ledger/merkle.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "crypto/hash.h"

namespace candor::ledger {
namespace {

constexpr std::byte kLeafPrefix{0x00};
constexpr std::byte kNodePrefix{0x01};

// Root of the leaves [begin, end): complete when begin is a multiple of the width and the width is
// a power of two, else split at the largest power of two below the width (RFC 9162's k).
Result<Digest> range_root(HashSource& source, std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t width = end - begin;
  if (std::has_single_bit(width) && begin % width == 0) {
    const auto level = static_cast<std::uint8_t>(std::countr_zero(width));
    return source.node(NodeId{.level = level, .index = begin >> level});
  }
  const std::uint64_t k = std::bit_floor(width - 1);
  const Digest left = TRY(range_root(source, begin, begin + k));
  const Digest right = TRY(range_root(source, begin + k, end));
  return hash_node(left, right);
}

// The complete nodes that tile [0, size), largest first.
std::vector<NodeId> peak_ids(std::uint64_t size) {
  std::vector<NodeId> ids;
  std::uint64_t begin = 0;
  for (std::uint64_t rest = size; rest != 0;) {
    const std::uint64_t width = std::bit_floor(rest);
    const auto level = static_cast<std::uint8_t>(std::countr_zero(width));
    ids.push_back(NodeId{.level = level, .index = begin >> level});
    begin += width;
    rest -= width;
  }
  return ids;
}

std::string size_text(std::uint64_t size) { return std::to_string(size); }

}  // namespace

Digest hash_leaf(ByteView entry) { return crypto::sha256({ByteView(&kLeafPrefix, 1), entry}); }

Digest hash_node(const Digest& left, const Digest& right) {
  return crypto::sha256({ByteView(&kNodePrefix, 1), left, right});
}

const Digest& empty_root() {
  static const Digest root = crypto::sha256(ByteView());
  return root;
}

Result<Frontier> Frontier::restore(std::uint64_t size, std::vector<Digest> peaks) {
  if (peaks.size() != static_cast<std::size_t>(std::popcount(size))) {
    return fail(Code::kInvalidArgument, "a tree of " + size_text(size) + " leaves has " +
                                            std::to_string(std::popcount(size)) + " peaks, not " +
                                            std::to_string(peaks.size()));
  }
  Frontier frontier;
  frontier.size_ = size;
  frontier.peaks_ = std::move(peaks);
  return frontier;
}

void Frontier::append(const Digest& leaf, NodeSink* sink) {
  Digest hash = leaf;
  std::uint64_t index = size_;
  std::uint8_t level = 0;
  if (sink != nullptr) sink->node(NodeId{.level = 0, .index = index}, hash);
  for (; (index & 1U) != 0; index >>= 1U) {
    hash = hash_node(peaks_.back(), hash);
    peaks_.pop_back();
    ++level;
    if (sink != nullptr) sink->node(NodeId{.level = level, .index = index >> 1U}, hash);
  }
  peaks_.push_back(hash);
  ++size_;
}

Digest Frontier::root() const {
  if (peaks_.empty()) return empty_root();
  Digest hash = peaks_.back();
  for (std::size_t i = peaks_.size() - 1; i-- > 0;) hash = hash_node(peaks_[i], hash);
  return hash;
}

RecentNodes::RecentNodes(const Frontier& at, HashSource* older) : frontier_(at), older_(older) {
  const auto ids = peak_ids(at.size());
  for (std::size_t i = 0; i < ids.size(); ++i) peaks_.push_back({ids[i], at.peaks()[i]});
}

void RecentNodes::node(NodeId id, const Digest& hash) {
  if (levels_.size() <= id.level) levels_.resize(id.level + 1U);
  Level& level = levels_[id.level];
  if (level.nodes.empty()) level.first = id.index;
  level.nodes.push_back(hash);
}

Result<Digest> RecentNodes::node(NodeId id) {
  if (id.level < levels_.size()) {
    const Level& level = levels_[id.level];
    if (id.index >= level.first && id.index - level.first < level.nodes.size()) {
      return level.nodes[static_cast<std::size_t>(id.index - level.first)];
    }
  }
  for (const Held& held : peaks_) {
    if (held.id == id) return held.hash;
  }
  if (older_ != nullptr) return older_->node(id);
  return fail(Code::kNotFound, "tree node " + std::to_string(id.level) + "/" +
                                   std::to_string(id.index) + " is not held");
}

void RecentNodes::forget_before(std::uint64_t size) {
  if (size > frontier_.size()) size = frontier_.size();
  std::uint64_t begin = 0;  // of levels_
  for (const Held& held : peaks_) begin += std::uint64_t{1} << held.id.level;
  if (size <= begin) return;  // of what lies before there are only the peaks, and they are needed
  std::vector<Held> kept;
  for (const NodeId id : peak_ids(size)) {
    auto hash = node(id);
    CANDOR_CHECK(hash.has_value());  // a peak of then, or made since
    kept.push_back({id, *hash});
  }
  peaks_ = std::move(kept);
  for (std::uint8_t l = 0; l < levels_.size(); ++l) {
    Level& level = levels_[l];
    while (!level.nodes.empty() && ((level.first + 1) << l) <= size) {
      level.nodes.pop_front();
      ++level.first;
    }
  }
}

Result<Proof> prove_inclusion(HashSource& source, std::uint64_t index, std::uint64_t size) {
  if (index >= size) {
    return fail(Code::kInvalidArgument,
                "no leaf " + size_text(index) + " in a tree of " + size_text(size));
  }
  Proof proof;
  std::uint64_t begin = 0;
  std::uint64_t end = size;
  while (end - begin > 1) {  // walk down, so siblings come root first
    const std::uint64_t k = std::bit_floor(end - begin - 1);
    if (index < begin + k) {
      proof.push_back(TRY(range_root(source, begin + k, end)));
      end = begin + k;
    } else {
      proof.push_back(TRY(range_root(source, begin, begin + k)));
      begin += k;
    }
  }
  std::ranges::reverse(proof);
  return proof;
}

Result<Proof> prove_consistency(HashSource& source, std::uint64_t old_size,
                                std::uint64_t new_size) {
  if (old_size > new_size) {
    return fail(Code::kInvalidArgument, "a tree of " + size_text(old_size) +
                                            " leaves is no part of one of " + size_text(new_size));
  }
  Proof proof;
  if (old_size == 0 || old_size == new_size) return proof;
  // RFC 9162 section 2.1.4.1: SUBPROOF(m, D[begin:end], b) from the root down.
  std::uint64_t begin = 0;
  std::uint64_t end = new_size;
  bool from_start = true;  // the subtree is the old tree's own prefix: its hash is known
  while (old_size != end) {
    const std::uint64_t k = std::bit_floor(end - begin - 1);
    if (old_size <= begin + k) {
      proof.push_back(TRY(range_root(source, begin + k, end)));
      end = begin + k;
    } else {
      proof.push_back(TRY(range_root(source, begin, begin + k)));
      begin += k;
      from_start = false;
    }
  }
  if (!from_start) proof.push_back(TRY(range_root(source, begin, end)));
  std::ranges::reverse(proof);
  return proof;
}

Result<Digest> root_at(HashSource& source, std::uint64_t size) {
  if (size == 0) return empty_root();
  return range_root(source, 0, size);
}

Result<Frontier> frontier_at(HashSource& source, std::uint64_t size) {
  std::vector<Digest> peaks;
  for (const NodeId id : peak_ids(size)) peaks.push_back(TRY(source.node(id)));
  return Frontier::restore(size, std::move(peaks));
}

Proof prove_append(const Frontier& old, std::span<const Digest> added) {
  RecentNodes nodes(old);
  for (const Digest& leaf : added) nodes.append(leaf);
  auto proof = prove_consistency(nodes, old.size(), old.size() + added.size());
  CANDOR_CHECK(proof.has_value());  // every node needed is an old peak or made of added leaves
  return *std::move(proof);
}

Result<void> verify_inclusion(std::uint64_t index, std::uint64_t size, const Digest& leaf,
                              std::span<const Digest> proof, const Digest& root) {
  if (index >= size) return fail(Code::kInvalidArgument, "leaf index past the end of the tree");
  std::uint64_t at = index;
  std::uint64_t last = size - 1;
  Digest hash = leaf;
  for (const Digest& sibling : proof) {
    if (last == 0) return fail(Code::kInvalidArgument, "the proof has too many hashes");
    if ((at & 1U) != 0 || at == last) {
      hash = hash_node(sibling, hash);
      while ((at & 1U) == 0 && at != 0) {
        at >>= 1U;
        last >>= 1U;
      }
    } else {
      hash = hash_node(hash, sibling);
    }
    at >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return fail(Code::kInvalidArgument, "the proof has too few hashes");
  if (hash != root) return fail(Code::kDataLoss, "the proof leads to another root");
  return {};
}

Result<void> verify_consistency(std::uint64_t old_size, std::uint64_t new_size,
                                const Digest& old_root, const Digest& new_root,
                                std::span<const Digest> proof) {
  if (old_size > new_size) return fail(Code::kInvalidArgument, "the older tree is the larger one");
  if (old_size == 0) return fail(Code::kInvalidArgument, "the empty tree proves nothing");
  if (old_size == new_size) {
    if (!proof.empty()) return fail(Code::kInvalidArgument, "the proof must be empty");
    if (old_root != new_root) return fail(Code::kDataLoss, "one size has two roots");
    return {};
  }
  if (proof.empty()) return fail(Code::kInvalidArgument, "the proof has too few hashes");
  // RFC 9162 section 2.1.4.2.
  std::uint64_t at = old_size - 1;
  std::uint64_t last = new_size - 1;
  while ((at & 1U) != 0) {
    at >>= 1U;
    last >>= 1U;
  }
  // An old tree that is one complete subtree is its own first hash.
  const bool own_start = std::has_single_bit(old_size);
  Digest old_hash = own_start ? old_root : proof.front();
  Digest new_hash = old_hash;
  for (const Digest& sibling : own_start ? proof : proof.subspan(1)) {
    if (last == 0) return fail(Code::kInvalidArgument, "the proof has too many hashes");
    if ((at & 1U) != 0 || at == last) {
      old_hash = hash_node(sibling, old_hash);
      new_hash = hash_node(sibling, new_hash);
      while ((at & 1U) == 0 && at != 0) {
        at >>= 1U;
        last >>= 1U;
      }
    } else {
      new_hash = hash_node(new_hash, sibling);
    }
    at >>= 1U;
    last >>= 1U;
  }
  if (last != 0) return fail(Code::kInvalidArgument, "the proof has too few hashes");
  if (old_hash != old_root) return fail(Code::kDataLoss, "the proof leads to another older root");
  if (new_hash != new_root) return fail(Code::kDataLoss, "the proof leads to another newer root");
  return {};
}

}  // namespace candor::ledger
