// Does a model fit, how fast would it answer, and what would a million tokens cost (D15)? Estimates
// from shapes and published sizes; each assumption is a value that callers print.
//
// Weights: bits per weight of each quantisation from the table that llama.cpp's llama-quantize
// prints (tools/quantize/quantize.cpp: file sizes of Llama-3-8B, 8.03e9 parameters). Context: keys
// and values in half precision for each layer (llama.cpp's default cache). Speed: to answer one
// token all weights and the context are read once, so the machine's memory bandwidth is the bound.
// Processors without fast kernels for a quantisation, and very small models, stay below it. Pure
// but for measure_machine().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor::models {

struct ModelShape {
  std::uint64_t parameters = 0;
  std::uint64_t token_bytes = 0;   // of keys and values, for each token of context
  std::uint64_t context_most = 0;  // that the model was made for; 0: unknown
};

// The shape of published Llama-type models (Llama 3.1/3.2, Mistral Large 2, Qwen2.5), nearest in
// parameters; for a model of which only the count is known.
[[nodiscard]] ModelShape usual_shape(std::uint64_t parameters);
// "70B", "1.5B", "270M", "8000000000". kInvalidArgument: otherwise, or beyond 10^15.
[[nodiscard]] Result<std::uint64_t> parse_parameters(std::string_view text);

struct Quantisation {
  std::string_view name;
  double bits = 0;  // for each parameter, scales included
};
[[nodiscard]] const std::vector<Quantisation>& quantisations();  // smallest first

struct Machine {
  std::uint64_t memory_bytes = 0;
  double bytes_per_second = 0;  // of memory, read by all threads at once
};

struct Fit {
  std::uint64_t weights_bytes = 0;
  std::uint64_t context_bytes = 0;  // of the context asked for
  std::uint64_t needed_bytes = 0;   // with what the engine itself takes
  bool fits = false;
  std::uint64_t context_most = 0;  // tokens that fit beside the weights; 0: none
  double tokens_per_second = 0;    // one stream, half the context filled
};
inline constexpr std::uint64_t kEngineBytes = 256ULL << 20U;  // as engine/supervisor estimates
[[nodiscard]] Fit fit(const ModelShape& shape, std::uint64_t weights_bytes, std::uint64_t context,
                      const Machine& machine);
[[nodiscard]] std::uint64_t weights_of(std::uint64_t parameters, double bits);

struct Cost {
  double hours = 0, kilowatt_hours = 0, price = 0;
};
// Of so many tokens, one stream after the other.
[[nodiscard]] Cost cost_of(double tokens, double tokens_per_second, double watts,
                           double price_of_kilowatt_hour);

// Measures here for about half a second: reads of a buffer larger than caches, by all processors at
// once. Starts threads and joins them.
[[nodiscard]] Machine measure_machine();

}  // namespace candor::models
