// candor policy explain: why something was decided (P9), from what the log holds and the text of
// the rules that were in force, which is kept under the digest that the entries name.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "log_folder.h"
#include "store/data_folder.h"
#include "verbs/policy_files.h"
#include "verbs/policy_log.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

struct Logged {
  std::uint64_t index = 0;
  ledger::Entry entry;
  gateway::RecordedDecision decision;
};

struct Explained {
  std::string exchange;
  std::vector<Logged> decisions;
  std::vector<policy::RuleFile> rules;
  std::string rules_missing;  // why there is no text of them, or ""
  std::string again;          // what the rules say when they are asked again
};

// Exchange and decision, of an entry that holds one.
std::optional<std::pair<Id128, gateway::RecordedDecision>> decision_of(const ledger::Entry& entry) {
  if (const auto* intent = std::get_if<ledger::Intent>(&entry); intent && intent->policy) {
    return std::pair(intent->exchange, gateway::recorded(*intent));
  }
  if (const auto* decision = std::get_if<ledger::Decision>(&entry)) {
    return std::pair(decision->exchange, gateway::recorded(*decision));
  }
  return std::nullopt;
}

Result<std::string> exchange_of(PublishedLog& log, const std::string& subject) {
  if (is_exchange_id(subject)) return subject;
  const auto index = parse_decimal(subject);
  if (!index) {
    return fail(Code::kInvalidArgument,
                "name an entry's index, or an exchange by its 32 hexadecimal digits");
  }
  const std::string text = TRY(log.entry(*index));
  const ledger::Entry entry = TRY(ledger::decode(text));
  const auto decision = decision_of(entry);
  if (decision) return to_hex(decision->first);
  return fail(Code::kNotFound, fmt::format("entry {} is of type {} and holds no decision; intents "
                                           "under a policy and decisions do",
                                           subject, ledger::type_name(entry)));
}

// The rules of that digest. kDataLoss: the kept text is another one.
Result<std::vector<policy::RuleFile>> kept_rules(const Context& context, const Digest& digest) {
  const std::string name = to_hex(digest) + ".json";
  auto text = read_text_file(store::DataPaths(context.data_dir()).policies() / name);
  if (!text) return std::unexpected(std::move(text).error());
  if (crypto::sha256(as_bytes(*text)) != digest) {
    return fail(Code::kDataLoss,
                "state/policies/" + name + " is not the text that decided: its digest is another");
  }
  return policy::read_canonical_form(*text);
}

// The rules, asked again about what the entries hold.
std::string ask_again(const Context& context, const Explained& explained) {
  cel::Zones zones(real_file_system());
  const auto policy = policy::Policy::compile(explained.rules, &zones);
  const auto detectors = detectors_in_force(context);
  if (!policy || !detectors) return "not asked again: rules or detectors do not load here";
  const gateway::NamesByPseudonym names = callers(context);
  gateway::Replay replay(*policy, *detectors, names);
  for (const Logged& one : explained.decisions) replay.take(one.index, one.entry);
  const gateway::Replayed now = replay.finish();
  std::string unknown;
  for (const auto& [rule, count] : now.undecided_rules)
    unknown += (unknown.empty() ? "" : ", ") + rule;
  const std::string but =
      unknown.empty() ? "" : "; of " + unknown + " it cannot be told from the log alone";
  if (now.different == 0) return "asked again about what the log holds, they decide the same" + but;
  return "asked again about what the log holds, they decide " + now.groups.front().after +
         (unknown.empty() ? ": the entries or the detectors are not what they were" : but);
}

Result<Explained> explain(const Context& context, const PolicyOptions& options) {
  if (options.log.empty()) (void)admin_call(context, "POST", "/v1/publish");
  PublishedLog log =
      TRY(PublishedLog::open(options.log.empty() ? context.data_dir() : Path(options.log)));
  Explained out;
  out.exchange = TRY(exchange_of(log, options.subject));
  for (std::uint64_t index = 0; index < log.head().size; ++index) {
    const std::string text = TRY(log.entry(index));
    if (!text.contains(out.exchange)) continue;
    auto entry = ledger::decode(text);
    if (!entry) continue;
    auto decision = decision_of(*entry);
    if (!decision || to_hex(decision->first) != out.exchange) continue;
    out.decisions.push_back({index, *std::move(entry), std::move(decision->second)});
  }
  if (out.decisions.empty()) {
    return fail(Code::kNotFound, "the log holds no decision about this exchange");
  }
  auto rules = kept_rules(context, out.decisions.front().decision.policy.policy);
  if (rules) {
    out.rules = *std::move(rules);
    out.again = ask_again(context, out);
  } else if (rules.error().code() == Code::kDataLoss) {
    return std::unexpected(rules.error());
  } else {
    out.rules_missing = rules.error().message();
  }
  return out;
}

json::Object rule_json(const std::string& id, const policy::Rule* rule, policy::Language language) {
  json::Object out;
  out["rule"] = id;
  if (rule == nullptr) return out;
  out["effect"] = to_string(rule->effect);
  out["when"] = rule->when.text;
  if (!rule->select.text.empty()) out["select"] = rule->select.text;
  out["reason"] = rule->message.in(language);
  out["instead"] = rule->instead.in(language);
  out["references"] = json::Array(rule->references.begin(), rule->references.end());
  out["break_glass"] = to_string(rule->break_glass);
  return out;
}

json::Object to_json(const Explained& explained, policy::Language language) {
  json::Array decisions;
  for (const Logged& one : explained.decisions) {
    const ledger::PolicyDecision& held = one.decision.policy;
    json::Array rules, found, exceptions;
    for (const std::string& id : held.rules) {
      rules.push_back(rule_json(id, policy::find_rule(explained.rules, id), language));
    }
    for (const auto& finding : held.findings) {
      found.push_back(json::Object{{"class", finding.class_name},
                                   {"detector", finding.detector},
                                   {"field", finding.field},
                                   {"confidence", finding.confidence},
                                   {"count", finding.count},
                                   {"action", finding.action}});
    }
    for (const Id128& id : held.exceptions) exceptions.emplace_back(to_hex(id));
    decisions.push_back(json::Object{{"index", one.index},
                                     {"phase", one.decision.phase},
                                     {"time", format_utc(one.decision.time_us)},
                                     {"caller", one.decision.caller},
                                     {"model", held.model},
                                     {"effect", held.effect},
                                     {"rules", std::move(rules)},
                                     {"findings", std::move(found)},
                                     {"exceptions", std::move(exceptions)},
                                     {"policy", to_hex(held.policy)}});
  }
  return json::Object{{"exchange", explained.exchange},
                      {"decisions", std::move(decisions)},
                      {"again", explained.again},
                      {"rules_missing", explained.rules_missing}};
}

void show_rule(const Output& out, const std::string& id, const policy::Rule* rule,
               policy::Language language) {
  const auto line = [&out](std::string_view label, const std::string& text) {
    if (!text.empty()) out.line(out.shown(fmt::format("    {:<10}{}", label, text)));
  };
  out.line("  rule " + out.style().bold(id) +
           (rule == nullptr ? "" : fmt::format(": {}", to_string(rule->effect))));
  if (rule == nullptr) return;
  line("when", rule->when.text.empty() ? "always" : rule->when.text);
  line("which", rule->select.text);
  line("why", rule->message.in(language));
  line("instead", rule->instead.in(language));
  line("refers to", fmt::format("{}", fmt::join(rule->references, "; ")));
}

void show(const Output& out, const Explained& explained, policy::Language language) {
  for (const Logged& one : explained.decisions) {
    const ledger::PolicyDecision& held = one.decision.policy;
    out.line(fmt::format("{}: {}  (entry {}, {}, exchange {})", one.decision.phase,
                         out.style().bold(held.effect), one.index,
                         format_utc(one.decision.time_us).substr(0, 19) + "Z", explained.exchange));
    out.line(fmt::format("  caller {}{}, known by {}, model {}, {}", one.decision.caller,
                         held.team.empty() ? "" : " of team " + held.team,
                         one.decision.caller_known_by, held.model.empty() ? "-" : held.model,
                         one.decision.api));
    for (const std::string& id : held.rules) {
      show_rule(out, id, policy::find_rule(explained.rules, id), language);
    }
    if (held.rules.empty()) out.line("  no rule fired");
    for (const auto& finding : held.findings) {
      out.line(fmt::format("  found {} ({}) in {}, {} time{}, confidence {}: {}",
                           finding.class_name, finding.detector, finding.field, finding.count,
                           finding.count == 1 ? "" : "s", finding.confidence,
                           finding.action.empty() ? "nothing done with it" : finding.action));
    }
    for (const Id128& id : held.exceptions) {
      out.line(out.style().caution("  under exception " + to_hex(id)));
    }
  }
  const std::string digest = to_hex(explained.decisions.front().decision.policy.policy);
  out.note(explained.rules_missing.empty()
               ? "rules sha256:" + digest + ", whose kept text has that digest; " + explained.again
               : "the text of rules sha256:" + digest + " is not here: " + explained.rules_missing);
}

}  // namespace

int run_policy_explain(const Context& context, const PolicyOptions& options) {
  const Output& out = context.out();
  const auto explained = explain(context, options);
  if (!explained) return report(out, explained.error());
  const policy::Language language =
      context.config().policy.german ? policy::Language::kGerman : policy::Language::kEnglish;
  if (out.json()) {
    out.document(to_json(*explained, language));
  } else {
    show(out, *explained, language);
  }
  return kExitDone;
}

}  // namespace candor::cli
