// The kernel probe (A6): are this build's matrix kernels right on this CPU? For each tensor type a
// small generated matrix is multiplied by the engine's kernels, in every buffer layout that the
// engine could choose, and by a scalar loop over the dequantised values; the results must agree.
#pragma once

#include <string>
#include <string_view>

namespace candor::engine {

// types: ggml_type numbers, "2,3,8". One line of JSON:
// {"types":[{"name":"q4_1","ok":true,"type":3,"worst_error_ppm":1234},...]}
[[nodiscard]] std::string run_kernel_probe(std::string_view types);

}  // namespace candor::engine
