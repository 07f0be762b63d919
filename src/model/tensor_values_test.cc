#include "model/internal/tensor_values.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/internal/ggml_types.h"

namespace candor::model::internal {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Where in a block of zeroes 16 bits of an infinity make it one that is not finite.
std::vector<std::size_t> places(std::uint32_t type, std::uint16_t infinity) {
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at + 1 < type_size(type).bytes; ++at) {
    std::string block(type_size(type).bytes, '\0');
    std::memcpy(block.data() + at, &infinity, sizeof infinity);
    if (not_finite(layout_of_ggml(type), bytes_of(block)).blocks > 0) out.push_back(at);
  }
  return out;
}

// What ggml_validate_row_data() of llama.cpp v0.5.0 refuses when asked about each place; q8_1,
// which no file holds, by its declaration.
TEST(TensorValuesTest, D2_NumbersLieWhereGgmlLooksForThem) {
  constexpr std::uint16_t kHalf = 0x7C00;
  using Places = std::vector<std::size_t>;
  for (const std::uint32_t type :
       {1U, 2U, 6U, 8U, 16U, 17U, 18U, 19U, 20U, 21U, 22U, 23U, 41U, 42U}) {
    EXPECT_EQ(places(type, kHalf), Places{0}) << type;
  }
  for (const std::uint32_t type : {3U, 7U, 9U, 12U, 13U}) {
    EXPECT_EQ(places(type, kHalf), (Places{0, 2})) << type;
  }
  EXPECT_EQ(places(10, kHalf), (Places{80, 82}));
  EXPECT_EQ(places(11, kHalf), Places{108});
  EXPECT_EQ(places(14, kHalf), Places{208});
  EXPECT_EQ(places(34, kHalf), Places{52});
  EXPECT_EQ(places(35, kHalf), Places{64});
  EXPECT_EQ(places(0, 0x7F80), Places{2});   // the upper half of a float
  EXPECT_EQ(places(15, 0x7F80), Places{2});  // q8_k
  EXPECT_EQ(places(28, 0x7FF0), Places{6});
  EXPECT_EQ(places(30, 0x7F80), Places{0});
  EXPECT_EQ(places(39, 0x00FF), Places{0});
  for (const std::uint32_t type : {24U, 25U, 26U, 27U, 40U, 99U}) {
    EXPECT_EQ(places(type, 0xFFFF), Places{}) << type;
  }
}

TEST(TensorValuesTest, D2_ASplitScaleIsPutTogether) {
  std::string block(56, '\0');  // iq1_m: 0x7C00 is 0, 0xC, 0x0 and 0x7 of it, the lowest first
  const auto nibble = [&block](std::size_t number, int value) {
    block[48 + 2 * number + 1] = static_cast<char>(value << 4);
  };
  EXPECT_EQ(not_finite(layout_of_ggml(29), bytes_of(block)).blocks, 0U);
  nibble(3, 0x7);
  EXPECT_EQ(not_finite(layout_of_ggml(29), bytes_of(block)).blocks, 0U);
  nibble(2, 0xC);
  EXPECT_EQ(not_finite(layout_of_ggml(29), bytes_of(block)).blocks, 1U);
  nibble(3, 0xF);  // minus infinity
  EXPECT_EQ(not_finite(layout_of_ggml(29), bytes_of(block)).blocks, 1U);
  nibble(2, 0x8);
  EXPECT_EQ(not_finite(layout_of_ggml(29), bytes_of(block)).blocks, 0U);
}

TEST(TensorValuesTest, D2_EveryHalfIsWhatItsValueIs) {
  for (std::uint32_t bits = 0; bits < 65'536; ++bits) {
    const std::string value{static_cast<char>(bits & 0xFFU), static_cast<char>(bits >> 8U)};
    const bool half = std::isfinite(
        static_cast<float>(std::bit_cast<_Float16>(static_cast<std::uint16_t>(bits))));
    const bool brain = std::isfinite(std::bit_cast<float>(bits << 16U));
    ASSERT_EQ(not_finite(layout_of_safetensors("F16"), bytes_of(value)).blocks, half ? 0U : 1U)
        << bits;
    ASSERT_EQ(not_finite(layout_of_safetensors("BF16"), bytes_of(value)).blocks, brain ? 0U : 1U)
        << bits;
  }
}

TEST(TensorValuesTest, CountsAndTellsTheFirst) {
  std::vector<float> values(1'000, std::numeric_limits<float>::max());
  values[123] = std::numeric_limits<float>::quiet_NaN();
  values[999] = -std::numeric_limits<float>::infinity();
  const NotFinite found = not_finite(layout_of_ggml(0), std::as_bytes(std::span(values)));
  EXPECT_EQ(found.blocks, 2U);
  EXPECT_EQ(found.first, 123U * 4);
  EXPECT_EQ(not_finite(layout_of_safetensors("F8_E4M3"), bytes_of("\x7E\x7F\xFF")).blocks, 2U);
  EXPECT_EQ(not_finite(layout_of_safetensors("F8_E5M2"), bytes_of("\x7B\x7C\xFF")).blocks, 2U);
  EXPECT_EQ(not_finite(layout_of_safetensors("I8"), bytes_of("\x7B\x7C\xFF")).blocks, 0U);
}

}  // namespace
}  // namespace candor::model::internal
