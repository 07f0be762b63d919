#include "lineage/verdict.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ranges>

namespace candor::lineage {
namespace {

constexpr double kDescendsFrom = 0.60, kMixedFrom = 0.25, kWeakFrom = 0.10;
constexpr double kEmbeddingShared = 0.60, kEmbeddingWeak = 0.30, kGramSame = 0.90;
constexpr int kDraws = 200;

// Rearranges the residual side of every sketch of a model alike: which sign vector is which, and
// its sign. Strangers look like this; relatives do not survive it.
struct Rearrangement {
  std::array<std::size_t, kSigns> order{0, 1, 2, 3, 4, 5, 6, 7};
  std::array<int, kSigns> sign{1, 1, 1, 1, 1, 1, 1, 1};
};

template <std::size_t N>
double cosine(const std::array<std::int8_t, N>& a, const std::array<std::int8_t, N>& b,
              bool& known) {
  std::int32_t product = 0, aa = 0, bb = 0;  // at most 496 * 127^2
  for (std::size_t i = 0; i < N; ++i) {
    product += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  known = aa > 0 && bb > 0;
  return known ? static_cast<double>(product) /
                     std::sqrt(static_cast<double>(aa) * static_cast<double>(bb))
               : 0;
}

// Mean over the roles that both have; known = 0 where there is none.
double layer_cosine(const Layer& a, const Layer& b, bool& known) {
  double sum = 0;
  int count = 0;
  for (std::size_t role = 0; role < kRoles; ++role) {
    bool both = false;
    const double one = cosine(a[role].steps, b[role].steps, both);
    if (!both) continue;
    sum += one;
    ++count;
  }
  known = count > 0;
  return known ? sum / count : 0;
}

std::vector<Layer> rearranged(const std::vector<Layer>& layers, const Rearrangement& how) {
  std::vector<Layer> out = layers;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (std::size_t role = 0; role < kRoles; ++role) {
      for (std::size_t a = 0; a < kSigns; ++a) {
        for (std::size_t b = 0; b < kSigns; ++b) {
          out[l][role].steps[a * kSigns + b] = static_cast<std::int8_t>(
              how.sign[a] * layers[l][role].steps[how.order[a] * kSigns + b]);
        }
      }
    }
  }
  return out;
}

// Layers move in blocks: the share of layers kept in order decides, so the same pairs are scored
// for the null. Answers the mean cosine over the pairs.
double along(const std::vector<Layer>& a, const std::vector<Layer>& b,
             const std::vector<std::size_t>& pairs) {
  double sum = 0;
  int count = 0;
  for (std::size_t l = 0; l < a.size(); ++l) {
    bool known = false;
    const double one = layer_cosine(a[l], b[pairs[l]], known);
    if (!known) continue;
    sum += one;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

std::vector<std::size_t> align(const std::vector<Layer>& a, const std::vector<Layer>& b) {
  std::vector<std::size_t> best(a.size());
  for (std::size_t l = 0; l < a.size(); ++l) {
    double most = -1;
    for (std::size_t m = 0; m < b.size(); ++m) {
      bool known = false;
      const double one = std::abs(layer_cosine(a[l], b[m], known));
      if (known && one > most) {
        most = one;
        best[l] = m;
      }
    }
  }
  return best;
}

// What alignment alone gains between strangers is part of the null, so each draw aligns anew.
void add_null(const Fingerprint& file, const Fingerprint& reference, bool in_order, Relation& out) {
  std::uint64_t state = 0x853C49E6748FEA9BULL;
  const auto next = [&state] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33U;
  };
  std::vector<std::size_t> same(file.layers.size());
  std::iota(same.begin(), same.end(), 0);
  // Long models: the null of alignment costs layers^2, so it is drawn less often.
  const int draws = in_order || file.layers.size() * reference.layers.size() <= 64 ? kDraws : 20;
  double sum = 0, squares = 0;
  for (int draw = 0; draw < draws; ++draw) {
    Rearrangement how;
    do {
      for (std::size_t i = kSigns - 1; i > 0; --i)
        std::swap(how.order[i], how.order[next() % (i + 1)]);
    } while (std::ranges::any_of(std::views::iota(0U, kSigns),
                                 [&](std::size_t i) { return how.order[i] == i; }));
    for (int& sign : how.sign) sign = next() % 2 == 0 ? 1 : -1;
    const std::vector<Layer> other = rearranged(reference.layers, how);
    const double one = along(file.layers, other, in_order ? same : align(file.layers, other));
    sum += one;
    squares += one * one;
    out.null_max = std::max(out.null_max, std::abs(one));
  }
  out.null_mean = sum / draws;
  out.null_deviation =
      std::max(0.03, std::sqrt(std::max(0.0, squares / draws - out.null_mean * out.null_mean)));
  out.z = (out.block_cosine - out.null_mean) / out.null_deviation;
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kDescends: return "descends";
    case Verdict::kMixed: return "related in part";
    case Verdict::kSharedOrigin: return "shared origin possible";
    case Verdict::kUnrelated: return "unrelated";
    case Verdict::kAbstain: return "abstain";
    case Verdict::kNegated: return "negated";
  }
  return "abstain";
}

Relation relate(const Fingerprint& file, const Fingerprint& reference) {
  Relation out;
  if (file.width != reference.width) {
    out.blocks = out.embedding = Verdict::kUnrelated;
    out.reason = "another width: no weights can be compared; what was distilled leaves no trace";
    return out;
  }
  bool known = false;
  out.embedding_cosine = cosine(file.embedding, reference.embedding, known);
  out.gram_cosine = cosine(file.gram, reference.gram, known);
  if (known) {
    out.embedding = out.embedding_cosine >= kEmbeddingShared ? Verdict::kDescends
                    : out.embedding_cosine >= kEmbeddingWeak ? Verdict::kSharedOrigin
                                                             : Verdict::kUnrelated;
  }
  double norms = 0;
  int count = 0;
  for (std::size_t n = 0; n < kNorms; ++n) {
    bool both = false;
    const double one = cosine(file.norms[n], reference.norms[n], both);
    if (!both) continue;
    norms += one;
    ++count;
  }
  out.norms_known = count > 0;
  if (count > 0) out.norm_correlation = norms / count;

  std::vector<std::size_t> same(file.layers.size());
  std::iota(same.begin(), same.end(), 0);
  const bool equal = file.layers.size() == reference.layers.size();
  out.alignment = same;
  if (equal) out.block_cosine = along(file.layers, reference.layers, same);
  const bool in_order = equal && std::abs(out.block_cosine) >= kMixedFrom;
  if (!in_order) {
    out.alignment = align(file.layers, reference.layers);
    out.block_cosine = along(file.layers, reference.layers, out.alignment);
  }
  add_null(file, reference, in_order, out);

  const double s = out.block_cosine;
  if (s <= -kDescendsFrom) {
    out.blocks = Verdict::kNegated;
    out.reason = "the same weights with their signs turned: manipulated";
  } else if (std::abs(s) <= out.null_max + out.null_deviation || s < kWeakFrom) {
    if (known && out.gram_cosine >= kGramSame) {
      out.blocks = Verdict::kAbstain;
      out.reason =
          "no weights in common in this basis, but the embedding's geometry is the same: "
          "permuted or rotated weights, or a shared embedding";
    } else {
      out.blocks = Verdict::kUnrelated;
      out.reason = "no weights in common";
    }
  } else if (s >= kDescendsFrom) {
    out.blocks = Verdict::kDescends;
    out.reason = "the blocks' weights are of one origin";
  } else if (s >= kMixedFrom) {
    out.blocks = Verdict::kMixed;
    out.reason = "in part the same weights: a merge, or permuted neurons or heads";
  } else {
    out.blocks = Verdict::kSharedOrigin;
    out.reason = "a weak trace: a common initialisation, or a small share in a merge";
  }
  return out;
}

void Index::add(Fingerprint fingerprint) { fingerprints_.push_back(std::move(fingerprint)); }

std::vector<Index::Match> Index::look_up(const Fingerprint& file, std::size_t most) const {
  std::vector<std::pair<double, const Fingerprint*>> coarse;
  for (const Fingerprint& one : fingerprints_) {
    if (one.width != file.width || one.layers.empty() || file.layers.empty()) continue;
    bool known = false;
    const double score = std::abs(layer_cosine(file.layers.front(), one.layers.front(), known)) +
                         std::abs(layer_cosine(file.layers.back(), one.layers.back(), known)) +
                         std::max(0.0, cosine(file.gram, one.gram, known));
    coarse.emplace_back(score, &one);
  }
  const std::size_t kept = std::min(coarse.size(), most);
  std::ranges::partial_sort(coarse, coarse.begin() + static_cast<std::ptrdiff_t>(kept),
                            std::ranges::greater(), [](const auto& one) { return one.first; });
  std::vector<Match> out;
  for (std::size_t i = 0; i < kept; ++i) {
    out.push_back({.reference = coarse[i].second, .relation = relate(file, *coarse[i].second)});
  }
  std::ranges::sort(out, std::ranges::greater(),
                    [](const Match& match) { return std::abs(match.relation.block_cosine); });
  return out;
}

}  // namespace candor::lineage
