#include "policy/check.h"

#include <algorithm>

#include <fmt/format.h>

#include "policy/conjuncts.h"
#include "policy/internal/compile_rule.h"
#include "policy/policy.h"

namespace candor::policy {
namespace {

struct Examined {
  const RuleFile* file = nullptr;
  const Rule* rule = nullptr;
  RulePrograms programs;
};

Finding warning(const Examined& at, std::string kind, std::string message) {
  Finding out;
  out.severity = Finding::Severity::kWarning;
  out.kind = std::move(kind);
  out.file = at.file->origin;
  out.line = at.rule->line;
  out.rule = at.rule->id;
  out.message = std::move(message);
  return out;
}

// Whether `by` fires whenever `rule` does: its condition is a part of the other's.
bool fires_with(const Examined& rule, const Examined& by) {
  if (!by.file->jurisdiction.empty() && by.file->jurisdiction != rule.file->jurisdiction) {
    return false;
  }
  if (!implied_by(by.programs.when, {&rule.programs.when})) return false;
  if (!acts_on_findings(by.rule->effect)) return true;
  if (!acts_on_findings(rule.rule->effect)) return false;
  if (!by.programs.select) return true;
  return rule.programs.select && implied_by(*by.programs.select, {&*rule.programs.select});
}

// Whether the effect of `by` leaves nothing of the effect of `rule`, when both fire.
bool overrides(const Examined& by, const Examined& rule) {
  const Effect strict = by.rule->effect;
  const Effect other = rule.rule->effect;
  if (strict == Effect::kDeny) return other != Effect::kDeny;
  if (strict == Effect::kRoute) return other == Effect::kRoute && by.rule < rule.rule;
  return strict == Effect::kRedact && other == Effect::kPseudonymise;
}

bool same_effect(const Rule& a, const Rule& b) { return a.effect == b.effect && a.to == b.to; }

void check_constant(const Examined& one, std::vector<Finding>& findings) {
  const auto look = [&](const std::string& key, const Placed& text, const cel::Ast& written,
                        const cel::Program& program) {
    if (text.text.empty()) return;
    const auto add = [&](std::string message) {
      Finding out = warning(one, "constant", std::move(message));
      out.line = text.line;
      findings.push_back(std::move(out));
    };
    if (const auto value = constant_value(program)) {
      add(*value == Constant::kTrue
              ? fmt::format("{} is always true; leave it out if that is meant", key)
          : *value == Constant::kFalse
              ? fmt::format("{} is always false, so the rule never fires", key)
              : fmt::format("{} is always an error, which refuses every request", key));
      return;
    }
    if (const auto apart = contradiction(written)) {
      add(fmt::format("{} is never true: {} and {} exclude each other", key, apart->one,
                      apart->other));
    }
  };
  look("when", one.rule->when, one.programs.when, one.programs.when_program);
  if (one.programs.select) {
    look("select", one.rule->select, *one.programs.select, *one.programs.select_program);
  }
}

void check_pairs(const std::vector<Examined>& all, std::size_t i, std::vector<Finding>& findings) {
  const Examined& one = all[i];
  for (std::size_t j = 0; j < all.size(); ++j) {
    if (i == j) continue;
    const Examined& other = all[j];
    const bool with = fires_with(one, other);
    if (with && overrides(other, one)) {
      findings.push_back(warning(
          one, "unreachable",
          fmt::format("never has an effect: whenever it fires, so does {} ({}:{}), which overrides "
                      "it with {}",
                      other.rule->id, other.file->origin, other.rule->line,
                      to_string(other.rule->effect))));
      return;
    }
    if (j < i && with && same_effect(*one.rule, *other.rule) && fires_with(other, one)) {
      findings.push_back(warning(one, "duplicate",
                                 fmt::format("says the same as {} ({}:{})", other.rule->id,
                                             other.file->origin, other.rule->line)));
      return;
    }
  }
}

}  // namespace

std::vector<Finding> check(std::span<const RuleFile> files, cel::Zones* zones) {
  std::vector<Finding> findings;
  if (auto policy = Policy::compile({files.begin(), files.end()}, zones); !policy) {
    return std::move(policy).error();
  }
  std::vector<Examined> all;
  for (const RuleFile& file : files) {
    for (const Rule& rule : file.rules) {
      auto programs = compile_rule(file, rule, zones, findings);
      if (programs) all.push_back({&file, &rule, *std::move(programs)});
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    check_constant(all[i], findings);
    check_pairs(all, i, findings);
  }
  return findings;
}

}  // namespace candor::policy
