#include "models/fit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace candor::models {
namespace {

struct Published {
  std::uint64_t parameters, layers, kv_width;
};
constexpr std::array<Published, 9> kPublished{{{135'000'000, 30, 192},           // SmolLM2-135M
                                               {1'240'000'000, 16, 512},         // Llama 3.2 1B
                                               {3'210'000'000, 28, 1'024},       // Llama 3.2 3B
                                               {8'030'000'000, 32, 1'024},       // Llama 3.1 8B
                                               {14'770'000'000, 48, 1'024},      // Qwen2.5 14B
                                               {32'760'000'000, 64, 1'024},      // Qwen2.5 32B
                                               {70'550'000'000, 80, 1'024},      // Llama 3.1 70B
                                               {122'610'000'000, 88, 1'024},     // Mistral Large 2
                                               {405'850'000'000, 126, 1'024}}};  // Llama 3.1 405B

}  // namespace

ModelShape usual_shape(std::uint64_t parameters) {
  const auto distance = [&](const Published& one) {
    return std::abs(std::log(static_cast<double>(one.parameters)) -
                    std::log(static_cast<double>(std::max<std::uint64_t>(parameters, 1))));
  };
  const Published& near = *std::ranges::min_element(kPublished, {}, distance);
  return {.parameters = parameters, .token_bytes = 4 * near.layers * near.kv_width};
}

Result<std::uint64_t> parse_parameters(std::string_view text) {
  const auto wrong = fail(Code::kInvalidArgument, "write parameters like 70B, 1.5B or 270M");
  double factor = 1;
  if (!text.empty()) {
    switch (text.back()) {
      case 'K':
      case 'k': factor = 1e3; break;
      case 'M':
      case 'm': factor = 1e6; break;
      case 'B':
      case 'b':
      case 'G': factor = 1e9; break;
      case 'T':
      case 't': factor = 1e12; break;
      default: break;
    }
    if (factor > 1) text.remove_suffix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0)) return wrong;
  value *= factor;
  if (value < 1 || value > 1e15) return wrong;
  return static_cast<std::uint64_t>(std::llround(value));
}

// GiB of Llama-3-8B as llama-quantize prints them, times 2^33 / 8.03e9; F16 and Q8_0 exactly
// (ggml-common.h: 34 bytes for 32 weights).
const std::vector<Quantisation>& quantisations() {
  constexpr double k8B = 8'589'934'592.0 / 8.03e9;
  static const std::vector<Quantisation> kAll{{"Q2_K", 2.96 * k8B},   {"Q3_K_S", 3.41 * k8B},
                                              {"Q3_K_M", 3.74 * k8B}, {"Q4_0", 4.34 * k8B},
                                              {"Q4_K_S", 4.37 * k8B}, {"Q4_K_M", 4.58 * k8B},
                                              {"Q5_K_M", 5.33 * k8B}, {"Q6_K", 6.14 * k8B},
                                              {"Q8_0", 8.5},          {"F16", 16}};
  return kAll;
}

std::uint64_t weights_of(std::uint64_t parameters, double bits) {
  return static_cast<std::uint64_t>(static_cast<double>(parameters) * bits / 8);
}

Fit fit(const ModelShape& shape, std::uint64_t weights_bytes, std::uint64_t context,
        const Machine& machine) {
  Fit out{.weights_bytes = weights_bytes};
  // Bounded before multiplied: the number may be a file's.
  const std::uint64_t a_token = std::min<std::uint64_t>(shape.token_bytes, 1ULL << 34U);
  const std::uint64_t tokens = std::min<std::uint64_t>(context, 1U << 24U);
  out.context_bytes = a_token * tokens;
  out.needed_bytes = weights_bytes + out.context_bytes + kEngineBytes;
  out.fits = out.needed_bytes <= machine.memory_bytes;
  const std::uint64_t fixed = weights_bytes + kEngineBytes;
  if (fixed < machine.memory_bytes && a_token > 0) {
    out.context_most = (machine.memory_bytes - fixed) / a_token;
    if (shape.context_most > 0) out.context_most = std::min(out.context_most, shape.context_most);
  }
  if (machine.bytes_per_second > 0) {
    const double read =
        static_cast<double>(weights_bytes) + static_cast<double>(out.context_bytes) / 2;
    const double seconds = read / machine.bytes_per_second;
    out.tokens_per_second = seconds > 0 ? 1 / seconds : 0;
  }
  return out;
}

Cost cost_of(double tokens, double tokens_per_second, double watts, double price_of_kilowatt_hour) {
  if (!(tokens_per_second > 0)) return {};
  Cost out;
  out.hours = tokens / tokens_per_second / 3'600;
  out.kilowatt_hours = out.hours * watts / 1'000;
  out.price = out.kilowatt_hours * price_of_kilowatt_hour;
  return out;
}

}  // namespace candor::models
