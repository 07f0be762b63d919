#include "policy/explain.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "base/text.h"

namespace candor::policy {
namespace {

// One text in both languages.
struct Both {
  std::string_view english, german;
  [[nodiscard]] std::string in(Language language) const {
    return std::string(language == Language::kGerman ? german : english);
  }
};

// In Effect's order.
constexpr std::array<Both, kEffects> kHeadlines{
    Both{"This was stopped by a rule.", "Das wurde durch eine Regel gestoppt."},
    Both{"This needs somebody else's approval first.",
         "Dafür ist zuerst die Zustimmung einer anderen Person nötig."},
    Both{"This needs a reason first.", "Dafür ist zuerst eine Begründung nötig."},
    Both{"Another model answers this.", "Darauf antwortet ein anderes Modell."},
    Both{"Parts of the text were masked.", "Teile des Textes wurden unkenntlich gemacht."},
    Both{"Parts of the text were replaced by stand-ins.",
         "Teile des Textes wurden durch Platzhalter ersetzt."},
    Both{"The answer is marked as made by a machine.",
         "Die Antwort ist als maschinell erzeugt gekennzeichnet."},
    Both{"Please note what a rule says about this.",
         "Bitte beachten Sie, was eine Regel dazu sagt."},
    Both{"This is allowed.", "Das ist erlaubt."}};
constexpr Both kFailed{"This was stopped because a rule could not be evaluated.",
                       "Das wurde gestoppt, weil eine Regel nicht ausgewertet werden konnte."};
constexpr Both kDefault{"This was stopped because no rule allows it.",
                        "Das wurde gestoppt, weil keine Regel es erlaubt."};
constexpr Both kAskOwner{"Ask whoever looks after the rules.",
                         "Wenden Sie sich an die Verantwortlichen für die Regeln."};
constexpr Both kFailedReason{
    "The rule has no result for this request ({}); then nothing is let through.",
    "Die Regel hat für diese Anfrage kein Ergebnis ({}); dann wird nichts "
    "durchgelassen."};
constexpr Both kDefaultReason{"The policy {} refuses what none of its rules allows.",
                              "Die Richtlinie {} verweigert, was keine ihrer Regeln erlaubt."};
constexpr Both kAction[] = {{"masked", "unkenntlich gemacht"}, {"replaced", "ersetzt"}};
constexpr Both kFoundLabel{"Found", "Gefunden"};
constexpr Both kInsteadLabel{"Instead", "Stattdessen"};
constexpr Both kRuleLabel{"Rule", "Regel"};

// An effect leaves nothing of another where docs/formats/policy.md says that they conflict.
bool in_force(const Fired& fired, const Decision& decision) {
  if (!fired.counts()) return false;
  const Effect effect = fired.rule->effect;
  if (decision.effect == Effect::kDeny) return effect == Effect::kDeny;
  if (effect == Effect::kRoute) return decision.route == &fired.rule->to;
  if (!acts_on_findings(effect)) return true;
  return std::ranges::any_of(fired.findings,
                             [&](std::uint32_t i) { return decision.on_findings[i] == effect; });
}

}  // namespace

std::string headline(Effect effect, Language language) {
  return kHeadlines[static_cast<std::size_t>(effect)].in(language);
}

Explanation explain(const Decision& decision, const Facts& facts, Language language) {
  Explanation out;
  out.effect = decision.effect;
  out.policy = to_hex(decision.policy);
  const bool denied_by_rule = std::ranges::any_of(decision.fired, [](const Fired& fired) {
    return fired.counts() && fired.rule->effect == Effect::kDeny;
  });
  out.headline = headline(decision.effect, language);
  if (!denied_by_rule && !decision.failed.empty()) {
    out.headline = kFailed.in(language);
  } else if (!denied_by_rule && decision.refused_by_default != nullptr) {
    out.headline = kDefault.in(language);
  }
  for (const Fired& fired : decision.fired) {
    out.rules.push_back(
        {fired.rule->id, fired.file->name, std::string(to_string(fired.rule->effect)),
         fired.rule->message.in(language), fired.rule->instead.in(language), fired.rule->references,
         in_force(fired, decision), fired.exception == nullptr ? "" : to_hex(fired.exception->id)});
  }
  for (const Failed& failed : decision.failed) {
    out.rules.push_back(
        {failed.rule->id,
         "",
         "deny",
         fmt::format(fmt::runtime(kFailedReason.in(language)), cel::to_string(failed.fault)),
         kAskOwner.in(language),
         {},
         true});
  }
  if (decision.refused_by_default != nullptr) {
    const std::string& name = decision.refused_by_default->name;
    out.rules.push_back({name + ".default",
                         name,
                         "deny",
                         fmt::format(fmt::runtime(kDefaultReason.in(language)), name),
                         kAskOwner.in(language),
                         {},
                         true});
  }
  for (std::size_t i = 0; i < facts.findings.size(); ++i) {
    // Nothing is done with the parts of what is refused.
    const Effect action = !refuses(decision.effect) && i < decision.on_findings.size()
                              ? decision.on_findings[i]
                              : Effect::kAllow;
    out.found.push_back({strip_controls(facts.findings[i].class_name),
                         strip_controls(facts.findings[i].field),
                         action == Effect::kAllow ? "" : std::string(to_string(action))});
  }
  const auto deciding = std::ranges::find(out.rules, true, &ExplainedRule::in_force);
  if (deciding != out.rules.end()) out.link = "/console/rules/" + deciding->id;
  return out;
}

std::string to_text(const Explanation& explanation, Language language) {
  std::string out = explanation.headline + "\n";
  std::vector<std::string> instead;
  for (const ExplainedRule& rule : explanation.rules) {
    if (!rule.in_force) continue;
    out += fmt::format("- {}", rule.reason.empty() ? rule.effect : rule.reason);
    out += fmt::format(" [{} {}", kRuleLabel.in(language), rule.id);
    if (!rule.references.empty()) out += fmt::format("; {}", fmt::join(rule.references, "; "));
    out += "]\n";
    if (!rule.instead.empty() && std::ranges::find(instead, rule.instead) == instead.end()) {
      instead.push_back(rule.instead);
    }
  }
  // One line for each class and place, however often.
  std::vector<std::string> found;
  for (const ExplainedFinding& one : explanation.found) {
    std::string line = fmt::format("{} ({})", one.class_name, one.field);
    if (!one.action.empty()) {
      line += fmt::format(", {}", kAction[one.action == "redact" ? 0 : 1].in(language));
    }
    if (std::ranges::find(found, line) == found.end()) found.push_back(std::move(line));
  }
  if (!found.empty())
    out += fmt::format("{}: {}\n", kFoundLabel.in(language), fmt::join(found, "; "));
  for (const std::string& one : instead) {
    out += fmt::format("{}: {}\n", kInsteadLabel.in(language), one);
  }
  return out;
}

}  // namespace candor::policy
