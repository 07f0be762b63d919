// The fingerprint of a model's weights: what lineage is read from (docs/formats/fingerprint.md).
// Kilobytes a model; reads 64 rows of each block matrix, never a whole file.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "lineage/tensors.h"

namespace candor::lineage {

inline constexpr std::size_t kSigns = 8;  // projections of each side
inline constexpr std::size_t kSketch = kSigns * kSigns;
inline constexpr std::size_t kRoles = 7;  // q k v output gate up down
inline constexpr std::size_t kSampledRows = 64;
inline constexpr std::size_t kAnchors = 32;  // rows of the embedding
inline constexpr std::size_t kGram = kAnchors * (kAnchors - 1) / 2;
inline constexpr std::size_t kNorms = 8, kNormPlaces = 128;
inline constexpr std::uint32_t kMaxLayers = 1024;

struct Sketch {
  float scale = 0;  // value = scale * step; 0: the tensor is absent
  float rms = 0;    // of the sampled weights
  std::uint32_t type = 0;
  std::array<std::int8_t, kSketch> steps{};  // [residual sign][inner sign]
  bool operator==(const Sketch&) const = default;
};
using Layer = std::array<Sketch, kRoles>;

struct Fingerprint {
  std::string name;              // given by whoever made it; at most 128 bytes
  std::string architecture;      // as the file claims; at most 64 bytes
  std::uint32_t width = 0;       // residual dimensions
  std::uint32_t vocabulary = 0;  // rows of the embedding
  std::vector<Layer> layers;
  std::array<std::int8_t, kAnchors * kSigns> embedding{};  // all 0: no evidence
  std::array<std::int8_t, kGram> gram{};
  std::array<std::array<std::int8_t, kNormPlaces>, kNorms> norms{};  // all 0: a constant vector
  bool operator==(const Fingerprint&) const = default;
};

// The tensor of a role in a layer, "blk.3.attn_q.weight".
[[nodiscard]] std::string tensor_name(std::size_t layer, std::size_t role);

// kFailedPrecondition: no token embedding or no block, so nothing that could be sketched.
[[nodiscard]] Result<Fingerprint> fingerprint(TensorFile& file, std::string name);

// The file format. parse takes hostile bytes: kInvalidArgument says what is wrong.
[[nodiscard]] Bytes serialise(const Fingerprint& fingerprint);
[[nodiscard]] Result<Fingerprint> parse_fingerprint(std::span<const std::byte> bytes);

}  // namespace candor::lineage
