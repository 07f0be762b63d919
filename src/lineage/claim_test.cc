#include "lineage/claim.h"

#include <gtest/gtest.h>

namespace candor::lineage {
namespace {

struct Known {
  Fingerprint smol, gemma;
  Known() {
    smol.name = "SmolLM2-135M-Instruct";
    gemma.name = "gemma-3-270m";
  }
  [[nodiscard]] std::vector<Index::Match> matches(Verdict first, Verdict second) const {
    return {{.reference = &smol, .relation = {.blocks = first, .alignment = {}, .reason = {}}},
            {.reference = &gemma, .relation = {.blocks = second, .alignment = {}, .reason = {}}}};
  }
};

TEST(ClaimTest, D13_ANameMeansAReferenceByItsWords) {
  EXPECT_TRUE(means("HuggingFaceTB/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"));
  EXPECT_TRUE(means("smollm2 135m instruct", "SmolLM2-135M-Instruct"));
  EXPECT_FALSE(means("tinyllama-7b", "llama-7b"));
  EXPECT_FALSE(means("SmolLM2-135M", "SmolLM2-135M-Instruct"));
  EXPECT_FALSE(means("", "x"));
  EXPECT_FALSE(means("x", ""));
}

TEST(ClaimTest, D13_WhatTheWeightsShowSupportsOrContradicts) {
  const Known known;
  const auto descends = known.matches(Verdict::kDescends, Verdict::kUnrelated);
  const auto verdict = [&](std::vector<std::string> names, bool complete = false) {
    return check_claim({.names = std::move(names), .complete = complete}, descends).verdict;
  };
  EXPECT_EQ(verdict({"SmolLM2-135M-Instruct", "acme-tuned"}), ClaimVerdict::kSupported);
  EXPECT_EQ(verdict({"google/gemma-3-270m"}), ClaimVerdict::kContradicted);
  EXPECT_EQ(verdict({"acme-from-scratch"}, true), ClaimVerdict::kContradicted);
  EXPECT_EQ(verdict({"acme-base"}), ClaimVerdict::kNotShown);  // whose base, nobody says
  EXPECT_EQ(verdict({}), ClaimVerdict::kNothingClaimed);
  const auto check = check_claim({.names = {"gemma-3-270m"}}, descends);
  EXPECT_TRUE(check.reason.contains("SmolLM2-135M-Instruct")) << check.reason;
}

TEST(ClaimTest, D13_ThinEvidenceContradictsNothing) {
  const Known known;
  for (const Verdict thin : {Verdict::kAbstain, Verdict::kSharedOrigin, Verdict::kMixed}) {
    const auto matches = known.matches(thin, Verdict::kUnrelated);
    EXPECT_EQ(check_claim({.names = {"SmolLM2-135M-Instruct"}, .complete = true}, matches).verdict,
              ClaimVerdict::kNotShown);
  }
  EXPECT_EQ(check_claim({.names = {"acme"}, .complete = true}, {}).verdict,
            ClaimVerdict::kNotShown);
}

}  // namespace
}  // namespace candor::lineage
