#include "policy/policy.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/check.h"
#include "crypto/hash.h"
#include "policy/conjuncts.h"
#include "policy/internal/compile_rule.h"
#include "policy/internal/flat_comparison.h"
#include "policy/internal/index.h"

namespace candor::policy {
namespace {

enum class Truth : std::uint8_t { kUnknown, kTrue, kFalse, kError };

struct Part {
  Truth truth = Truth::kUnknown;
  cel::Fault fault = cel::Fault::kNoOverload;
  std::uint32_t decision = 0;  // in which it was evaluated
  std::uint64_t cost = 0;
};

constexpr std::uint64_t kFlatCost = 3;  // of a comparison: itself and its two sides

Part part_of(const cel::Outcome& outcome) {
  Part out{Truth::kError, cel::Fault::kNoOverload, 0, outcome.cost};
  if (outcome.value.is(cel::Kind::kBool)) {
    out.truth = outcome.value.truth ? Truth::kTrue : Truth::kFalse;
  } else if (outcome.value.is_error()) {
    out.fault = outcome.value.fault;
  }
  return out;
}

void add_error(std::vector<Finding>& findings, std::string kind, const RuleFile& file,
               const Rule& rule, std::string message) {
  Finding out;
  out.kind = std::move(kind);
  out.file = file.origin;
  out.line = rule.line;
  out.rule = rule.id;
  out.message = std::move(message);
  findings.push_back(std::move(out));
}

// An approval that a rule asks for is an exception that somebody else has approved.
const ExceptionFact* exception_from(const Rule& rule, const Facts& facts) {
  if (rule.break_glass == BreakGlass::kNever) return nullptr;
  for (const ExceptionFact& one : facts.exceptions) {
    const bool approved = !one.approved_by.empty() && one.approved_by != facts.caller.name;
    if (one.rule == rule.id && (approved || !needs_approval(rule))) return &one;
  }
  return nullptr;
}

}  // namespace

struct Policy::CompiledRule {
  const Rule* rule = nullptr;
  const RuleFile* file = nullptr;
  std::vector<std::uint32_t> parts;  // of its condition, all of which must hold
  std::optional<cel::Program> select;
  cel::Program when;  // whole, for decide_plainly
};

struct Policy::Compiled {
  std::vector<CompiledRule> rules;
  std::vector<cel::Program> parts;
  std::vector<std::optional<FlatComparison>> flat;  // of the parts
  // Of each rule the comparison that fewest facts pass, side by side: most rules end here.
  std::vector<std::optional<FlatComparison>> gates;
  Index index;
};

struct Policy::Verdict {
  std::uint32_t rule = 0;
  Part part;
  std::vector<std::uint32_t> findings;
};

struct Policy::Scratch::State {
  cel::Arena arena;
  std::vector<Part> parts;
  std::vector<std::uint8_t> marks;
  std::vector<std::uint32_t> candidates;
  std::vector<Verdict> verdicts;
  std::span<cel::Value> slots;
  std::uint32_t decision = 0;  // how many there were, so that parts need not be reset
  std::uint64_t cost = 0;
};

Policy::Policy() = default;
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;
Policy::~Policy() = default;
Policy::Scratch::Scratch() : state_(std::make_unique<State>()) {}
Policy::Scratch::Scratch(Scratch&&) noexcept = default;
Policy::Scratch& Policy::Scratch::operator=(Scratch&&) noexcept = default;
Policy::Scratch::~Scratch() = default;

std::size_t Policy::rules() const noexcept { return compiled_->rules.size(); }
std::size_t Policy::unindexed() const noexcept { return compiled_->index.always(); }

std::expected<Policy, std::vector<Finding>> Policy::compile(std::vector<RuleFile> files,
                                                            cel::Zones* zones) {
  std::vector<Finding> findings;
  Policy out;
  out.files_ = std::move(files);
  out.compiled_ = std::make_unique<Compiled>();
  Compiled& made = *out.compiled_;
  std::map<std::string, std::uint32_t> known_parts;
  std::map<std::string, std::pair<const RuleFile*, const Rule*>> known_rules;
  std::map<std::string, const RuleFile*> known_files;
  std::vector<std::vector<Need>> needs;
  std::vector<bool> on_findings;
  const cel::CompileOptions options{
      .checking = cel::Checking::kStrict, .result = cel::TypeKind::kBool, .zones = zones};

  const auto part = [&](const std::string& spelling) {
    const auto known = known_parts.find(spelling);
    if (known != known_parts.end()) return known->second;
    auto program = cel::compile(environment(), spelling, options);
    CANDOR_CHECK(program.has_value());  // a part of what was checked, in its one spelling
    made.parts.push_back(*std::move(program));
    return known_parts[spelling] = static_cast<std::uint32_t>(made.parts.size() - 1);
  };

  for (const RuleFile& file : out.files_) {
    if (const auto [known, fresh] = known_files.try_emplace(file.name, &file); !fresh) {
      Finding twice;
      twice.kind = "duplicate";
      twice.file = file.origin;
      twice.message = fmt::format("{} is the policy {} too", known->second->origin, file.name);
      findings.push_back(std::move(twice));
    }
    for (const Rule& rule : file.rules) {
      if (const auto [known, fresh] = known_rules.try_emplace(rule.id, &file, &rule); !fresh) {
        add_error(findings, "duplicate", file, rule,
                  fmt::format("the rule at {}:{} has this id too", known->second.first->origin,
                              known->second.second->line));
      }
      auto programs = compile_rule(file, rule, zones, findings);
      if (!programs) continue;
      CompiledRule one{
          &rule, &file, {}, std::move(programs->select_program), std::move(programs->when_program)};
      if (!file.jurisdiction.empty()) {
        cel::Ast literal;
        cel::Node node;
        node.literal = cel::Value::of_text(file.jurisdiction);
        literal.nodes.push_back(node);
        one.parts.push_back(part(cel::print(literal, 0) + " in jurisdiction"));
      }
      for (const std::string& spelling : conjuncts(programs->when)) {
        one.parts.push_back(part(spelling));
      }
      std::vector<Need> rule_needs;
      for (const std::uint32_t id : one.parts) {
        if (auto need = need_of(made.parts[id])) rule_needs.push_back(*std::move(need));
      }
      if (one.select) {
        const ItemVariable item{finding_slot(), findings_slot()};
        if (auto need = need_of(*one.select, item)) rule_needs.push_back(*std::move(need));
      }
      needs.push_back(std::move(rule_needs));
      on_findings.push_back(acts_on_findings(rule.effect));
      made.rules.push_back(std::move(one));
    }
  }
  made.flat.reserve(made.parts.size());
  for (const cel::Program& program : made.parts) made.flat.push_back(FlatComparison::of(program));
  for (CompiledRule& rule : made.rules) {  // the cheap and narrow ones first
    std::ranges::sort(rule.parts, {}, [&](std::uint32_t id) {
      const auto& flat = made.flat[id];
      return std::pair(flat ? flat->breadth() : 9, id);
    });
    made.gates.push_back(rule.parts.empty() ? std::nullopt : made.flat[rule.parts.front()]);
  }
  if (!findings.empty()) return std::unexpected(std::move(findings));
  made.index.build(needs, on_findings);
  out.digest_ = crypto::sha256(as_bytes(canonical_form(out.files_)));
  return out;
}

Policy::Verdict Policy::judge(std::uint32_t rule, Scratch::State& state) const {
  const CompiledRule& compiled = compiled_->rules[rule];
  Verdict out{rule, {Truth::kTrue}, {}};
  const auto fails = [&](cel::Fault fault) {
    out.part.truth = Truth::kError;
    out.part.fault = fault;
  };
  for (const std::uint32_t id : compiled.parts) {
    Part& part = state.parts[id];
    if (part.decision != state.decision) {
      if (const auto& flat = compiled_->flat[id]) {
        part = {flat->holds(state.slots) ? Truth::kTrue : Truth::kFalse, {}, 0, kFlatCost};
      } else {
        part = part_of(
            compiled_->parts[id].evaluate(state.slots, {.max_cost = kMaxRuleCost}, state.arena));
      }
      part.decision = state.decision;
      state.cost += part.cost;
    }
    if (part.truth == Truth::kFalse) {
      out.part.truth = Truth::kFalse;
      return out;
    }
    out.part.cost += part.cost;
    if (part.truth == Truth::kError && out.part.truth != Truth::kError) fails(part.fault);
  }
  if (out.part.cost > kMaxRuleCost) fails(cel::Fault::kCost);
  if (acts_on_findings(compiled.rule->effect)) select_findings(compiled, state, out);
  return out;
}

// A rule that acts on findings holds only if it selects some, as if that were one more part.
void Policy::select_findings(const CompiledRule& rule, Scratch::State& state, Verdict& out) {
  const std::span<const cel::Value> found = state.slots[findings_slot()].list_items();
  for (std::uint32_t i = 0; i < found.size(); ++i) {
    Part part{Truth::kTrue};
    if (rule.select) {
      state.slots[finding_slot()] = found[i];
      part = part_of(rule.select->evaluate(state.slots, {.max_cost = kMaxRuleCost}, state.arena));
      state.cost += part.cost;
      out.part.cost += part.cost;
      if (out.part.cost > kMaxRuleCost) {
        part = {Truth::kError, cel::Fault::kCost, 0, 0};
      }
    }
    if (part.truth == Truth::kError) {
      out.part.truth = Truth::kError;
      out.part.fault = part.fault;
      return;
    }
    if (part.truth == Truth::kTrue) out.findings.push_back(i);
  }
  if (out.findings.empty()) out.part.truth = Truth::kFalse;
}

Decision Policy::decide(const Facts& facts, Scratch& scratch) const {
  if (facts.unknown.any()) return decide_plainly(facts);
  Scratch::State& state = *scratch.state_;
  state.arena.reset();
  if (++state.decision == 0) state.parts.clear();  // every 2^32 decisions
  state.decision = std::max(state.decision, 1U);
  state.parts.resize(compiled_->parts.size());
  state.marks.resize(compiled_->rules.size());
  state.candidates.clear();
  state.verdicts.clear();
  state.cost = 0;
  state.slots = bind(facts, state.arena);
  compiled_->index.candidates(state.slots, !facts.findings.empty(), state.marks, state.candidates);
  for (const std::uint32_t rule : state.candidates) {
    if (const auto& gate = compiled_->gates[rule]; gate && !gate->holds(state.slots)) continue;
    Verdict verdict = judge(rule, state);
    const bool too_costly = state.cost > kMaxDecisionCost;
    if (too_costly) verdict.part = {Truth::kError, cel::Fault::kCost, 0, 0};
    if (verdict.part.truth != Truth::kFalse) state.verdicts.push_back(std::move(verdict));
    if (too_costly) break;  // refused, whatever the rest would say
  }
  return conclude(facts, state.verdicts);
}

Decision Policy::decide_plainly(const Facts& facts) const {
  std::vector<Verdict> verdicts;
  for (std::uint32_t rule = 0; rule < compiled_->rules.size(); ++rule) {
    const CompiledRule& compiled = compiled_->rules[rule];
    if (!compiled.file->jurisdiction.empty() &&
        std::ranges::find(facts.jurisdiction, compiled.file->jurisdiction) ==
            facts.jurisdiction.end()) {
      continue;
    }
    Scratch::State state;
    state.slots = bind(facts, state.arena);
    Verdict verdict{
        rule,
        part_of(compiled.when.evaluate(state.slots, {.max_cost = kMaxRuleCost}, state.arena)),
        {}};
    if (verdict.part.truth != Truth::kFalse && acts_on_findings(compiled.rule->effect)) {
      select_findings(compiled, state, verdict);
    }
    if (verdict.part.truth != Truth::kFalse) verdicts.push_back(std::move(verdict));
  }
  return conclude(facts, verdicts);
}

Decision Policy::conclude(const Facts& facts, std::vector<Verdict>& verdicts) const {
  Decision out;
  out.policy = digest_;
  std::ranges::sort(verdicts, [&](const Verdict& a, const Verdict& b) {
    const Effect x = compiled_->rules[a.rule].rule->effect;
    const Effect y = compiled_->rules[b.rule].rule->effect;
    return x != y ? stricter(x, y) : a.rule < b.rule;
  });
  out.fired.reserve(verdicts.size());
  out.on_findings.assign(facts.findings.size(), Effect::kAllow);
  const auto take = [&](Effect effect) {
    if (stricter(effect, out.effect)) out.effect = effect;
  };
  for (Verdict& verdict : verdicts) {
    const CompiledRule& compiled = compiled_->rules[verdict.rule];
    if (verdict.part.truth == Truth::kError && verdict.part.fault == cel::Fault::kNoName &&
        facts.unknown.any()) {
      out.undecided.push_back(compiled.rule);
      continue;
    }
    if (verdict.part.truth == Truth::kError) {
      out.failed.push_back({compiled.rule, verdict.part.fault});
      take(Effect::kDeny);
      continue;
    }
    const Effect effect = compiled.rule->effect;
    Fired fired{compiled.rule, compiled.file, std::move(verdict.findings), false,
                exception_from(*compiled.rule, facts)};
    if (effect == Effect::kRequireJustification) fired.met = !facts.request.justification.empty();
    if (effect == Effect::kRequireApproval) {
      fired.met =
          !facts.request.approved_by.empty() && facts.request.approved_by != facts.caller.name;
    }
    if (fired.counts()) {
      if (effect == Effect::kRoute && out.route == nullptr) out.route = &compiled.rule->to;
      if (effect == Effect::kRequireMarking) out.marking = true;
      for (const std::uint32_t i : fired.findings) {
        if (stricter(effect, out.on_findings[i])) out.on_findings[i] = effect;
      }
      take(effect);
    }
    out.fired.push_back(std::move(fired));
  }
  for (const RuleFile& file : files_) {
    if (file.otherwise != Effect::kDeny) continue;
    const bool applies =
        file.jurisdiction.empty() ||
        std::ranges::find(facts.jurisdiction, file.jurisdiction) != facts.jurisdiction.end();
    const bool allowed = std::ranges::any_of(out.fired, [&](const Fired& fired) {
      return fired.file == &file && fired.rule->effect == Effect::kAllow;
    });
    if (!applies || allowed) continue;
    if (out.refused_by_default == nullptr) out.refused_by_default = &file;
    take(Effect::kDeny);
  }
  return out;
}

}  // namespace candor::policy
