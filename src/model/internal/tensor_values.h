// Where the numbers lie that a tensor's values are made from: the values themselves, or the scales
// of its blocks. For the pass that looks for numbers that are not finite (D2). Layouts:
// ggml-common.h of llama.cpp v0.5.0 and huggingface/safetensors' README; which of them have such
// numbers at all: ggml_validate_row_data(), the test's oracle.
//
// Pure; any thread. About as fast as memory for plain types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace candor::model::internal {

enum class NumberKind : std::uint8_t {
  kNone,
  kF16,
  kBf16,
  kF32,
  kF64,
  kE8m0,      // OCP MX: an exponent, 255 is not a number
  kE5m2,      // OCP FP8: infinities and others as IEEE 754
  kE4m3,      // OCP FP8: 127 alone, with either sign
  kSplitF16,  // iq1_m: the upper four bits of four 16-bit numbers
};

struct ValueLayout {
  std::uint32_t stride = 1;  // bytes of a block, or of one value
  NumberKind kind = NumberKind::kNone;
  std::uint32_t first = 0;  // bytes into the block
  bool second = false;      // another of the same kind right behind it
};
// kNone: values of this type are always finite, or the type is not known.
[[nodiscard]] ValueLayout layout_of_ggml(std::uint32_t type) noexcept;
[[nodiscard]] ValueLayout layout_of_safetensors(std::string_view dtype) noexcept;

struct NotFinite {
  std::uint64_t blocks = 0;  // that hold such a number
  std::uint64_t first = 0;   // where in data the first of them begins
};
// data: whole blocks; a rest is not looked at.
[[nodiscard]] NotFinite not_finite(const ValueLayout& layout, std::span<const std::byte> data);

}  // namespace candor::model::internal
