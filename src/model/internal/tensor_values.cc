#include "model/internal/tensor_values.h"

#include <cstring>

#include "model/internal/ggml_types.h"

namespace candor::model::internal {
namespace {

template <typename T>
T at(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

// All bits of the exponent are set: an infinity, or not a number.
template <typename T, T kExponent>
struct Ieee {
  static constexpr std::size_t kBytes = sizeof(T);
  static bool bad(const std::byte* from) { return (at<T>(from) & kExponent) == kExponent; }
};
using F16 = Ieee<std::uint16_t, 0x7C00>;
using Bf16 = Ieee<std::uint16_t, 0x7F80>;
using F32 = Ieee<std::uint32_t, 0x7F80'0000>;
using F64 = Ieee<std::uint64_t, 0x7FF0'0000'0000'0000>;
using E5m2 = Ieee<std::uint8_t, 0x7C>;
using E4m3 = Ieee<std::uint8_t, 0x7F>;
using E8m0 = Ieee<std::uint8_t, 0xFF>;
struct SplitF16 {
  static constexpr std::size_t kBytes = 8;
  // The exponent's five bits are the upper four of the last number, but its sign, and the upper two
  // of the one before.
  static bool bad(const std::byte* from) {
    return (at<std::uint16_t>(from + 6) & 0x7000) == 0x7000 &&
           (at<std::uint16_t>(from + 4) & 0xC000) == 0xC000;
  }
};

template <typename Number>
bool bad_block(const ValueLayout& layout, const std::byte* block) {
  const std::byte* number = block + layout.first;
  return Number::bad(number) || (layout.second && Number::bad(number + Number::kBytes));
}

template <typename Number>
NotFinite look(const ValueLayout& layout, std::span<const std::byte> data) {
  const std::size_t blocks = data.size() / layout.stride;
  NotFinite out;
  if (layout.stride == Number::kBytes) {  // a loop that the compiler makes vectors of
    for (std::size_t i = 0; i < blocks; ++i) {
      out.blocks += Number::bad(data.data() + i * Number::kBytes) ? 1U : 0U;
    }
  } else {
    for (std::size_t i = 0; i < blocks; ++i) {
      out.blocks += bad_block<Number>(layout, data.data() + i * layout.stride) ? 1U : 0U;
    }
  }
  if (out.blocks == 0) return out;
  while (!bad_block<Number>(layout, data.data() + out.first)) out.first += layout.stride;
  return out;
}

}  // namespace

ValueLayout layout_of_ggml(std::uint32_t type) noexcept {
  using enum NumberKind;
  ValueLayout layout{.stride = type_size(type).bytes};
  const auto set = [&layout](NumberKind kind, std::uint32_t first = 0, bool second = false) {
    layout.kind = kind;
    layout.first = first;
    layout.second = second;
  };
  switch (type) {
    case 0: set(kF32); break;
    case 1: set(kF16); break;
    case 28: set(kF64); break;
    case 30: set(kBf16); break;
    case 15: set(kF32); break;            // q8_k
    case 3:                               // q4_1
    case 7:                               // q5_1
    case 9:                               // q8_1
    case 12:                              // q4_k
    case 13: set(kF16, 0, true); break;   // q5_k
    case 10: set(kF16, 80, true); break;  // q2_k
    case 11: set(kF16, 108); break;       // q3_k
    case 14: set(kF16, 208); break;       // q6_k
    case 34: set(kF16, 52); break;        // tq1_0
    case 35: set(kF16, 64); break;        // tq2_0
    case 2:                               // q4_0
    case 6:                               // q5_0
    case 8:                               // q8_0
    case 16:                              // iq2_xxs
    case 17:                              // iq2_xs
    case 18:                              // iq3_xxs
    case 19:                              // iq1_s
    case 20:                              // iq4_nl
    case 21:                              // iq3_s
    case 22:                              // iq2_s
    case 23:                              // iq4_xs
    case 41:                              // q1_0
    case 42: set(kF16); break;            // q2_0
    case 29: set(kSplitF16, 48); break;   // iq1_m
    case 39: set(kE8m0); break;           // mxfp4
    default: break;                       // whole numbers; nvfp4, whose scales are always finite
  }
  return layout;
}

ValueLayout layout_of_safetensors(std::string_view dtype) noexcept {
  using enum NumberKind;
  if (dtype == "F32" || dtype == "C64") return {.stride = 4, .kind = kF32};
  if (dtype == "F16") return {.stride = 2, .kind = kF16};
  if (dtype == "BF16") return {.stride = 2, .kind = kBf16};
  if (dtype == "F64") return {.stride = 8, .kind = kF64};
  if (dtype == "F8_E5M2") return {.stride = 1, .kind = kE5m2};
  if (dtype == "F8_E4M3") return {.stride = 1, .kind = kE4m3};
  if (dtype == "F8_E8M0") return {.stride = 1, .kind = kE8m0};
  return {};
}

NotFinite not_finite(const ValueLayout& layout, std::span<const std::byte> data) {
  switch (layout.kind) {
    case NumberKind::kNone: return {};
    case NumberKind::kF16: return look<F16>(layout, data);
    case NumberKind::kBf16: return look<Bf16>(layout, data);
    case NumberKind::kF32: return look<F32>(layout, data);
    case NumberKind::kF64: return look<F64>(layout, data);
    case NumberKind::kE8m0: return look<E8m0>(layout, data);
    case NumberKind::kE5m2: return look<E5m2>(layout, data);
    case NumberKind::kE4m3: return look<E4m3>(layout, data);
    case NumberKind::kSplitF16: return look<SplitF16>(layout, data);
  }
  return {};
}

}  // namespace candor::model::internal
