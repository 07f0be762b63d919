// The packs that Candor ships, the document that describes them, and the digest's known answer.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "policy/cases.h"
#include "policy/check.h"
#include "policy/testing/policies.h"

namespace candor::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

std::string read(const fs::path& file) {
  std::ifstream in(file);
  EXPECT_TRUE(in.good()) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

RuleFile rules_of(const fs::path& file) {
  std::vector<Finding> findings;
  RuleFile out = read_rule_file(read(file), file.string(), findings);
  EXPECT_THAT(findings, IsEmpty()) << testing::shown(findings);
  return out;
}

const fs::path kPacks = fs::path(CANDOR_SOURCE_DIR) / "packs" / "policies";

TEST(PolicyPacksTest, C12_EveryPackIsCleanByItselfAndAllTogether) {
  std::vector<RuleFile> all;
  for (const char* name : {"base.toml", "eu.toml", "uk.toml", "us.toml"}) {
    all.push_back(rules_of(kPacks / name));
    const auto findings = check({&all.back(), 1}, nullptr);
    EXPECT_THAT(findings, IsEmpty()) << testing::shown(findings);
    for (const Rule& rule : all.back().rules) {
      EXPECT_NE(rule.message.english, rule.message.german) << rule.id;
      EXPECT_TRUE(rule.id.starts_with(all.back().name + ".")) << rule.id;
      if (!all.back().jurisdiction.empty()) EXPECT_FALSE(rule.references.empty()) << rule.id;
    }
  }
  EXPECT_THAT(check(all, nullptr), IsEmpty());
}

TEST(PolicyPacksTest, C12_EveryCaseOfEveryPackHoldsAndEveryRuleHasOne) {
  std::set<std::string> fired;
  std::set<std::string> rules;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(kPacks)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".cases.toml")) continue;
    std::vector<Finding> findings;
    CaseFile cases = read_case_file(read(entry.path()), name, findings);
    ASSERT_THAT(findings, IsEmpty()) << testing::shown(findings);
    if (cases.policies.empty()) {
      cases.policies.push_back(name.substr(0, name.size() - std::string(".cases.toml").size()) +
                               ".toml");
    }
    std::vector<RuleFile> files;
    for (const std::string& file : cases.policies) files.push_back(rules_of(kPacks / file));
    const Policy policy = testing::compiled(std::move(files));
    for (const RuleFile& file : policy.files()) {
      for (const Rule& rule : file.rules) rules.insert(rule.id);
    }
    Policy::Scratch scratch;
    for (const PolicyCase& one : cases.cases) {
      EXPECT_EQ(run_case(one, policy, scratch), "") << name << ": " << one.name;
      for (const Fired& rule : policy.decide(one.facts, scratch).fired) fired.insert(rule.rule->id);
      ++count;
    }
  }
  EXPECT_GT(count, 20U);
  EXPECT_EQ(fired, rules);
}

TEST(PolicyCasesTest, C10_ACaseThatDoesNotHoldSaysWhatWasExpectedAndWhatCame) {
  std::vector<Finding> findings;
  const CaseFile cases = read_case_file(
      "format = 1\n[[case]]\nname = \"n\"\ngiven.caller.team = \"hr\"\n"
      "given.request.temperature = \"0.5\"\nexpect = { effect = \"deny\", rules = [\"b\"], route = "
      "\"x\" }\n",
      "t.cases.toml", findings);
  ASSERT_THAT(findings, IsEmpty()) << testing::shown(findings);
  const Policy policy = testing::compiled(
      testing::rule("a", "warn", "caller.team == 'hr' && request.temperature < 0.7"));
  Policy::Scratch scratch;
  EXPECT_EQ(
      run_case(cases.cases[0], policy, scratch),
      "effect: deny expected, warn came; rules: b expected, a came; route: x expected,  came");
}

TEST(PolicyCasesTest, C10_MistakesInCasesAreNamed) {
  std::vector<Finding> findings;
  const CaseFile cases = read_case_file(
      "format = 1\n[[case]]\nname = \"n\"\ngiven.caller.taem = \"hr\"\ngiven.time = \"noon\"\n"
      "given.request.messages = \"3\"\ngiven.findings = [{ klass = \"x\" }]\nexpect.efect = "
      "\"deny\"\n",
      "t.cases.toml", findings);
  const std::string all = testing::shown(findings);
  EXPECT_THAT(all, HasSubstr("there is no value caller.taem; did you mean caller.team?"));
  EXPECT_THAT(all, HasSubstr("time is a text such as"));
  EXPECT_THAT(all, HasSubstr("request.messages is an integer"));
  EXPECT_THAT(all, HasSubstr("there is no value klass; did you mean class?"));
  EXPECT_THAT(all, HasSubstr("effect is missing"));
}

TEST(PolicyFormatTest, C9_TheDigestIsThatOfAnIndependentScript) {
  // python3 src/policy/testdata/digest.py src/policy/testdata/digest.toml
  std::vector<RuleFile> files{rules_of(fs::path(POLICY_TESTDATA) / "digest.toml")};
  EXPECT_EQ(to_hex(testing::compiled(std::move(files)).digest()),
            "f7542223626603ac111ed7b0bc6fab20bbae7c696b045077474d0da2f5d412e0");
}

TEST(PolicyFormatTest, P9_TheCanonicalFormLeadsBackToTheRules) {
  for (const RuleText& text : builtin_rule_texts()) {
    std::vector<Finding> findings;
    const std::vector<RuleFile> files{read_rule_file(text.text, "x", findings)};
    const std::string canonical = canonical_form(files);
    const auto back = read_canonical_form(canonical);
    ASSERT_TRUE(back.has_value()) << text.name;
    EXPECT_EQ(canonical_form(*back), canonical);
    EXPECT_EQ(testing::compiled(*back).digest(), testing::compiled(files).digest());
    // A byte more, less or other is no canonical text.
    EXPECT_FALSE(read_canonical_form(canonical + " ").has_value());
    EXPECT_FALSE(read_canonical_form(canonical.substr(1)).has_value());
  }
  EXPECT_FALSE(read_canonical_form("{}").has_value());
  EXPECT_FALSE(read_canonical_form("[]").has_value());
}

TEST(PolicyFormatTest, C9_TheDocumentShowsEveryFact) {
  EXPECT_THAT(read(fs::path(CANDOR_SOURCE_DIR) / "docs" / "formats" / "policy.md"),
              HasSubstr(facts_markdown()));
}

}  // namespace
}  // namespace candor::policy
