#include "policy/check.h"

#include <gmock/gmock.h>

#include "policy/testing/policies.h"

namespace candor::policy {
namespace {

using testing::file;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::rule;
using ::testing::SizeIs;

std::vector<Finding> checked(const std::string& rules) {
  const RuleFile one = file(rules);
  return check({&one, 1}, nullptr);
}

// The one finding there is, as people see it.
std::string only(const std::string& rules, const std::string& kind) {
  const auto findings = checked(rules);
  EXPECT_THAT(findings, SizeIs(1)) << testing::shown(findings);
  if (findings.empty()) return {};
  EXPECT_EQ(findings[0].kind, kind);
  return to_text(findings[0]);
}

TEST(PolicyCheckTest, C10_ATypeErrorHasItsPlaceAndACaret) {
  EXPECT_EQ(
      only("\n" + rule("a", "warn", "request.stream &&\n  request.messages > 'many'"), "type"),
      "test.toml:8:20: error: rule a: > cannot be used with (int, string)\n"
      "      request.messages > 'many'\n"
      "                       ^");
}

TEST(PolicyCheckTest, C10_AnUnknownNameSuggestsTheNearest) {
  EXPECT_EQ(only(rule("a", "warn", "request.dialekt == 'openai.chat'"), "unknown_name"),
            "test.toml:7:9: error: rule a: Request has no field dialekt; did you mean dialect?\n"
            "    request.dialekt == 'openai.chat'\n"
            "            ^~~~~~~");
  EXPECT_THAT(only(rule("a", "warn", "caler.team == 'hr'"), "unknown_name"),
              HasSubstr("did you mean caller?"));
  EXPECT_THAT(only(rule("a", "warn", "caller.team.startWith('h')"), "unknown_function"),
              HasSubstr("did you mean startsWith?"));
  EXPECT_THAT(only(rule("a", "warn", "findings.exists(f, f.klass == 'x')"), "unknown_name"),
              HasSubstr("did you mean class?"));
}

TEST(PolicyCheckTest, C10_AConditionIsABool) {
  EXPECT_THAT(only(rule("a", "warn", "caller.team"), "type"),
              HasSubstr("must be bool, and is string"));
}

TEST(PolicyCheckTest, C10_APatternAndATimeZoneAreChecked) {
  EXPECT_THAT(only(rule("a", "warn", "caller.team.matches('(')"), "pattern"),
              HasSubstr("missing ): ("));
  EXPECT_THAT(only(rule("a", "warn", "time.getHours('Europe/Berlyn') > 8"), "time_zone"),
              HasSubstr("Europe/Berlyn"));
}

TEST(PolicyCheckTest, C10_AllMistakesOfAllRulesAreReportedAtOnce) {
  EXPECT_THAT(checked(rule("a", "warn", "nobody") + rule("b", "warn", "caller.x || model.y")),
              SizeIs(3));
}

TEST(PolicyCheckTest, C10_ConstantConditionsAreNamed) {
  EXPECT_THAT(only(rule("a", "warn", "1 < 2"), "constant"), HasSubstr("always true"));
  EXPECT_THAT(only(rule("a", "warn", "request.stream && 'a' == 'b'"), "constant"),
              HasSubstr("always false"));
  EXPECT_THAT(only(rule("a", "warn", "caller.team == caller.team"), "constant"),
              HasSubstr("always true"));
  EXPECT_THAT(only(rule("a", "warn", "1 / 0 == 1"), "constant"), HasSubstr("always an error"));
  EXPECT_THAT(only(rule("a", "warn", "caller.team == 'a' && caller.team == 'b'"), "constant"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(only(rule("a", "warn", "caller.team == 'a' && caller.team != 'a'"), "constant"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(
      only(rule("a", "redact", "request.stream", "select = 'true || finding.class == \"x\"'\n"),
           "constant"),
      HasSubstr("select is always true"));
  EXPECT_THAT(checked(rule("a", "warn", "request.stream || caller.team == 'b'")), IsEmpty());
}

TEST(PolicyCheckTest, C10_DuplicatesAreNamed) {
  EXPECT_THAT(only(rule("a", "warn", "request.stream") + rule("a", "deny", "request.images > 0"),
                   "duplicate"),
              HasSubstr("the rule at test.toml:3 has this id too"));
  EXPECT_THAT(only(rule("a", "warn", "request.stream && caller.team == 'x'") +
                       rule("b", "warn", "caller.team == \"x\"  &&  request.stream"),
                   "duplicate"),
              HasSubstr("says the same as a"));
}

TEST(PolicyCheckTest, C10_ARuleThatAnOverridingOneContainsIsUnreachable) {
  const std::string deny = rule("no-tools", "deny", "caller.team == 'hr'");
  EXPECT_THAT(
      only(deny + rule("b", "redact", "findings.size() > 1 && caller.team == 'hr'"), "unreachable"),
      HasSubstr("whenever it fires, so does no-tools"));
  EXPECT_THAT(
      only(deny + rule("b", "allow", "request.stream && caller.team in ['hr']"), "unreachable"),
      HasSubstr("no-tools"));
  EXPECT_THAT(only(rule("wide", "deny", "request.stream || caller.team == 'hr'") +
                       rule("b", "warn", "caller.team == 'hr' && request.images > 0"),
                   "unreachable"),
              HasSubstr("wide"));
  EXPECT_THAT(only(rule("x", "route", "request.stream", "to = \"a\"\n") +
                       rule("y", "route", "request.stream && caller.team == 'hr'", "to = \"b\"\n"),
                   "unreachable"),
              HasSubstr("x"));
  EXPECT_THAT(only(rule("x", "redact", "request.stream", "select = 'finding.class == \"f\"'\n") +
                       rule("y", "pseudonymise", "request.stream",
                            "select = 'finding.class == \"f\" && finding.confidence > 50'\n"),
                   "unreachable"),
              HasSubstr("x"));
}

TEST(PolicyCheckTest, C10_ARuleThatOnlyOverlapsOrThatIsStricterIsReachable) {
  EXPECT_THAT(checked(rule("a", "deny", "caller.team == 'hr' && request.stream") +
                      rule("b", "redact", "caller.team == 'hr'")),
              IsEmpty());
  EXPECT_THAT(checked(rule("a", "warn", "caller.team == 'hr'") +
                      rule("b", "deny", "caller.team == 'hr' && request.stream")),
              IsEmpty());
  EXPECT_THAT(checked(rule("a", "require approval", "caller.team == 'hr'") +
                      rule("b", "redact", "caller.team == 'hr' && findings.size() > 1")),
              IsEmpty());
}

TEST(PolicyCheckTest, C10_ADenyOfOneJurisdictionDoesNotReachIntoAnother) {
  std::vector<RuleFile> files;
  files.push_back(
      file(rule("eu", "deny", "request.stream"), "policy = \"eu\"\njurisdiction = \"EU\"\n"));
  files.push_back(
      file(rule("us", "warn", "request.stream"), "policy = \"us\"\njurisdiction = \"US\"\n"));
  EXPECT_THAT(check(files, nullptr), IsEmpty());
}

TEST(RuleFileTest, C9_MistakesOfAFileAreNamedWithLineAndNearestKey) {
  std::vector<Finding> findings;
  const RuleFile read = read_rule_file(
      "format = 2\npolicy = \"Big\"\ndefault = \"maybe\"\n[[rule]]\nid = \"a\"\nefect = \"deny\"\n"
      "[[rule]]\nid = \"b\"\neffect = \"redcat\"\nto = \"x\"\nselect = \"true\"\nmessage = 3\n",
      "x.toml", findings);
  const std::string all = testing::shown(findings);
  EXPECT_THAT(all, HasSubstr("x.toml:1: error: format = 1 is needed"));
  EXPECT_THAT(all, HasSubstr("policy is a name of"));
  EXPECT_THAT(all, HasSubstr("x.toml:3: error: default is"));
  EXPECT_THAT(all, HasSubstr("x.toml:4: error: rule a: effect is missing"));
  EXPECT_THAT(all, HasSubstr("x.toml:6: error: rule a: unknown key efect; did you mean effect?"));
  EXPECT_THAT(all, HasSubstr("x.toml:9: error: rule b: effect is one of"));
  EXPECT_THAT(all, HasSubstr("did you mean redact?"));
  EXPECT_THAT(all, HasSubstr("x.toml:10: error: rule b: to belongs to"));
  EXPECT_THAT(all, HasSubstr("x.toml:11: error: rule b: select belongs to"));
  EXPECT_THAT(all, HasSubstr("x.toml:12: error: rule b: message is a text"));
}

}  // namespace
}  // namespace candor::policy
