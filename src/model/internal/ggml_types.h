// Names and sizes of ggml's tensor types by number (ggml.h and gguf-py's constants.py of llama.cpp
// v0.5.0).
#pragma once

#include <cstdint>
#include <string>

namespace candor::model::internal {

// "q4_1"; "type-99" for a number that we do not know.
[[nodiscard]] std::string type_name(std::uint32_t type);

// How many values a block holds, and in how many bytes. {0, 0}: unknown or removed.
struct TypeSize {
  std::uint32_t values = 0, bytes = 0;
};
[[nodiscard]] TypeSize type_size(std::uint32_t type) noexcept;

}  // namespace candor::model::internal
