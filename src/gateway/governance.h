// What the policy has seen and decided of one exchange so far: facts, decisions, the words for the
// caller and the record for the log. Used by one exchange, off the io thread too, one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dialect/dialect.h"
#include "dlp/redaction.h"
#include "gateway/rulebook.h"
#include "ledger/entry.h"
#include "policy/explain.h"
#include "policy/facts.h"

namespace candor::gateway {

// Findings of one exchange that a policy looks at; with more it is refused, or its answer ends.
inline constexpr std::size_t kMaxFindings = 1'000;

class Governance {
 public:
  // conversation: what decides the stand-ins of pseudonymised values (dlp/redaction.h).
  Governance(std::shared_ptr<const Rulebook> book, policy::Language language,
             const Digest& conversation)
      : book_(std::move(book)), language_(language), pseudonyms_(conversation) {}

  [[nodiscard]] const Rulebook& book() const noexcept { return *book_; }
  [[nodiscard]] dlp::Pseudonyms& pseudonyms() noexcept { return pseudonyms_; }
  // Set before the first decide().
  [[nodiscard]] policy::Facts& facts() noexcept { return facts_; }

  // Decides on the facts as they are. What it says about one of facts().findings is remembered.
  [[nodiscard]] policy::Decision decide(Rulebook::Desk& desk);
  // What another decision point says of the request, beside the rules (gateway/decision_point.h).
  void add_external(policy::Effect effect, const std::string& reason, bool failed);
  // From here on findings and decisions are the answer's.
  void begin_answer();
  // What is done with the finding, by the last decide().
  [[nodiscard]] policy::Effect action(std::size_t finding) const { return actions_.at(finding); }

  // The text of the last finding was out when it was found: nothing can be done with it.
  void released_already() { actions_.back() = policy::Effect::kAllow; }
  // More was found than can be looked at: the answer ends.
  void give_up();
  [[nodiscard]] bool answering() const noexcept { return answering_; }

  // Of the phase: its decisions together. Absent where it has nothing to say: no finding, and of
  // the rules none but those that the request's record names already.
  [[nodiscard]] std::optional<ledger::PolicyDecision> record() const;

  // For a refusal: what the person is told (C14).
  [[nodiscard]] std::string sentence() const;
  // For the end of a choice's text: what was masked or replaced in it ("choices/0/") or in the
  // request, by which rules and why; "" where nothing was.
  [[nodiscard]] std::string note(std::string_view choice) const;
  // What to do where an approval or a reason is missing; begins with a newline.
  [[nodiscard]] std::string how_to_approve() const;
  [[nodiscard]] std::string how_to_justify() const;
  // {"effect":..,"rules":[..],"found":[..],"policy":..}, for the answer's `candor` object; "" where
  // nothing but allow rules fired.
  [[nodiscard]] std::string notice() const;

 private:
  struct Phase {
    std::optional<policy::Effect> effect;  // the strictest
    std::vector<policy::ExplainedRule> rules;
    policy::Explanation strictest;
    std::vector<policy::ExceptionFact> exceptions;  // that were made use of
    [[nodiscard]] bool silent() const { return rules.empty(); }
  };

  std::shared_ptr<const Rulebook> book_;
  policy::Language language_;
  dlp::Pseudonyms pseudonyms_;
  policy::Facts facts_;
  std::size_t first_of_answer_ = 0;  // index of its first finding
  bool answering_ = false;
  std::vector<policy::Effect> actions_;
  Phase request_, answer_;
};

// caller.method of the facts, for what Caller and entries call known_by.
[[nodiscard]] std::string method_of(std::string_view known_by);

// "require approval" as entries write it: "require-approval".
[[nodiscard]] std::string token_of(policy::Effect effect);

}  // namespace candor::gateway
