#include "dialect/exchange.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace candor::dialect {
namespace {

TEST(FractionTextTest, IsTheShortestFixedDecimalOfTheBinary32) {
  EXPECT_EQ(fraction_text(0.7F), "0.7");
  EXPECT_EQ(fraction_text(1.0F), "1");
  EXPECT_EQ(fraction_text(-0.0F), "0");
  EXPECT_EQ(fraction_text(-1.5F), "-1.5");
  EXPECT_EQ(fraction_text(0.1F), "0.1");
  EXPECT_EQ(fraction_text(1e-7F), "0.0000001");
  EXPECT_EQ(fraction_text(16777216.0F), "16777216");
  EXPECT_EQ(fraction_text(1.0F / 3.0F), "0.33333334");
}

TEST(FractionTextTest, EveryValueReadsBackAndHasNoExponent) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(value)) continue;
    const std::string text = fraction_text(value);
    float back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    EXPECT_EQ(back, value) << text;
    EXPECT_EQ(text.find('e'), std::string::npos);
  }
  EXPECT_EQ(fraction_text(std::numeric_limits<float>::denorm_min()).size(), 47U);
}

TEST(ExchangeTest, EnumNamesReadBack) {
  for (const Api api : {Api::kOpenAiChat, Api::kOpenAiCompletions, Api::kAnthropicMessages}) {
    EXPECT_EQ(api_from_name(to_string(api)), api);
  }
  EXPECT_EQ(api_from_name("openai"), std::nullopt);
}

TEST(DroppedFieldsHeaderTest, CannotBreakAHeader) {
  Exchange exchange;
  EXPECT_EQ(dropped_fields_header(exchange), "");
  exchange.dropped_fields = {"user", "a\r\nX: y", "\xC3\xA9", "b,c"};
  exchange.dropped_count = 7;
  EXPECT_EQ(dropped_fields_header(exchange), "user, a??X:?y, ??, b?c; 3 more");
}

TEST(AnswerBuilderTest, FoldsPiecesAndIgnoresChoicesNotAskedFor) {
  AnswerBuilder builder(2);
  builder.add(AnswerStart{});
  builder.add(ReasoningDelta{0, Text("th")});
  builder.add(TextDelta{0, Text("a"), {}});
  builder.add(TextDelta{1, Text("x"), {}});
  builder.add(TextDelta{2, Text("never"), {}});
  builder.add(TextDelta{0, Text("b"), {}});
  builder.add(ToolCallDelta{0, 0, Text("f"), Text("{")});
  builder.add(ToolCallDelta{0, 0, Text(""), Text("}")});
  builder.add(ToolCallDelta{0, 9, Text(""), Text("never")});
  builder.add(Finish{0, FinishReason::kLength, std::nullopt});
  builder.add(UsageReport{{3, 2, 0}});
  EXPECT_EQ(builder.text_bytes(), 8U);
  const Answer answer = std::move(builder).take();
  ASSERT_EQ(answer.choices.size(), 2U);
  EXPECT_EQ(answer.choices[0].content.reveal(), "ab");
  EXPECT_EQ(answer.choices[0].reasoning.reveal(), "th");
  ASSERT_EQ(answer.choices[0].tool_calls.size(), 1U);
  EXPECT_EQ(answer.choices[0].tool_calls[0].arguments.reveal(), "{}");
  EXPECT_EQ(answer.choices[0].finish, FinishReason::kLength);
  EXPECT_EQ(answer.choices[1].finish, FinishReason::kError);
  EXPECT_EQ(answer.usage.prompt_tokens, 3U);
}

}  // namespace
}  // namespace candor::dialect
