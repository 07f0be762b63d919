#include "lineage/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace candor::lineage {
namespace {

struct Sums {
  double aa = 0, bb = 0, ab = 0, dd = 0;
};

Result<Sums> sums_of(TensorFile& a, const Tensor& left, TensorFile& b, const Tensor& right) {
  Sums out;
  const std::uint64_t rows = std::min(left.rows, right.rows);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const auto x = TRY(a.row(left, i));
    const auto y = TRY(b.row(right, i));
    for (std::size_t j = 0; j < x.size(); ++j) {
      const auto u = static_cast<double>(x[j]), v = static_cast<double>(y[j]);
      out.aa += u * u;
      out.bb += v * v;
      out.ab += u * v;
      out.dd += (v - u) * (v - u);
    }
  }
  return out;
}

bool in_order(const std::vector<std::size_t>& alignment, std::size_t layers) {
  for (std::size_t l = 0; l < alignment.size(); ++l) {
    if (alignment[l] != l) return false;
  }
  return alignment.size() == layers;
}

}  // namespace

std::string_view to_string(Change change) noexcept {
  switch (change) {
    case Change::kIdentical: return "identical weights";
    case Change::kRequantised: return "same weights requantised";
    case Change::kUpdated: return "updated";
    case Change::kLayers: return "layers dropped, repeated or moved";
    case Change::kVocabulary: return "vocabulary changed";
    case Change::kUnrelated: return "unrelated";
    case Change::kUnclear: return "unclear";
  }
  return "unclear";
}

double quantisation_error(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, double>, 18> kErrors = {{
      {"f32", 0},
      {"f64", 0},
      {"f16", 0.0003},
      {"bf16", 0.0018},
      {"q8_0", 0.0072},
      {"q6_K", 0.023},
      {"q5_K", 0.038},
      {"q5_1", 0.040},
      {"q5_0", 0.045},
      {"q4_K", 0.075},
      {"q4_1", 0.083},
      {"q4_0", 0.092},
      {"iq4_nl", 0.081},
      {"iq4_xs", 0.081},
      {"q3_K", 0.160},
      {"iq3_s", 0.175},
      {"q2_K", 0.310},
      {"tq2_0", 0.83},
  }};
  const auto found = std::ranges::find(kErrors, type, [](const auto& one) { return one.first; });
  return found == kErrors.end() ? 0.35 : found->second;
}

Result<Comparison> compare(TensorFile& a, TensorFile& b) {
  Comparison out;
  const Fingerprint left = TRY(fingerprint(a, "a"));
  const Fingerprint right = TRY(fingerprint(b, "b"));
  out.relation = relate(right, left);
  double squares = 0, differences = 0, explained = 0;  // over all weights
  for (const auto& [name, tensor] : a.tensors()) {
    const Tensor* other = b.find(name);
    if (other == nullptr) {
      out.only_a.push_back(name);
      continue;
    }
    const bool vocabulary = name == "token_embd.weight" || name == "output.weight";
    if (tensor.columns != other->columns || (tensor.rows != other->rows && !vocabulary)) {
      out.reshaped.push_back(name);
      continue;
    }
    if (tensor.rows != other->rows) out.reshaped.push_back(name);
    const Sums sums = TRY(sums_of(a, tensor, b, *other));
    TensorChange change{
        .name = name, .type_a = type_name(tensor.type), .type_b = type_name(other->type)};
    change.explained =
        std::hypot(quantisation_error(change.type_a), quantisation_error(change.type_b));
    change.difference = sums.aa > 0 ? std::sqrt(sums.dd / sums.aa) : (sums.dd > 0 ? 1 : 0);
    if (sums.aa > 0 && sums.bb > 0) change.cosine = sums.ab / std::sqrt(sums.aa * sums.bb);
    // Norms are vectors of large gains: they would drown the weights.
    if (tensor.rows > 1) {
      squares += sums.aa;
      differences += sums.dd;
      explained += sums.aa * change.explained * change.explained;
    }
    out.tensors.push_back(std::move(change));
  }
  for (const auto& [name, tensor] : b.tensors()) {
    if (a.find(name) == nullptr) out.only_b.push_back(name);
  }
  if (squares > 0) {
    out.difference = std::sqrt(differences / squares);
    out.explained = std::sqrt(explained / squares);
  }
  const double excess = out.difference * out.difference - out.explained * out.explained;
  out.size = excess > 0 ? std::sqrt(excess) : 0;
  out.sees_from = std::max(0.0001, 0.6 * out.explained);

  const bool shared = out.relation.blocks == Verdict::kDescends;
  const bool same_names = out.only_a.empty() && out.only_b.empty();
  if (out.relation.blocks == Verdict::kUnrelated) {
    out.change = Change::kUnrelated;
  } else if (!shared) {
    out.change = Change::kUnclear;
  } else if (!in_order(out.relation.alignment, left.layers.size())) {
    out.change = Change::kLayers;
  } else if (!out.reshaped.empty()) {
    out.change = Change::kVocabulary;
  } else if (same_names && std::ranges::all_of(out.tensors, [](const TensorChange& one) {
               return one.difference == 0;
             })) {
    out.change = Change::kIdentical;
  } else if (std::ranges::all_of(out.tensors, [](const TensorChange& one) {
               return one.difference <= 1.15 * one.explained + 1e-6;
             })) {
    out.change = Change::kRequantised;
  } else {
    out.change = Change::kUpdated;
  }
  return out;
}

}  // namespace candor::lineage
