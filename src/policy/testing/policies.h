// Short ways to a compiled policy in tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "policy/policy.h"

namespace candor::policy::testing {

inline std::string shown(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) out += to_text(finding) + "\n";
  return out;
}

// Rules as TOML, without the file's head. Each needs id, effect and what it says; a message is
// added to those that have none.
inline RuleFile file(const std::string& rules, const std::string& head = "policy = \"test\"\n") {
  std::vector<Finding> findings;
  RuleFile out = read_rule_file("format = 1\n" + head + rules, "test.toml", findings);
  EXPECT_TRUE(findings.empty()) << shown(findings);
  return out;
}

// [[rule]] with effect and condition, and a message.
inline std::string rule(const std::string& id, const std::string& effect, const std::string& when,
                        const std::string& more = "") {
  return "[[rule]]\nid = \"" + id + "\"\neffect = \"" + effect + "\"\nwhen = '''" + when +
         "'''\nmessage = { en = \"because of " + id + "\", de = \"wegen " + id + "\" }\n" + more;
}

inline Policy compiled(std::vector<RuleFile> files) {
  auto policy = Policy::compile(std::move(files), nullptr);
  EXPECT_TRUE(policy.has_value()) << (policy ? "" : shown(policy.error()));
  return *std::move(policy);
}
inline Policy compiled(const std::string& rules) {
  std::vector<RuleFile> files;
  files.push_back(file(rules));
  return compiled(std::move(files));
}

inline std::vector<std::string> fired(const Decision& decision) {
  std::vector<std::string> out;
  for (const Fired& one : decision.fired) out.push_back(one.rule->id);
  return out;
}

inline Decision decide(const Policy& policy, const Facts& facts) {
  Policy::Scratch scratch;
  return policy.decide(facts, scratch);
}

}  // namespace candor::policy::testing
