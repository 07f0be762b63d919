// What two fingerprints say about each other. Thresholds: docs/lineage.md, provisional.
// Pure; a permutation null of 200 draws makes the confidence.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lineage/fingerprint.h"

namespace candor::lineage {

enum class Verdict : std::uint8_t {
  kDescends,      // the blocks' weights are of one origin
  kMixed,         // related in part: a merge, or permuted neurons or heads
  kSharedOrigin,  // common initialisation possible, or a small share: never call it descent
  kUnrelated,     // no trace, in this basis
  kAbstain,       // nothing that could be compared, or another basis is possible
  kNegated,       // the weights' signs were turned: manipulated
};
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

struct Relation {
  Verdict blocks = Verdict::kAbstain;
  Verdict embedding = Verdict::kAbstain;  // kDescends, kSharedOrigin, kUnrelated or kAbstain
  double block_cosine = 0;                // after layer alignment
  double embedding_cosine = 0;
  double gram_cosine = 0;       // independent of the basis
  double norm_correlation = 0;  // a shared basis, no proof of shared weights
  bool norms_known = false;
  double null_mean = 0, null_deviation = 0, null_max = 0;  // of block_cosine
  double z = 0;                                            // block_cosine in deviations of the null
  std::vector<std::size_t> alignment;  // for each layer of the first, the second's best
  std::string_view reason;             // in words
};
[[nodiscard]] Relation relate(const Fingerprint& file, const Fingerprint& reference);

// Fingerprints by name; the nearest are looked up by first and last layer, then judged in full.
class Index {
 public:
  void add(Fingerprint fingerprint);
  [[nodiscard]] std::size_t size() const noexcept { return fingerprints_.size(); }
  struct Match {
    const Fingerprint* reference = nullptr;
    Relation relation;
  };
  // Best first, at most `most`. O(size) with 2,000 multiplications each.
  [[nodiscard]] std::vector<Match> look_up(const Fingerprint& file, std::size_t most = 4) const;

 private:
  std::vector<Fingerprint> fingerprints_;
};

}  // namespace candor::lineage
