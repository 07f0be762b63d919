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

}  // namespace candor::model::internal
