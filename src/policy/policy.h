// Rules, compiled: what they decide about one exchange.
//
//   auto policy = Policy::compile(std::move(files), &zones);
//   Policy::Scratch scratch;                       // one for each thread
//   Decision decision = policy->decide(facts, scratch);
//
// Total and bounded: a rule costs at most kMaxRuleCost steps and a decision kMaxDecisionCost; what
// costs more, or ends in an error, is refused with that reason (P8). Immutable and thread-safe.
//
// Fast because conditions are split at their &&: equal parts of different rules are evaluated once,
// and a rule that needs `path == "text"`, `path in [...]`, `"text" in path` or the like is looked
// at only when the facts hold such a text (internal/index.h). A part that is false makes its rule
// false whatever the others are, errors included; that is CEL's own meaning of &&.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cel/program.h"
#include "policy/facts.h"
#include "policy/rule.h"

namespace candor::policy {

inline constexpr std::uint64_t kMaxRuleCost = 10'000;
inline constexpr std::uint64_t kMaxDecisionCost = 1'000'000;

// Rules and files are the policy's, and live as long as it does.
struct Fired {
  const Rule* rule = nullptr;
  const RuleFile* file = nullptr;
  std::vector<std::uint32_t> findings;  // that it acts on: redact, pseudonymise
  bool met = false;                     // a justification or approval that was asked for is there
  const ExceptionFact* exception = nullptr;  // of the facts: keeps the rule from counting
  [[nodiscard]] bool counts() const noexcept { return !met && exception == nullptr; }
};
struct Failed {
  const Rule* rule = nullptr;
  cel::Fault fault = cel::Fault::kNoOverload;
};

struct Decision {
  Effect effect = Effect::kAllow;      // the strictest that is in force
  std::vector<Fired> fired;            // all of them, the strictest first, then in the files' order
  std::vector<Failed> failed;          // conditions without a value: then the effect is kDeny
  std::vector<const Rule*> undecided;  // that need a fact which is not known: they decide nothing
  const RuleFile* refused_by_default = nullptr;  // no allow rule of this file fired
  const std::string* route = nullptr;            // the model that answers instead
  bool marking = false;
  // For each of the facts' findings: kRedact, kPseudonymise, or kAllow for nothing.
  std::vector<Effect> on_findings;
  Digest policy{};  // of the policy that decided
};

class Policy {
 public:
  // zones may be nullptr (then only UTC and offsets) and must outlive the policy.
  [[nodiscard]] static std::expected<Policy, std::vector<Finding>> compile(
      std::vector<RuleFile> files, cel::Zones* zones);
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;
  ~Policy();

  class Scratch {
   public:
    Scratch();
    Scratch(Scratch&&) noexcept;
    Scratch& operator=(Scratch&&) noexcept;
    ~Scratch();

   private:
    friend class Policy;
    struct State;
    std::unique_ptr<State> state_;
  };

  [[nodiscard]] Decision decide(const Facts& facts, Scratch& scratch) const;
  // The same without index and without sharing: every condition as it was written. For tests, and
  // where not all facts are known.
  [[nodiscard]] Decision decide_plainly(const Facts& facts) const;

  [[nodiscard]] std::span<const RuleFile> files() const noexcept { return files_; }
  [[nodiscard]] std::size_t rules() const noexcept;
  // How many rules are looked at in every decision, because no part of theirs can be indexed.
  [[nodiscard]] std::size_t unindexed() const noexcept;
  // SHA-256 of the canonical form (docs/formats/policy.md).
  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }

 private:
  Policy();
  struct Compiled;
  struct CompiledRule;
  struct Verdict;
  [[nodiscard]] Decision conclude(const Facts& facts, std::vector<Verdict>& verdicts) const;
  [[nodiscard]] Verdict judge(std::uint32_t rule, Scratch::State& state) const;
  static void select_findings(const CompiledRule& rule, Scratch::State& state, Verdict& out);

  std::vector<RuleFile> files_;
  std::unique_ptr<Compiled> compiled_;
  Digest digest_{};
};

}  // namespace candor::policy
