#include "gateway/replay.h"

#include <gmock/gmock.h>

#include "gateway/testing/ids.h"
#include "policy/testing/policies.h"

namespace candor::gateway {
namespace {

using testing::id;

using policy::testing::compiled;
using policy::testing::rule;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ledger::PolicyDecision decision(std::string effect, std::vector<std::string> rules,
                                std::vector<ledger::PolicyDecision::Found> findings = {}) {
  ledger::PolicyDecision out;
  out.effect = std::move(effect);
  out.rules = std::move(rules);
  out.findings = std::move(findings);
  out.model = "smollm2";
  out.team = "hr";
  out.network = "loopback";
  out.messages = 2;
  return out;
}

ledger::PolicyDecision::Found iban(std::string action, std::uint32_t count = 1) {
  return {.action = std::move(action),
          .class_name = "financial",
          .detector = "iban",
          .confidence = 95,
          .count = count,
          .field = "messages/0/parts/0/text"};
}

ledger::Intent intent(std::uint8_t number, std::optional<ledger::PolicyDecision> policy,
                      std::int64_t time_us = 1'000) {
  ledger::Intent out;
  out.at.time_us = time_us;
  out.exchange = id(number);
  out.caller = "00112233445566778899aabbccddeeff";
  out.caller_known_by = "api_key";
  out.api = "openai.chat";
  out.policy = std::move(policy);
  out.provenance.model = "smollm2";
  return out;
}

ledger::Outcome outcome(std::uint8_t number) {
  ledger::Outcome out;
  out.exchange = id(number);
  return out;
}

class ReplayTest : public ::testing::Test {
 protected:
  ReplayTest() {
    dlp::Detector detector;
    detector.id = "iban";
    detector.class_name = "financial";
    detector.severity = dlp::Severity::kHigh;
    detectors_.emplace("iban", detector);
  }
  Replayed run(const policy::Policy& policy, const std::vector<ledger::Entry>& entries,
               std::int64_t since_us = 0) {
    Replay replay(policy, detectors_, names_, since_us);
    for (std::size_t i = 0; i < entries.size(); ++i) replay.take(i, entries[i]);
    return replay.finish();
  }
  DetectorsById detectors_;
  NamesByPseudonym names_;
};

TEST_F(ReplayTest, C11_TheSameRulesDecideTheSame) {
  const policy::Policy policy = compiled(
      rule("r", "redact", "caller.team == 'hr'", "select = 'finding.severity == \"high\"'\n"));
  const Replayed out = run(policy, {intent(1, decision("redact", {"r"}, {iban("redact", 3)})),
                                    outcome(1), intent(2, decision("allow", {})), outcome(2)});
  EXPECT_EQ(out.exchanges, 2U);
  EXPECT_EQ(out.different, 0U);
  EXPECT_THAT(out.groups, IsEmpty());
  EXPECT_EQ(out.undecided, 0U);
}

TEST_F(ReplayTest, C11_WhoAndWhatWouldHaveBeenTreatedDifferently) {
  names_.emplace("00112233445566778899aabbccddeeff", "key:4711");
  const policy::Policy policy = compiled(rule(
      "new", "deny", "caller.name == 'key:4711' && findings.exists(f, f.class == 'financial')"));
  const Replayed out =
      run(policy, {intent(1, decision("redact", {"r"}, {iban("redact")})), outcome(1),
                   intent(2, decision("redact", {"r"}, {iban("redact", 2)})), outcome(2),
                   intent(3, decision("allow", {})), outcome(3)});
  EXPECT_EQ(out.exchanges, 3U);
  EXPECT_EQ(out.different, 2U);
  ASSERT_THAT(out.groups, SizeIs(1));
  EXPECT_EQ(out.groups[0].caller, "key:4711");
  EXPECT_EQ(out.groups[0].before, "redact");
  EXPECT_EQ(out.groups[0].after, "deny");
  EXPECT_EQ(out.groups[0].exchanges, 2U);
  EXPECT_EQ(out.groups[0].first_index, 0U);
  EXPECT_THAT(out.groups[0].rules, ElementsAre("new"));
}

TEST_F(ReplayTest, C11_FindingsThatFareDifferentlyAreToldEvenIfTheEffectStays) {
  const policy::Policy policy =
      compiled(rule("w", "redact", "true", "select = 'finding.detector == \"iban\"'\n"));
  const Replayed out =
      run(policy, {intent(1, decision("redact", {"r"}, {iban("redact"), iban("")})), outcome(1)});
  ASSERT_THAT(out.groups, SizeIs(1));
  EXPECT_THAT(out.groups[0].findings,
              ElementsAre("was financial: none", "was financial: redact", "now financial: redact"));
}

TEST_F(ReplayTest, C11_AnAnswerCountsWithItsRequest) {
  const policy::Policy policy = compiled(
      rule("a", "deny", "phase == 'answer' && findings.exists(f, f.direction == 'answer')"));
  ledger::Decision answer;
  answer.exchange = id(1);
  answer.phase = "answer";
  answer.caller = "00112233445566778899aabbccddeeff";
  answer.policy = decision("redact", {"r"}, {iban("redact")});
  const Replayed out = run(policy, {intent(1, decision("allow", {})), answer, outcome(1),
                                    intent(2, decision("allow", {})), outcome(2)});
  EXPECT_EQ(out.exchanges, 2U);
  ASSERT_THAT(out.groups, SizeIs(1));
  EXPECT_EQ(out.groups[0].before, "redact");
  EXPECT_EQ(out.groups[0].after, "deny");
}

TEST_F(ReplayTest, C11_ARefusedRequestIsJudgedByItsDecision) {
  ledger::Decision refused;
  refused.exchange = id(1);
  refused.phase = "request";
  refused.policy = decision("deny", {"old"}, {iban("")});
  const Replayed out = run(compiled(""), {refused});
  ASSERT_THAT(out.groups, SizeIs(1));
  EXPECT_EQ(out.groups[0].before, "deny");
  EXPECT_EQ(out.groups[0].after, "allow");
  EXPECT_THAT(out.groups[0].rules, ElementsAre("old"));
}

TEST_F(ReplayTest, C11_WhatTheLogDoesNotHoldIsUndecidedAndNotGuessed) {
  const policy::Policy policy =
      compiled(rule("budget", "deny", "budget.used_percent > 90") +
               rule("who", "deny", "caller.name == 'key:4711'") +
               rule("both", "deny", "budget.used_percent > 90 && caller.team == 'it'"));
  const Replayed out = run(policy, {intent(1, decision("allow", {})), outcome(1)});
  EXPECT_EQ(out.different, 0U);
  EXPECT_EQ(out.undecided, 1U);
  // The third is false whatever the budget was.
  EXPECT_THAT(out.undecided_rules,
              ElementsAre(::testing::Pair("budget", 1), ::testing::Pair("who", 1)));
}

TEST_F(ReplayTest, C11_WithoutARecordNothingIsJudgedAndOldOnesArePassedOver) {
  const Replayed out =
      run(compiled(""),
          {intent(1, std::nullopt), outcome(1), intent(2, decision("deny", {"r"}), 10), outcome(2)},
          500);
  EXPECT_EQ(out.unjudged, 1U);
  EXPECT_EQ(out.exchanges, 0U);
}

TEST_F(ReplayTest, C11_AnExceptionThatWasUsedIsUsedAgain) {
  ledger::PolicyDecision held = decision("allow", {"r"});
  held.exceptions = {id(9)};
  const Replayed out =
      run(compiled(rule("r", "deny", "caller.team == 'hr'")), {intent(1, held), outcome(1)});
  EXPECT_EQ(out.different, 0U);
}

}  // namespace
}  // namespace candor::gateway
