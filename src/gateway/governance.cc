#include "gateway/governance.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "json/json.h"

namespace candor::gateway {
namespace {

using policy::Effect;

constexpr std::size_t kMaxRulesShown = 64;    // docs/formats/entries.md
constexpr std::size_t kMaxFoundGroups = 128;  // likewise
constexpr std::size_t kMaxExceptionsShown = 16;
constexpr std::size_t kMaxGroupsShown = 32;
constexpr std::size_t kMaxJurisdictionsShown = 16;

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:/@+-").contains(c);
  });
}

std::string label_or_empty(const std::string& text) { return is_label(text) ? text : ""; }

std::vector<std::string> labels_of(const std::vector<std::string>& texts, std::size_t most) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    if (out.size() < most && is_label(text)) out.push_back(text);
  }
  return out;
}

std::string trimmed(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string action_token(Effect effect) { return effect == Effect::kAllow ? "" : token_of(effect); }

}  // namespace

std::string token_of(Effect effect) {
  std::string out(policy::to_string(effect));
  std::ranges::replace(out, ' ', '-');
  return out;
}

std::string method_of(std::string_view known_by) {
  if (known_by == "api_key") return "key";
  if (known_by == "unix_socket" || known_by == "loopback") return "os_user";
  return std::string(known_by);
}

policy::Decision Governance::decide(Rulebook::Desk& desk) {
  policy::Decision decision = book_->policy().decide(facts_, desk.decide);
  // What was done with an earlier finding is done: its text may have been forwarded or released.
  for (std::size_t i = actions_.size(); i < decision.on_findings.size(); ++i) {
    actions_.push_back(decision.on_findings[i]);
  }
  Phase& phase = answering_ ? answer_ : request_;
  policy::Explanation explained = policy::explain(decision, facts_, language_);
  for (const policy::ExplainedRule& rule : explained.rules) {
    if (std::ranges::find(phase.rules, rule.id, &policy::ExplainedRule::id) == phase.rules.end()) {
      phase.rules.push_back(rule);
    }
  }
  for (const policy::Fired& fired : decision.fired) {
    if (fired.exception != nullptr &&
        std::ranges::find(phase.exceptions, fired.exception->id, &policy::ExceptionFact::id) ==
            phase.exceptions.end()) {
      phase.exceptions.push_back(*fired.exception);
    }
  }
  if (!phase.effect || policy::stricter(decision.effect, *phase.effect)) {
    phase.effect = decision.effect;
    phase.strictest = std::move(explained);
  }
  return decision;
}

void Governance::add_external(Effect effect, const std::string& reason, bool failed) {
  const bool german = language_ == policy::Language::kGerman;
  policy::ExplainedRule rule{.id = "external",
                             .policy = "external",
                             .effect = std::string(policy::to_string(effect)),
                             .reason = reason,
                             .instead = {},
                             .references = {}};
  if (failed) {
    rule.reason = german ? "Die Entscheidungsstelle, die gefragt wird, gab keine Antwort: " + reason
                         : "The decision point that is asked gave no answer: " + reason;
    rule.instead =
        german ? "Fragen Sie in einem Augenblick noch einmal, oder sagen Sie es dem Betrieb."
               : "Ask again in a moment, or tell the operator.";
  } else if (reason.empty()) {
    rule.reason = german ? "Eine andere Entscheidungsstelle hat es so entschieden."
                         : "Another decision point decided so.";
  }
  request_.rules.push_back(rule);
  if (!request_.effect || policy::stricter(effect, *request_.effect)) {
    request_.effect = effect;
    request_.strictest.effect = effect;
    request_.strictest.headline = policy::headline(effect, language_);
    std::erase_if(request_.strictest.rules,
                  [](const policy::ExplainedRule& one) { return one.effect == "allow"; });
    request_.strictest.rules.insert(request_.strictest.rules.begin(), rule);
  }
}

void Governance::begin_answer() {
  answering_ = true;
  first_of_answer_ = facts_.findings.size();
  facts_.phase = "answer";
}

void Governance::give_up() {
  answer_.effect = Effect::kDeny;
  answer_.strictest = {};
  answer_.strictest.effect = Effect::kDeny;
  answer_.strictest.headline =
      language_ == policy::Language::kGerman
          ? "Die Antwort endet hier: es wurde mehr darin gefunden, als einzeln geprüft werden kann."
          : "The answer ends here: more was found in it than can be looked at one by one.";
}

std::optional<ledger::PolicyDecision> Governance::record() const {
  const Phase& phase = answering_ ? answer_ : request_;
  if (!phase.effect) return std::nullopt;
  if (answering_ && first_of_answer_ == facts_.findings.size() &&
      std::ranges::all_of(phase.rules, [this](const policy::ExplainedRule& rule) {
        return std::ranges::find(request_.rules, rule.id, &policy::ExplainedRule::id) !=
               request_.rules.end();
      })) {
    return std::nullopt;
  }
  ledger::PolicyDecision out;
  out.policy = book_->policy().digest();
  out.effect = token_of(*phase.effect);
  for (const policy::ExplainedRule& rule : phase.rules) {
    if (out.rules.size() < kMaxRulesShown) out.rules.push_back(rule.id);
  }
  std::map<std::tuple<std::string, std::string, std::string, int, std::string>, std::uint32_t>
      groups;
  for (std::size_t i = first_of_answer_; i < facts_.findings.size(); ++i) {
    const policy::FoundFact& fact = facts_.findings[i];
    const std::string action = i < actions_.size() ? action_token(actions_[i]) : "";
    auto key = std::tuple(fact.class_name, fact.detector, fact.field,
                          static_cast<int>(fact.confidence), action);
    if (!groups.contains(key) && groups.size() + 1 >= kMaxFoundGroups) {
      key = std::tuple(fact.class_name, "+", "+", 0, action);
      if (!groups.contains(key) && groups.size() >= kMaxFoundGroups) {
        key = std::tuple("+", "+", "+", 0, "");
      }
    }
    ++groups[key];
  }
  for (const auto& [key, count] : groups) {
    if (out.findings.size() == kMaxFoundGroups) break;
    out.findings.push_back({.action = std::get<4>(key),
                            .class_name = std::get<0>(key),
                            .detector = std::get<1>(key),
                            .confidence = std::get<3>(key),
                            .count = count,
                            .field = std::get<2>(key)});
  }
  for (const policy::ExceptionFact& one : phase.exceptions) {
    if (out.exceptions.size() < kMaxExceptionsShown) out.exceptions.push_back(one.id);
  }
  out.model = label_or_empty(facts_.model.name);
  out.local = facts_.model.local;
  out.groups = labels_of(facts_.caller.groups, kMaxGroupsShown);
  out.jurisdictions = labels_of(facts_.jurisdiction, kMaxJurisdictionsShown);
  out.team = label_or_empty(facts_.caller.team);
  out.purpose = label_or_empty(facts_.caller.purpose);
  out.network = facts_.place.network;
  out.messages = static_cast<std::uint64_t>(facts_.request.messages);
  out.characters = static_cast<std::uint64_t>(facts_.request.characters);
  out.tools = static_cast<std::uint32_t>(facts_.request.tools.size());
  out.justified = !facts_.request.justification.empty();
  out.approved = std::ranges::any_of(
      phase.exceptions, [](const policy::ExceptionFact& one) { return !one.approved_by.empty(); });
  return out;
}

std::string Governance::sentence() const {
  const Phase& phase = answering_ ? answer_ : request_;
  return trimmed(policy::to_text(phase.strictest, language_));
}

std::string Governance::note(std::string_view choice) const {
  policy::Explanation told;
  for (std::size_t i = 0; i < facts_.findings.size() && i < actions_.size(); ++i) {
    const bool asked = i < first_of_answer_;
    if (actions_[i] == Effect::kAllow || (!asked && !facts_.findings[i].field.starts_with(choice)))
      continue;
    if (told.found.empty() || policy::stricter(actions_[i], told.effect)) told.effect = actions_[i];
    told.found.push_back({facts_.findings[i].class_name, facts_.findings[i].field,
                          std::string(policy::to_string(actions_[i]))});
  }
  if (told.found.empty()) return {};
  told.headline = policy::headline(told.effect, language_);
  for (const Phase* phase : {&request_, &answer_}) {
    for (const policy::ExplainedRule& rule : phase->rules) {
      const auto acted =
          std::ranges::find(told.found, rule.effect, &policy::ExplainedFinding::action);
      const auto known = std::ranges::find(told.rules, rule.id, &policy::ExplainedRule::id);
      if (acted != told.found.end() && known == told.rules.end()) told.rules.push_back(rule);
    }
  }
  return trimmed(policy::to_text(told, language_));
}

std::string Governance::how_to_approve() const {
  const Phase& phase = answering_ ? answer_ : request_;
  const auto rule =
      std::ranges::find(phase.strictest.rules, true, &policy::ExplainedRule::in_force);
  const std::string id = rule == phase.strictest.rules.end() ? "RULE" : rule->id;
  if (language_ == policy::Language::kGerman) {
    return "\nDer Betrieb kann dafür eine Ausnahme öffnen (candor exception open --rule " + id +
           "), die eine zweite Person bestätigt.";
  }
  return "\nThe operator can open an exception (candor exception open --rule " + id +
         "), which a second person approves.";
}

std::string Governance::how_to_justify() const {
  return language_ == policy::Language::kGerman
             ? "\nGeben Sie den Grund im Header Candor-Justification an."
             : "\nSay why in the header Candor-Justification.";
}

std::string Governance::notice() const {
  json::Array rules;
  json::Array found;
  Effect effect = Effect::kAllow;
  for (const Phase* phase : {&request_, &answer_}) {
    if (!phase->effect) continue;
    if (policy::stricter(*phase->effect, effect)) effect = *phase->effect;
    for (const policy::ExplainedRule& rule : phase->rules) {
      if (rule.effect == policy::to_string(Effect::kAllow)) continue;
      json::Object one;
      one["rule"] = rule.id;
      one["effect"] = rule.effect;
      one["reason"] = rule.reason;
      if (!rule.instead.empty()) one["instead"] = rule.instead;
      one["page"] = "/console/rules/" + rule.id;
      if (!rule.exception.empty()) one["exception"] = rule.exception;
      if (std::ranges::find(rules, json::Value(one)) == rules.end()) {
        rules.emplace_back(std::move(one));
      }
    }
  }
  if (rules.empty()) return {};
  for (std::size_t i = 0; i < facts_.findings.size() && i < actions_.size(); ++i) {
    if (actions_[i] == Effect::kAllow) continue;
    json::Object one;
    one["class"] = facts_.findings[i].class_name;
    one["field"] = facts_.findings[i].field;
    one["action"] = policy::to_string(actions_[i]);
    if (std::ranges::find(found, json::Value(one)) == found.end()) {
      found.emplace_back(std::move(one));
    }
  }
  json::Object out;
  out["effect"] = policy::to_string(effect);
  out["rules"] = std::move(rules);
  if (!found.empty()) out["found"] = std::move(found);
  out["policy"] = to_hex(book_->policy().digest());
  return json::to_text(json::Value(std::move(out)));
}

}  // namespace candor::gateway
