#include "policy/policy.h"

#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "policy/explain.h"
#include "policy/testing/policies.h"

namespace candor::policy {
namespace {

using testing::compiled;
using testing::decide;
using ::testing::ElementsAre;
using testing::file;
using testing::fired;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::rule;
using ::testing::UnorderedElementsAre;

FoundFact found(const std::string& class_name, const std::string& field = "messages/0/content") {
  FoundFact out;
  out.class_name = class_name;
  out.field = field;
  out.direction = "request";
  out.severity = "high";
  out.confidence = 90;
  return out;
}

constexpr const char* kEveryEffect[] = {
    "allow",  "warn",  "require marking",       "pseudonymise",
    "redact", "route", "require justification", "require approval",
    "deny"};

TEST(PolicyTest, C9_TheStrictestEffectDecidesAndEveryRuleThatFiredIsListed) {
  std::string rules;
  Facts facts;
  facts.findings = {found("financial")};
  for (std::size_t i = 0; i < std::size(kEveryEffect); ++i) {
    const std::string effect = kEveryEffect[i];
    rules +=
        rule(fmt::format("r{}", i), effect, "true", effect == "route" ? "to = \"small\"\n" : "");
    const Policy policy = compiled(rules);
    const Decision decision = decide(policy, facts);
    EXPECT_EQ(to_string(decision.effect), effect);
    EXPECT_EQ(decision.fired.size(), i + 1);
    EXPECT_EQ(fired(decision).front(), fmt::format("r{}", i));  // the strictest first
  }
}

TEST(PolicyTest, C9_NothingFiresAndNothingIsRefusedWithoutRules) {
  const Decision decision = decide(compiled(""), {});
  EXPECT_EQ(decision.effect, Effect::kAllow);
  EXPECT_THAT(decision.fired, IsEmpty());
}

TEST(PolicyTest, C9_EffectsThatDoNotConflictAccumulate) {
  const Policy policy =
      compiled(rule("mark", "require marking", "phase == 'answer'") + rule("warn", "warn", "true") +
               rule("mask", "redact", "true", "select = 'finding.class == \"financial\"'\n") +
               rule("stand-in", "pseudonymise", "true") +
               rule("small", "route", "caller.team == 'hr'", "to = \"small\"\n") +
               rule("tiny", "route", "true", "to = \"tiny\"\n"));
  Facts facts;
  facts.phase = "answer";
  facts.caller.team = "hr";
  facts.findings = {found("personal.contact"), found("financial")};
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kRoute);
  EXPECT_TRUE(decision.marking);
  EXPECT_EQ(*decision.route, "small");  // the first of two that disagree
  EXPECT_THAT(decision.on_findings, ElementsAre(Effect::kPseudonymise, Effect::kRedact));
  EXPECT_THAT(fired(decision), ElementsAre("small", "tiny", "mask", "stand-in", "mark", "warn"));
  EXPECT_THAT(decision.fired[2].findings, ElementsAre(1U));
}

TEST(PolicyTest, C9_RedactWithoutAFindingToRedactDoesNotFire) {
  const Policy policy =
      compiled(rule("mask", "redact", "true", "select = 'finding.class == \"financial\"'\n") +
               rule("all", "redact", "true"));
  Facts facts;
  EXPECT_THAT(fired(decide(policy, facts)), IsEmpty());
  facts.findings = {found("health")};
  EXPECT_THAT(fired(decide(policy, facts)), ElementsAre("all"));
}

TEST(PolicyTest, C9_ARequirementThatIsMetIsNotInForce) {
  const Policy policy = compiled(rule("why", "require justification", "true") +
                                 rule("second", "require approval", "true"));
  Facts facts;
  facts.caller.name = "ada";
  EXPECT_EQ(decide(policy, facts).effect, Effect::kRequireApproval);
  facts.request.approved_by = "ada";  // nobody approves for themselves
  EXPECT_EQ(decide(policy, facts).effect, Effect::kRequireApproval);
  facts.request.approved_by = "grace";
  EXPECT_EQ(decide(policy, facts).effect, Effect::kRequireJustification);
  facts.request.justification = "a customer waits";
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kAllow);
  EXPECT_EQ(decision.fired.size(), 2U);
  EXPECT_TRUE(decision.fired[0].met && decision.fired[1].met);
}

TEST(PolicyTest, C9_AnErrorOfAConditionRefuses) {
  const Policy policy = compiled(rule("sum", "warn", "1000 / request.messages > 3"));
  const Decision decision = decide(policy, {});
  EXPECT_EQ(decision.effect, Effect::kDeny);
  ASSERT_EQ(decision.failed.size(), 1U);
  EXPECT_EQ(decision.failed[0].fault, cel::Fault::kDivision);
  EXPECT_THAT(fired(decision), IsEmpty());
  Facts facts;
  facts.request.messages = 1;
  EXPECT_EQ(decide(policy, facts).effect, Effect::kWarn);
}

TEST(PolicyTest, C9_AnErrorBesideAPartThatIsFalseDoesNotCount) {
  const Policy policy =
      compiled(rule("a", "warn", "1000 / request.messages > 3 && caller.team == 'hr'") +
               rule("b", "warn", "request.stream && 1000 / request.messages > 3"));
  EXPECT_EQ(decide(policy, {}).effect, Effect::kAllow);
  EXPECT_EQ(policy.decide_plainly({}).effect, Effect::kAllow);
}

TEST(PolicyTest, C9_CostBeyondTheLimitRefuses) {
  std::string rules =
      rule("slow", "warn", "findings.all(a, findings.all(b, findings.all(c, a.field != 'x')))");
  const Policy policy = compiled(rules);
  Facts facts;
  facts.findings.assign(100, found("health"));
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kDeny);
  ASSERT_EQ(decision.failed.size(), 1U);
  EXPECT_EQ(decision.failed[0].fault, cel::Fault::kCost);
  // Each rule for itself is below its limit, and false; all together they pass the decision's.
  rules.clear();
  for (int i = 0; i < 200; ++i) {
    rules += rule(fmt::format("r{}", i), "warn",
                  fmt::format("!findings.all(a, findings.all(b, a.field != '{}'))", i));
  }
  facts.findings.assign(40, found("health"));
  const Decision many = decide(compiled(rules), facts);
  EXPECT_EQ(many.effect, Effect::kDeny);
  EXPECT_THAT(many.failed, Not(IsEmpty()));
}

TEST(PolicyTest, C9_WhatNoRuleAllowsIsRefusedWhereTheFileSaysSo) {
  std::vector<RuleFile> files;
  files.push_back(file(rule("hr", "allow", "caller.team == 'hr'"),
                       "policy = \"closed\"\ndefault = \"deny\"\n"));
  files.push_back(file(rule("all", "allow", "true"), "policy = \"open\"\n"));
  const Policy policy = compiled(std::move(files));
  Facts facts;
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kDeny);
  EXPECT_EQ(decision.refused_by_default->name, "closed");
  facts.caller.team = "hr";
  EXPECT_EQ(decide(policy, facts).effect, Effect::kAllow);
}

TEST(PolicyTest, C12_PoliciesOfTwoJurisdictionsComposeAndTheStrictestWins) {
  std::vector<RuleFile> files;
  files.push_back(
      file(rule("eu.health", "require approval", "findings.exists(f, f.class == 'health')"),
           "policy = \"eu\"\njurisdiction = \"EU\"\n"));
  files.push_back(
      file(rule("us.health", "redact", "true", "select = 'finding.class == \"health\"'\n"),
           "policy = \"us\"\njurisdiction = \"US\"\n"));
  const Policy policy = compiled(std::move(files));
  Facts facts;
  facts.findings = {found("health")};
  EXPECT_THAT(fired(decide(policy, facts)), IsEmpty());
  facts.jurisdiction = {"US"};
  EXPECT_EQ(decide(policy, facts).effect, Effect::kRedact);
  facts.jurisdiction = {"EU", "US"};
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kRequireApproval);
  EXPECT_THAT(decision.on_findings, ElementsAre(Effect::kRedact));
  const Explanation why = explain(decision, facts, Language::kEnglish);
  ASSERT_EQ(why.rules.size(), 2U);
  EXPECT_EQ(why.rules[0].policy, "eu");
  EXPECT_EQ(why.rules[1].policy, "us");
  const std::string text = to_text(why, Language::kEnglish);
  EXPECT_THAT(text, HasSubstr("eu.health"));
  EXPECT_THAT(text, HasSubstr("us.health"));
}

// The oracle: every condition whole, one after the other.
class RandomPolicy {
 public:
  explicit RandomPolicy(std::uint64_t seed) : random_(seed) {}

  std::string text(std::string_view what) { return fmt::format("{}{}", what, pick(4)); }

  std::string condition(int depth) {
    switch (pick(depth > 0 ? 16 : 12)) {
      case 0: return fmt::format("caller.team == '{}'", text("team"));
      case 1: return fmt::format("'{}' in caller.groups", text("group"));
      case 2: return fmt::format("model.name in ['{}', '{}']", text("m"), text("m"));
      case 3: return fmt::format("findings.exists(f, f.class == '{}')", text("c"));
      case 4:
        return fmt::format("findings.exists(x, x.class == '{}' && x.confidence > {})", text("c"),
                           pick(100));
      case 5: return fmt::format("request.messages > {}", pick(5));
      case 6: return fmt::format("100 / request.messages > {}", pick(60));
      case 7: return "request.stream";
      case 8: return fmt::format("model.passport.tests.exists(t, t == '{}')", text("t"));
      case 9: return fmt::format("caller.team != '{}'", text("team"));
      case 10: return fmt::format("'{}' == model.passport.base", text("m"));
      case 11: return fmt::format("findings.all(f, f.severity in ['{}', 'high'])", text("s"));
      case 12: return fmt::format("({} || {})", condition(depth - 1), condition(depth - 1));
      case 13: return fmt::format("!({})", condition(depth - 1));
      case 14:
        return fmt::format("({} ? {} : {})", condition(depth - 1), condition(depth - 1),
                           condition(depth - 1));
      default: return fmt::format("{} && {}", condition(depth - 1), condition(depth - 1));
    }
  }

  std::string rules(std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string effect = kEveryEffect[pick(std::size(kEveryEffect))];
      std::string more = effect == "route" ? "to = \"x\"\n" : "";
      if ((effect == "redact" || effect == "pseudonymise") && pick(3) > 0) {
        more = fmt::format("select = 'finding.class == \"{}\" && finding.confidence > {}'\n",
                           text("c"), pick(100));
      }
      out += rule(fmt::format("r{}", i), effect, condition(3), more);
    }
    return out;
  }

  Facts facts() {
    Facts out;
    out.caller.team = text("team");
    for (std::size_t i = pick(3); i > 0; --i) out.caller.groups.push_back(text("group"));
    out.model.name = text("m");
    out.model.passport.base = text("m");
    for (std::size_t i = pick(3); i > 0; --i) out.model.passport.tests.push_back(text("t"));
    out.request.messages = static_cast<std::int64_t>(pick(4));
    out.request.stream = pick(2) == 0;
    for (std::size_t i = pick(4); i > 0; --i) {
      out.findings.push_back(found(text("c")));
      out.findings.back().confidence = static_cast<std::int64_t>(pick(100));
      out.findings.back().severity = pick(2) == 0 ? "high" : text("s");
    }
    return out;
  }

  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }

 private:
  std::mt19937_64 random_;
};

std::string summary(const Decision& decision) {
  std::string out(to_string(decision.effect));
  for (const Fired& one : decision.fired) {
    out += fmt::format("|{}:{}:{}", one.rule->id, fmt::join(one.findings, ","), one.met);
  }
  for (const Failed& one : decision.failed) out += fmt::format("|!{}", one.rule->id);
  for (const Effect effect : decision.on_findings) out += fmt::format("/{}", to_string(effect));
  return out + (decision.route == nullptr ? "" : *decision.route);
}

TEST(PolicyTest, C9_IndexAndSharedPartsDecideAsEveryConditionByItself) {
  std::size_t indexed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RandomPolicy random(seed);
    const Policy policy = compiled(random.rules(40));
    indexed += policy.rules() - policy.unindexed();
    Policy::Scratch scratch;
    for (int i = 0; i < 30; ++i) {
      const Facts facts = random.facts();
      ASSERT_EQ(summary(policy.decide(facts, scratch)), summary(policy.decide_plainly(facts)))
          << "seed " << seed;
    }
  }
  EXPECT_GT(indexed, 200U);  // the index had something to decide
}

TEST(PolicyTest, C9_TheSameFactsGetTheSameDecisionFromAScratchThatWasUsed) {
  RandomPolicy random(99);
  const Policy policy = compiled(random.rules(60));
  Policy::Scratch used;
  for (int i = 0; i < 50; ++i) {
    const Facts facts = random.facts();
    ASSERT_EQ(summary(policy.decide(facts, used)), summary(decide(policy, facts)));
  }
}

TEST(PolicyTest, C14_PeopleAreToldWhyInBothLanguagesWithoutTheValue) {
  const Policy policy = compiled(
      rule("bank", "deny", "findings.exists(f, f.class == 'financial')",
           "instead = { en = \"Leave the account number out.\", de = \"Lassen Sie die Kontonummer "
           "weg.\" }\nreferences = [\"Rule 7\"]\n"));
  Facts facts;
  facts.findings = {found("financial", "messages/2/content")};
  const Decision decision = decide(policy, facts);
  const Explanation english = explain(decision, facts, Language::kEnglish);
  EXPECT_EQ(english.headline, "This was stopped by a rule.");
  EXPECT_EQ(english.link, "/console/rules/bank");
  EXPECT_EQ(to_text(english, Language::kEnglish),
            "This was stopped by a rule.\n"
            "- because of bank [Rule bank; Rule 7]\n"
            "Found: financial (messages/2/content)\n"
            "Instead: Leave the account number out.\n");
  EXPECT_EQ(to_text(explain(decision, facts, Language::kGerman), Language::kGerman),
            "Das wurde durch eine Regel gestoppt.\n"
            "- wegen bank [Regel bank; Rule 7]\n"
            "Gefunden: financial (messages/2/content)\n"
            "Stattdessen: Lassen Sie die Kontonummer weg.\n");
}

TEST(PolicyTest, C14_ARuleWithoutAResultAndADefaultAreExplainedToo) {
  std::vector<RuleFile> files;
  files.push_back(file(rule("sum", "warn", "1 / request.messages > 3"),
                       "policy = \"closed\"\ndefault = \"deny\"\n"));
  const Policy policy = compiled(std::move(files));
  Facts facts;
  EXPECT_THAT(
      to_text(explain(decide(policy, facts), facts, Language::kEnglish), Language::kEnglish),
      HasSubstr("could not be evaluated"));
  facts.request.messages = 1;
  EXPECT_THAT(to_text(explain(decide(policy, facts), facts, Language::kGerman), Language::kGerman),
              HasSubstr("weil keine Regel es erlaubt"));
}

Id128 exception_id() {
  Id128 id{};
  id.fill(static_cast<Id128::value_type>(7));
  return id;
}

TEST(PolicyTest, L9_AnApprovedExceptionKeepsItsRuleFromCountingAndIsNamed) {
  const Policy policy =
      compiled(rule("r", "deny", "caller.team == \"hr\"") + rule("w", "warn", "true"));
  Facts facts;
  facts.caller = {.name = "alice", .team = "hr", .groups = {}, .method = "key", .purpose = ""};
  facts.exceptions = {{.id = exception_id(), .rule = "r", .approved_by = ""}};
  EXPECT_EQ(decide(policy, facts).effect, Effect::kDeny);  // nobody has approved it
  facts.exceptions[0].approved_by = "alice";
  EXPECT_EQ(decide(policy, facts).effect, Effect::kDeny);  // not by oneself
  facts.exceptions[0].approved_by = "grace";
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kWarn);
  EXPECT_THAT(fired(decision), ElementsAre("r", "w"));
  ASSERT_NE(decision.fired[0].exception, nullptr);
  EXPECT_EQ(decision.fired[0].exception->id, exception_id());
  const Explanation told = explain(decision, facts, Language::kEnglish);
  EXPECT_EQ(told.headline, "Please note what a rule says about this.");
  EXPECT_FALSE(told.rules[0].in_force);
  EXPECT_EQ(told.rules[0].exception, to_hex(exception_id()));
  facts.exceptions[0].rule = "w";
  EXPECT_EQ(decide(policy, facts).effect, Effect::kDeny);  // another rule's
}

TEST(PolicyTest, L9_ARuleSaysWhetherItTakesExceptions) {
  Facts facts;
  facts.exceptions = {{.id = exception_id(), .rule = "r", .approved_by = ""}};
  EXPECT_EQ(decide(compiled(rule("r", "deny", "true", "break_glass = \"alone\"\n")), facts).effect,
            Effect::kAllow);
  // An approval is what this effect asks for.
  EXPECT_EQ(
      decide(compiled(rule("r", "require approval", "true", "break_glass = \"alone\"\n")), facts)
          .effect,
      Effect::kRequireApproval);
  facts.exceptions[0].approved_by = "grace";
  EXPECT_EQ(decide(compiled(rule("r", "require approval", "true")), facts).effect, Effect::kAllow);
  EXPECT_EQ(decide(compiled(rule("r", "deny", "true", "break_glass = \"never\"\n")), facts).effect,
            Effect::kDeny);
}

TEST(PolicyTest, L9_WhatARuleExceptedWouldMaskIsNotMasked) {
  Facts facts;
  facts.findings = {found("financial")};
  facts.exceptions = {{.id = exception_id(), .rule = "r", .approved_by = "grace"}};
  const Decision decision = decide(compiled(rule("r", "redact", "true")), facts);
  EXPECT_EQ(decision.effect, Effect::kAllow);
  EXPECT_THAT(decision.on_findings, ElementsAre(Effect::kAllow));
}

TEST(PolicyTest, C11_WhatNobodyKnowsDecidesNothingAndIsListed) {
  const Policy policy =
      compiled(rule("unknown", "deny", "budget.used_percent > 90") +
               rule("false", "deny", "budget.used_percent > 90 && phase == \"x\"") +
               rule("groups", "deny", "\"it\" in caller.groups") +
               rule("true", "warn", "phase == \"request\""));
  Facts facts;
  facts.phase = "request";
  set_unknown(facts, "budget.used_percent");
  set_unknown(facts, "caller.groups");
  const Decision decision = decide(policy, facts);
  EXPECT_EQ(decision.effect, Effect::kWarn);
  EXPECT_THAT(decision.failed, IsEmpty());
  ASSERT_EQ(decision.undecided.size(), 2U);
  EXPECT_EQ(decision.undecided[0]->id, "unknown");
  EXPECT_EQ(decision.undecided[1]->id, "groups");
}

}  // namespace
}  // namespace candor::policy
