// What changed between two model files, tensor by tensor, beside what quantisation explains.
// Streams both files a row at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lineage/tensors.h"
#include "lineage/verdict.h"

namespace candor::lineage {

enum class Change : std::uint8_t {
  kIdentical,    // every weight is the same number
  kRequantised,  // no difference beyond what the two files' quantisation explains
  kUpdated,      // one origin and more than quantisation: fine-tune, adapter, edit; not told apart
  kLayers,       // layers dropped, repeated or moved
  kVocabulary,   // as requantised or updated, and the embedding has other rows
  kUnrelated,
  kUnclear,  // the fingerprints' verdict says more than this can
};
[[nodiscard]] std::string_view to_string(Change change) noexcept;

struct TensorChange {
  std::string name, type_a, type_b;
  double difference = 0;  // |B-A| / |A|
  double explained = 0;   // by the two types' usual quantisation errors
  double cosine = 0;
};

struct Comparison {
  Change change = Change::kUnclear;
  Relation relation;
  std::vector<TensorChange> tensors;
  std::vector<std::string> only_a, only_b, reshaped;
  double difference = 0, explained = 0;  // over all compared weights
  double size = 0;                       // of the change beyond quantisation, relative
  double sees_from = 0;                  // sizes below this are taken for quantisation
};

// The usual relative error of a ggml type (the study's table); 0.35 for types it does not have.
[[nodiscard]] double quantisation_error(std::string_view type);

[[nodiscard]] Result<Comparison> compare(TensorFile& a, TensorFile& b);

}  // namespace candor::lineage
