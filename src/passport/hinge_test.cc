// The hinge, held against the guidelines' own numbers (C(2025) 7719, points 57 to 63: more than one
// third of the original's training compute; where that is not known, a third of 10^23, or of 10^25
// with systemic risk).
#include "passport/hinge.h"

#include <gtest/gtest.h>

namespace candor::passport {
namespace {

DescentStep step(Step kind, std::string actor, std::string flop) {
  DescentStep out;
  out.statement.step = kind;
  out.statement.actor = {.name = std::move(actor)};
  out.statement.compute_flop = std::move(flop);
  return out;
}

std::string zeros(std::string head, std::size_t count) { return head.append(count, '0'); }

TEST(HingeTest, D14_ExactlyOneThirdIsNotMore) {
  EXPECT_FALSE(more_than_a_third("1", "3"));
  EXPECT_TRUE(more_than_a_third("1.0000000000000000000001", "3"));
  EXPECT_FALSE(more_than_a_third("0.9999999999999999999999", "3"));
  // 10^23/3 lies between these two integers.
  EXPECT_FALSE(more_than_a_third("33333333333333333333333", zeros("1", 23)));
  EXPECT_TRUE(more_than_a_third("33333333333333333333334", zeros("1", 23)));
  EXPECT_FALSE(more_than_a_third("0", "0"));
  EXPECT_FALSE(more_than_a_third("000.10", "0.3000"));
  EXPECT_TRUE(more_than_a_third("9", "0"));
}

TEST(HingeTest, D14_SumsAreExact) {
  EXPECT_EQ(add_decimals("999", "1"), "1000");
  EXPECT_EQ(add_decimals("0.5", "0.5"), "1");
  EXPECT_EQ(add_decimals("1.25", "10"), "11.25");
  EXPECT_EQ(add_decimals("9999999999999999999999999999999999999999", "1"), zeros("1", 40));
}

TEST(HingeTest, D14_AgainstTheOriginalsOwnCompute) {
  const auto above =
      eu_hinges({step(Step::kPretrained, "Base Labs", zeros("3", 24)),
                 step(Step::kFineTuned, "Acme", zeros("1", 24)), step(Step::kPruned, "Acme", "1")});
  ASSERT_EQ(above.size(), 1U);
  EXPECT_EQ(above[0].result, HingeResult::kAbove);
  EXPECT_TRUE(above[0].reasoning.contains("3 x 10^24 FLOP")) << above[0].reasoning;
  const auto below = eu_hinges({step(Step::kPretrained, "Base Labs", zeros("3", 24)),
                                step(Step::kFineTuned, "Acme", zeros("1", 24))});
  EXPECT_EQ(below[0].result, HingeResult::kBelow);
  EXPECT_EQ(below[0].systemic, HingeResult::kBelow);
}

TEST(HingeTest, D14_WithoutItTheGuidelinesReplacementCounts) {
  const auto one = [](std::string flop) {
    return eu_hinges({step(Step::kFineTuned, "Acme", std::move(flop))}).front();
  };
  EXPECT_EQ(one("33333333333333333333333").result, HingeResult::kBelow);
  EXPECT_EQ(one("33333333333333333333334").result, HingeResult::kAbove);
  EXPECT_EQ(one("33333333333333333333334").systemic, HingeResult::kBelow);
  EXPECT_EQ(one("3333333333333333333333333").systemic, HingeResult::kBelow);
  EXPECT_EQ(one("3333333333333333333333334").systemic, HingeResult::kAbove);
  EXPECT_TRUE(one("1").reasoning.contains("1 x 10^23 FLOP"));
  EXPECT_TRUE(one("1").reasoning.contains("1 x 10^25 FLOP"));
  // A pretraining that records nothing, or nought, is not known.
  const auto silent = eu_hinges(
      {step(Step::kPretrained, "Base Labs", "0"), step(Step::kFineTuned, "Acme", zeros("1", 22))});
  EXPECT_TRUE(silent[0].original.empty());
  EXPECT_EQ(silent[0].result, HingeResult::kBelow);
}

TEST(HingeTest, D14_AStepWithoutARecordIsUnknownUnlessTheRestIsAboveAlready) {
  const auto unknown =
      eu_hinges({step(Step::kPretrained, "Base Labs", "300"), step(Step::kFineTuned, "Acme", "100"),
                 step(Step::kQuantised, "Acme", "")});
  EXPECT_EQ(unknown[0].result, HingeResult::kUnknown);
  EXPECT_EQ(unknown[0].unrecorded, 1U);
  const auto above =
      eu_hinges({step(Step::kPretrained, "Base Labs", "300"), step(Step::kFineTuned, "Acme", "101"),
                 step(Step::kQuantised, "Acme", "")});
  EXPECT_EQ(above[0].result, HingeResult::kAbove);
}

TEST(HingeTest, D14_EachActorIsMeasuredAlone) {
  const auto hinges =
      eu_hinges({step(Step::kPretrained, "Base Labs", "300"), step(Step::kFineTuned, "Acme", "60"),
                 step(Step::kFineTuned, "Other", "60"), step(Step::kFineTuned, "Acme", "60")});
  ASSERT_EQ(hinges.size(), 2U);
  EXPECT_EQ(hinges[0].actor, "Acme");
  EXPECT_EQ(hinges[0].result, HingeResult::kAbove);  // 120 of 300
  EXPECT_EQ(hinges[1].result, HingeResult::kBelow);
  EXPECT_TRUE(eu_hinges({step(Step::kPretrained, "Base Labs", "300")}).empty());
}

}  // namespace
}  // namespace candor::passport
