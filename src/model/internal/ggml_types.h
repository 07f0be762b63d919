// Names of ggml's tensor types by number (ggml.h of llama.cpp v0.5.0).
#pragma once

#include <cstdint>
#include <string>

namespace candor::model::internal {

// "q4_1"; "type-99" for a number that we do not know.
[[nodiscard]] std::string type_name(std::uint32_t type);

}  // namespace candor::model::internal
