#include "model/internal/ggml_types.h"

#include <array>
#include <string_view>

namespace candor::model::internal {

std::string type_name(std::uint32_t type) {
  static constexpr std::array<std::string_view, 43> kNames = {
      "f32",     "f16",   "q4_0",   "q4_1",  "",      "",       "q5_0", "q5_1",    "q8_0",
      "q8_1",    "q2_k",  "q3_k",   "q4_k",  "q5_k",  "q6_k",   "q8_k", "iq2_xxs", "iq2_xs",
      "iq3_xxs", "iq1_s", "iq4_nl", "iq3_s", "iq2_s", "iq4_xs", "i8",   "i16",     "i32",
      "i64",     "f64",   "iq1_m",  "bf16",  "",      "",       "",     "tq1_0",   "tq2_0",
      "",        "",      "",       "mxfp4", "nvfp4", "q1_0",   "q2_0"};
  if (type < kNames.size() && !kNames[type].empty()) return std::string(kNames[type]);
  return "type-" + std::to_string(type);
}

TypeSize type_size(std::uint32_t type) noexcept {
  static constexpr std::array<TypeSize, 43> kSizes = {{
      {1, 4},      // f32
      {1, 2},      // f16
      {32, 18},    // q4_0
      {32, 20},    // q4_1
      {0, 0},      //
      {0, 0},      //
      {32, 22},    // q5_0
      {32, 24},    // q5_1
      {32, 34},    // q8_0
      {32, 36},    // q8_1
      {256, 84},   // q2_k
      {256, 110},  // q3_k
      {256, 144},  // q4_k
      {256, 176},  // q5_k
      {256, 210},  // q6_k
      {256, 292},  // q8_k
      {256, 66},   // iq2_xxs
      {256, 74},   // iq2_xs
      {256, 98},   // iq3_xxs
      {256, 50},   // iq1_s
      {32, 18},    // iq4_nl
      {256, 110},  // iq3_s
      {256, 82},   // iq2_s
      {256, 136},  // iq4_xs
      {1, 1},      // i8
      {1, 2},      // i16
      {1, 4},      // i32
      {1, 8},      // i64
      {1, 8},      // f64
      {256, 56},   // iq1_m
      {1, 2},      // bf16
      {0, 0},      //
      {0, 0},      //
      {0, 0},      //
      {256, 54},   // tq1_0
      {256, 66},   // tq2_0
      {0, 0},      //
      {0, 0},      //
      {0, 0},      //
      {32, 17},    // mxfp4
      {64, 36},    // nvfp4
      {128, 18},   // q1_0
      {64, 18},    // q2_0
  }};
  return type < kSizes.size() ? kSizes[type] : TypeSize{};
}

}  // namespace candor::model::internal
