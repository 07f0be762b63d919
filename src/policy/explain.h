// Why, in words for the person who was stopped (C14, P9): the rule, its reason, what was found
// (class and place, never the value), what to do instead, in English or German.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"

namespace candor::policy {

struct ExplainedRule {
  std::string id, policy, effect;
  std::string reason, instead;
  std::vector<std::string> references;
  bool in_force = true;  // false: a stricter rule leaves nothing of it, it is met, or excepted
  std::string exception = {};  // the id of what keeps it from counting, or ""
};

struct ExplainedFinding {
  std::string class_name, field, action;  // action: redact, pseudonymise, or ""
};

struct Explanation {
  Effect effect = Effect::kAllow;
  std::string headline;  // one sentence that makes sense in a chat window
  std::vector<ExplainedRule> rules;
  std::vector<ExplainedFinding> found;
  std::string link;    // to the console's page on the deciding rule; "" where there is none
  std::string policy;  // digest, hex
};

[[nodiscard]] Explanation explain(const Decision& decision, const Facts& facts, Language language);
// What an effect means to whom it meets, in one sentence.
[[nodiscard]] std::string headline(Effect effect, Language language);
// A few lines: headline, reasons, what was found, what to do.
[[nodiscard]] std::string to_text(const Explanation& explanation, Language language);

}  // namespace candor::policy
