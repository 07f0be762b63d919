#include "gateway/replay.h"

#include <algorithm>

#include <fmt/format.h>

#include "gateway/governance.h"
#include "gateway/inspection.h"

namespace candor::gateway {
namespace {

using policy::Effect;

Effect effect_of(std::string token) {
  std::ranges::replace(token, '-', ' ');
  return policy::effect_from(token).value_or(Effect::kDeny);
}

std::string action_line(const std::string& class_name, std::string_view action) {
  return class_name + ": " + std::string(action.empty() ? "none" : action);
}

bool is_rest(const ledger::PolicyDecision::Found& found) {  // entries.md: what comes beyond
  return found.detector == "+" || found.class_name == "+";
}

// "financial: redact -> none" for each class of which other things happened to as many.
std::vector<std::string> changes(const std::map<std::string, std::uint64_t>& before,
                                 const std::map<std::string, std::uint64_t>& after) {
  std::vector<std::string> out;
  for (const auto& [line, count] : before) {
    const auto now = after.find(line);
    if (now == after.end() || now->second != count) out.push_back("was " + line);
  }
  for (const auto& [line, count] : after) {
    const auto then = before.find(line);
    if (then == before.end() || then->second != count) out.push_back("now " + line);
  }
  return out;
}

}  // namespace

RecordedDecision recorded(const ledger::Intent& intent) {
  return {.phase = "request",
          .caller = intent.caller,
          .caller_known_by = intent.caller_known_by,
          .api = intent.api,
          .stream = intent.stream,
          .time_us = intent.at.time_us,
          .parameters = intent.parameters,
          .provenance = intent.provenance,
          .policy = intent.policy.value_or(ledger::PolicyDecision{})};
}

RecordedDecision recorded(const ledger::Decision& decision) {
  return {.phase = decision.phase,
          .caller = decision.caller,
          .caller_known_by = decision.caller_known_by,
          .api = decision.api,
          .stream = decision.stream,
          .time_us = decision.at.time_us,
          .parameters = std::nullopt,
          .provenance = std::nullopt,
          .policy = decision.policy};
}

policy::Facts recall(const RecordedDecision& recorded, const DetectorsById& detectors,
                     const NamesByPseudonym& names) {
  const ledger::PolicyDecision& held = recorded.policy;
  policy::Facts facts;
  facts.phase = recorded.phase;
  if (const auto name = names.find(recorded.caller); name != names.end()) {
    facts.caller.name = name->second;
  } else {
    facts.caller.name = recorded.caller;
    set_unknown(facts, "caller.name");
  }
  facts.caller.team = held.team;
  facts.caller.groups = held.groups;
  facts.caller.method = method_of(recorded.caller_known_by);
  facts.caller.purpose = held.purpose;
  facts.model.name = held.model;
  if (held.model.empty()) set_unknown(facts, "model.name");
  facts.model.local = held.local;
  facts.model.measured = held.local;  // what runs here is measured, and nothing else
  // Where a rule had sent it to another model, the provenance is that one's.
  if (recorded.provenance && recorded.provenance->model == held.model) {
    facts.model.digest = to_hex(recorded.provenance->weights);
  } else {
    set_unknown(facts, "model.digest");
  }
  facts.request.dialect = recorded.api;
  facts.request.stream = recorded.stream;
  facts.request.messages = static_cast<std::int64_t>(held.messages);
  facts.request.characters = static_cast<std::int64_t>(held.characters);
  if (held.tools != 0) set_unknown(facts, "request.tools");
  if (held.justified) {
    facts.request.justification = "given";
    set_unknown(facts, "request.justification");
  }
  if (held.approved) set_unknown(facts, "request.approved_by");
  if (recorded.parameters && recorded.parameters->max_tokens) {
    facts.request.max_tokens = *recorded.parameters->max_tokens;
  } else {
    set_unknown(facts, "request.max_tokens");
  }
  set_unknown(facts, "request.temperature");
  for (const char* path : {"budget.requests_left", "budget.tokens_left", "budget.seconds_left",
                           "budget.used_percent"}) {
    set_unknown(facts, path);
  }
  facts.place.network = held.network;
  facts.jurisdiction = held.jurisdictions;
  facts.time_us = recorded.time_us;
  for (const ledger::PolicyDecision::Found& found : held.findings) {
    policy::FoundFact fact{.detector = found.detector,
                           .class_name = found.class_name,
                           .severity = "",
                           .field = found.field,
                           .direction = recorded.phase,
                           .confidence = found.confidence,
                           .countries = {}};
    if (const auto known = detectors.find(found.detector); known != detectors.end()) {
      fact = fact_of(known->second, found.confidence, found.field, recorded.phase);
      fact.class_name = found.class_name;
    }
    for (std::uint32_t i = 0; i < found.count && facts.findings.size() < kMaxFindings; ++i) {
      facts.findings.push_back(fact);
    }
  }
  return facts;
}

Replay::Replay(const policy::Policy& policy, const DetectorsById& detectors,
               const NamesByPseudonym& names, std::int64_t since_us)
    : policy_(policy), detectors_(detectors), names_(names), since_us_(since_us) {}

void Replay::judge(Verdicts& verdicts, const RecordedDecision& recorded, const FoundAgain* again) {
  RecordedDecision now_known = recorded;
  if (again != nullptr) {
    now_known.policy.findings = recorded.phase == "answer" ? again->answer : again->request;
  }
  policy::Facts facts = recall(now_known, detectors_, names_);
  const std::size_t first = verdicts.facts.findings.size();
  if (recorded.phase == "answer") {  // decides on what was found in the request, too
    facts.findings.insert(facts.findings.begin(), verdicts.facts.findings.begin(),
                          verdicts.facts.findings.end());
  }
  if (again == nullptr && std::ranges::any_of(recorded.policy.findings, is_rest)) ++out_.truncated;
  for (const auto& found : recorded.policy.findings) {
    verdicts.actions_before[action_line(found.class_name, found.action)] += found.count;
    if (!is_rest(found) && !detectors_.contains(found.detector)) {
      ++out_.unknown_detectors[found.detector];
    }
  }
  const Effect before = effect_of(recorded.policy.effect);
  if (policy::stricter(before, verdicts.before)) verdicts.before = before;
  for (const std::string& rule : recorded.policy.rules) {
    if (std::ranges::find(verdicts.before_rules, rule) == verdicts.before_rules.end()) {
      verdicts.before_rules.push_back(rule);
    }
  }
  policy::Decision now = policy_.decide_plainly(facts);
  if (!recorded.policy.exceptions.empty()) {
    // The entry does not say from which rules: from those that fired and would have done more.
    for (const policy::Fired& fired : now.fired) {
      if (policy::stricter(fired.rule->effect, before) &&
          std::ranges::find(verdicts.before_rules, fired.rule->id) != verdicts.before_rules.end()) {
        facts.exceptions.push_back({.id = recorded.policy.exceptions.front(),
                                    .rule = fired.rule->id,
                                    .approved_by = "somebody"});
      }
    }
    now = policy_.decide_plainly(facts);
  }
  if (policy::stricter(now.effect, verdicts.after)) verdicts.after = now.effect;
  const policy::Explanation explained = explain(now, facts, policy::Language::kEnglish);
  for (const policy::ExplainedRule& rule : explained.rules) {
    if (rule.effect == "allow" || !rule.in_force) continue;
    if (std::ranges::find(verdicts.after_rules, rule.id) == verdicts.after_rules.end()) {
      verdicts.after_rules.push_back(rule.id);
    }
  }
  for (std::size_t i = first; i < facts.findings.size(); ++i) {
    const Effect action = i < now.on_findings.size() ? now.on_findings[i] : Effect::kAllow;
    const std::string token = action == Effect::kAllow ? "" : token_of(action);
    ++verdicts.actions_after[action_line(facts.findings[i].class_name, token)];
  }
  for (const policy::Rule* rule : now.undecided) {
    if (std::ranges::find(verdicts.undecided, rule->id) == verdicts.undecided.end()) {
      verdicts.undecided.push_back(rule->id);
    }
  }
  verdicts.facts = std::move(facts);
}

void Replay::take(std::uint64_t index, const ledger::Entry& entry, const FoundAgain* again) {
  if (const auto* intent = std::get_if<ledger::Intent>(&entry)) {
    if (intent->at.time_us < since_us_) return;
    if (!intent->policy) {
      ++out_.unjudged;
      return;
    }
    Verdicts verdicts;
    verdicts.index = index;
    verdicts.recorded = recorded(*intent);
    judge(verdicts, verdicts.recorded, again);
    if (again != nullptr) ++out_.reread;
    open_.insert_or_assign(intent->exchange, std::move(verdicts));
    return;
  }
  if (const auto* decision = std::get_if<ledger::Decision>(&entry)) {
    if (decision->phase == "request") {
      if (decision->at.time_us < since_us_) return;
      Verdicts verdicts;
      verdicts.index = index;
      verdicts.recorded = recorded(*decision);
      judge(verdicts, verdicts.recorded, nullptr);
      verdicts.answered = true;  // there was none
      close(std::move(verdicts), nullptr);
      return;
    }
    const auto open = open_.find(decision->exchange);
    if (open == open_.end()) return;
    RecordedDecision answer = recorded(*decision);
    answer.parameters = open->second.recorded.parameters;
    answer.provenance = open->second.recorded.provenance;
    open->second.answered = true;
    judge(open->second, answer, again);
    return;
  }
  if (const auto* outcome = std::get_if<ledger::Outcome>(&entry)) end(outcome->exchange, again);
  if (const auto* abort = std::get_if<ledger::Abort>(&entry)) end(abort->exchange, again);
}

void Replay::end(const Id128& exchange, const FoundAgain* again) {
  const auto open = open_.find(exchange);
  if (open == open_.end()) return;
  Verdicts verdicts = std::move(open->second);
  open_.erase(open);
  close(std::move(verdicts), again);
}

void Replay::close(Verdicts verdicts, const FoundAgain* again) {
  if (!verdicts.answered && !policy::refuses(verdicts.after)) {
    // Nothing was found in its answer; rules about answers may yet have something to say.
    RecordedDecision answer = verdicts.recorded;
    answer.phase = "answer";
    answer.policy.findings.clear();
    answer.policy.effect = "allow";
    answer.policy.rules.clear();
    judge(verdicts, answer, again);
  }
  ++out_.exchanges;
  if (!verdicts.undecided.empty()) ++out_.undecided;
  for (const std::string& rule : verdicts.undecided) ++out_.undecided_rules[rule];
  // What a refusal leaves of findings does not matter.
  const bool refused = policy::refuses(verdicts.before) && policy::refuses(verdicts.after);
  auto findings = refused ? std::vector<std::string>()
                          : changes(verdicts.actions_before, verdicts.actions_after);
  // What is only found now and left alone is treated as before.
  if (again != nullptr) {
    std::erase_if(findings, [](const std::string& line) { return line.ends_with(": none"); });
  }
  if (verdicts.before == verdicts.after && findings.empty()) return;
  ++out_.different;
  const auto name = names_.find(verdicts.recorded.caller);
  ReplayedGroup group{
      .caller = name == names_.end() ? verdicts.recorded.caller : name->second,
      .before = token_of(verdicts.before),
      .after = token_of(verdicts.after),
      .rules = verdicts.after == Effect::kAllow ? verdicts.before_rules : verdicts.after_rules,
      .findings = std::move(findings),
      .exchanges = 0,
      .first_index = verdicts.index};
  std::string key = group.caller + "\n" + group.before + "\n" + group.after + "\n";
  key += fmt::format("{}\n{}", fmt::join(group.rules, ","), fmt::join(group.findings, ","));
  ++groups_.try_emplace(std::move(key), std::move(group)).first->second.exchanges;
}

Replayed Replay::finish() {
  while (!open_.empty()) end(Id128(open_.begin()->first));
  for (auto& [key, group] : groups_) out_.groups.push_back(std::move(group));
  std::ranges::sort(out_.groups, [](const ReplayedGroup& a, const ReplayedGroup& b) {
    return a.exchanges != b.exchanges ? a.exchanges > b.exchanges : a.first_index < b.first_index;
  });
  return std::move(out_);
}

}  // namespace candor::gateway
