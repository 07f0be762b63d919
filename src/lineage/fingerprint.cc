#include "lineage/fingerprint.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace candor::lineage {
namespace {

enum class Side : std::uint64_t { kResidual = 1, kInner = 2 };

constexpr std::array<std::string_view, kRoles> kRoleNames = {
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
// Roles whose rows, not columns, are residual dimensions.
bool writes_residual(std::size_t role) { return role == 3 || role == 6; }

// SplitMix64 (Steele, Lea, Flood 2014) of side and index; its low bits are the signs.
std::uint64_t signs_of(Side side, std::uint64_t index) {
  std::uint64_t x = (static_cast<std::uint64_t>(side) << 32U) + index;
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}
double sign(std::uint64_t bits, std::size_t which) { return (bits >> which & 1U) != 0 ? 1 : -1; }

std::int8_t step(double value, double scale) {
  if (scale == 0) return 0;
  return static_cast<std::int8_t>(std::clamp(std::round(value / scale), -127.0, 127.0));
}

Result<Sketch> sketch(TensorFile& file, const Tensor& tensor, bool rows_are_residual) {
  const Side row_side = rows_are_residual ? Side::kResidual : Side::kInner;
  const Side column_side = rows_are_residual ? Side::kInner : Side::kResidual;
  std::array<double, kSketch> sums{};
  double squares = 0;
  const std::uint64_t count = std::min<std::uint64_t>(kSampledRows, tensor.rows);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t index = i * tensor.rows / count;
    const auto row = TRY(file.row(tensor, index));
    std::array<double, kSigns> along{};
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::uint64_t bits = signs_of(column_side, j);
      const double value = static_cast<double>(row[j]);
      squares += value * value;
      for (std::size_t b = 0; b < kSigns; ++b) along[b] += sign(bits, b) * value;
    }
    const std::uint64_t bits = signs_of(row_side, index);
    for (std::size_t a = 0; a < kSigns; ++a) {
      for (std::size_t b = 0; b < kSigns; ++b) {
        sums[rows_are_residual ? a * kSigns + b : b * kSigns + a] += sign(bits, a) * along[b];
      }
    }
  }
  double largest = 0;
  for (const double sum : sums) largest = std::max(largest, std::abs(sum));
  Sketch out;
  out.type = tensor.type;
  out.scale = static_cast<float>(largest / 127);
  if (!std::isfinite(out.scale)) out.scale = 0;
  out.rms = static_cast<float>(
      std::sqrt(squares / (static_cast<double>(count) * static_cast<double>(tensor.columns))));
  if (!std::isfinite(out.rms)) out.rms = 0;
  for (std::size_t k = 0; k < kSketch; ++k) {
    out.steps[k] = step(sums[k], static_cast<double>(out.scale));
  }
  return out;
}

// Anchors are token ids, spread evenly over the first 2,048 of a vocabulary or all of a smaller
// one.
Result<void> sketch_embedding(TensorFile& file, const Tensor& tensor, Fingerprint& out) {
  const std::uint64_t range = std::min<std::uint64_t>(tensor.rows, 2'048);
  if (range < kAnchors) return {};
  const auto width = static_cast<std::size_t>(tensor.columns);
  std::vector<std::vector<double>> rows;
  std::vector<double> mean(width);
  for (std::uint64_t k = 0; k < kAnchors; ++k) {
    const auto row = TRY(file.row(tensor, (2 * k + 1) * range / (2 * kAnchors)));
    rows.emplace_back(row.begin(), row.end());
    for (std::size_t j = 0; j < width; ++j) mean[j] += rows.back()[j] / kAnchors;
  }
  for (std::size_t k = 0; k < kAnchors; ++k) {
    double squares = 0;
    for (std::size_t j = 0; j < width; ++j) {
      rows[k][j] -= mean[j];
      squares += rows[k][j] * rows[k][j];
    }
    const double norm = std::sqrt(squares);
    for (double& value : rows[k]) value = norm > 0 ? value / norm : 0;
    std::array<double, kSigns> sums{};
    for (std::size_t j = 0; j < width; ++j) {
      const std::uint64_t bits = signs_of(Side::kResidual, j);
      for (std::size_t a = 0; a < kSigns; ++a) sums[a] += sign(bits, a) * rows[k][j];
    }
    // A sum has standard deviation 1: 4 of them fill the byte.
    for (std::size_t a = 0; a < kSigns; ++a) {
      out.embedding[k * kSigns + a] = step(sums[a], 4.0 / 127);
    }
  }
  std::size_t at = 0;
  for (std::size_t k = 0; k < kAnchors; ++k) {
    for (std::size_t m = 0; m < k; ++m) {
      double product = 0;
      for (std::size_t j = 0; j < width; ++j) product += rows[k][j] * rows[m][j];
      out.gram[at++] = step(product, 1.0 / 127);
    }
  }
  return {};
}

Result<void> sketch_norms(TensorFile& file, Fingerprint& out) {
  const std::size_t layers = out.layers.size();
  for (std::size_t n = 0; n < kNorms; ++n) {
    const std::size_t layer = (n / 2) * (layers - 1) / 3;
    const Tensor* tensor =
        file.find(fmt::format("blk.{}.{}.weight", layer, n % 2 == 0 ? "attn_norm" : "ffn_norm"));
    if (tensor == nullptr || tensor->columns < 2) continue;
    const auto row = TRY(file.row(*tensor, 0));
    std::array<double, kNormPlaces> values{};
    double mean = 0;
    for (std::size_t i = 0; i < kNormPlaces; ++i) {
      values[i] = static_cast<double>(row[i * row.size() / kNormPlaces]);
      mean += values[i] / kNormPlaces;
    }
    double largest = 0;
    for (double& value : values) {
      value -= mean;
      largest = std::max(largest, std::abs(value));
    }
    if (largest <= 1e-6 * std::abs(mean)) continue;  // folded gains: no evidence
    for (std::size_t i = 0; i < kNormPlaces; ++i) out.norms[n][i] = step(values[i], largest / 127);
  }
  return {};
}

}  // namespace

std::string tensor_name(std::size_t layer, std::size_t role) {
  return fmt::format("blk.{}.{}.weight", layer, kRoleNames[role]);
}

Result<Fingerprint> fingerprint(TensorFile& file, std::string name) {
  const Tensor* embedding = file.find("token_embd.weight");
  const std::uint32_t layers = file.layers();
  if (embedding == nullptr || layers == 0) {
    return fail(Code::kFailedPrecondition,
                "this file has no token_embd.weight or no blocks: lineage is read from language "
                "models in GGUF only");
  }
  if (layers > kMaxLayers || embedding->rows > 0xFFFFFFFFU) {
    return fail(Code::kResourceExhausted, "more layers or tokens than a fingerprint holds");
  }
  Fingerprint out;
  out.name = std::move(name);
  out.architecture = file.architecture().substr(0, 64);
  out.width = static_cast<std::uint32_t>(embedding->columns);
  out.vocabulary = static_cast<std::uint32_t>(embedding->rows);
  out.layers.resize(layers);
  bool any = false;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::size_t role = 0; role < kRoles; ++role) {
      const Tensor* tensor = file.find(tensor_name(layer, role));
      if (tensor == nullptr) continue;
      const std::uint64_t residual = writes_residual(role) ? tensor->rows : tensor->columns;
      if (residual != out.width) continue;
      out.layers[layer][role] = TRY(sketch(file, *tensor, writes_residual(role)));
      any = true;
    }
  }
  if (!any) {
    return fail(Code::kFailedPrecondition,
                "none of the blocks' matrices has a name and shape that lineage knows (fused or "
                "expert tensors are not read)");
  }
  TRY(sketch_embedding(file, *embedding, out));
  TRY(sketch_norms(file, out));
  return out;
}

}  // namespace candor::lineage
