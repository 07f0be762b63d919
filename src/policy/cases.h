// Test cases of rules, kept beside them (docs/formats/policy.md): what is given, what is expected.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.h"

namespace candor::policy {

struct PolicyCase {
  std::string name;
  std::uint32_t line = 0;
  Facts facts;
  Effect effect = Effect::kAllow;                 // expected
  std::optional<std::vector<std::string>> rules;  // exactly these fire, in any order
  std::optional<std::string> route;
  std::optional<std::vector<std::string>> findings;  // for each finding: redact, pseudonymise, ""
};

struct CaseFile {
  std::string origin;
  std::vector<std::string> policies;  // files, relative to this one
  std::vector<PolicyCase> cases;
};
// Adds what is wrong to findings.
[[nodiscard]] CaseFile read_case_file(std::string_view toml, const std::string& origin,
                                      std::vector<Finding>& findings);

// Empty: it holds. Else what was expected and what came.
[[nodiscard]] std::string run_case(const PolicyCase& one, const Policy& policy,
                                   Policy::Scratch& scratch);
// The same of a decision that was made on the case's facts.
[[nodiscard]] std::string differences(const PolicyCase& one, const Decision& decision);

}  // namespace candor::policy
