#include "policy/cases.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.h"
#include "cel/time.h"
#include "policy/internal/table_reader.h"

namespace candor::policy {
namespace {

std::vector<std::string_view> paths_from(std::string_view prefix) {
  std::vector<std::string_view> out;
  for (const FactRow& row : fact_rows()) {
    if (row.path.starts_with(prefix)) out.push_back(row.path);
  }
  return out;
}

class CaseReader {
 public:
  CaseReader(const std::string& origin, std::vector<Finding>& findings)
      : origin_(origin), findings_(findings) {}

  CaseFile run(std::string_view toml) {
    CaseFile out;
    out.origin = origin_;
    const auto parsed = read_table(toml, origin_, findings_);
    if (!parsed) return out;
    TableReader file(*parsed, 1, origin_, findings_);
    file.expect_format();
    out.policies = file.texts("policies");
    if (const config::TomlValue* cases = file.take("case")) {
      if (const auto* list = file.tables(*cases, "cases are written [[case]], with two brackets")) {
        for (const config::TomlValue& one : *list) out.cases.push_back(read_case(one));
      }
    }
    file.finish();
    return out;
  }

 private:
  PolicyCase read_case(const config::TomlValue& value) {
    PolicyCase out;
    out.line = value.line;
    TableReader in(*value.table(), value.line, origin_, findings_);
    out.name = in.text("name", true).text;
    in.rule = out.name;
    if (const config::TomlValue* given = in.take("given")) {
      if (const config::TomlTable* table = given->table()) {
        read_facts(*table, "", in, out.facts);
      } else {
        in.report(given->line, "given is a table of values, such as given.caller.team = \"hr\"");
      }
    }
    const config::TomlValue* expected = in.take("expect");
    const config::TomlTable* table = expected == nullptr ? nullptr : expected->table();
    if (table == nullptr) {
      in.report(value.line, "expect.effect is missing");
    } else {
      read_expected(*table, expected->line, in.rule, out);
    }
    in.finish();
    return out;
  }

  void read_expected(const config::TomlTable& table, std::uint32_t line, const std::string& name,
                     PolicyCase& out) {
    TableReader in(table, line, origin_, findings_);
    in.rule = name;
    const Placed effect = in.text("effect", true);
    if (const auto known = effect_from(effect.text)) {
      out.effect = *known;
    } else if (!effect.text.empty()) {
      in.report(effect.line, "no such effect");
    }
    if (in.take("rules") != nullptr) out.rules = in.texts("rules");
    if (in.take("findings") != nullptr) out.findings = in.texts("findings");
    if (in.take("route") != nullptr) out.route = in.text("route", false).text;
    in.finish();
  }

  void read_facts(const config::TomlTable& table, const std::string& prefix, TableReader& report,
                  Facts& facts) {
    for (const config::TomlMember& member : table) {
      const std::string path = prefix + member.name;
      const auto row = std::ranges::find(fact_rows(), path, &FactRow::path);
      if (row == fact_rows().end()) {
        if (member.value.table() != nullptr && !paths_from(path + ".").empty()) {
          read_facts(*member.value.table(), path + ".", report, facts);
        } else {
          unknown(path, member.value.line, paths_from(""), report);
        }
        continue;
      }
      if (path == "time") {
        const std::string* text = member.value.text();
        const auto time = text == nullptr ? std::nullopt : cel::parse_timestamp(*text);
        if (!time) {
          report.report(member.value.line, "time is a text such as \"2026-11-25T09:30:00Z\"");
        } else {
          facts.time_us = time->seconds * 1'000'000 + time->nanos / 1'000;
        }
        continue;
      }
      set(row->in(facts), member.value, path, report);
    }
  }

  static void unknown(const std::string& path, std::uint32_t line,
                      std::vector<std::string_view> known, TableReader& report) {
    report.report(line, fmt::format("there is no value {}", strip_controls(path)),
                  std::string(nearest_name(path, known)));
  }

  static void set(const FactRef& ref, const config::TomlValue& value, const std::string& path,
                  TableReader& report) {
    const auto wrong = [&](std::string_view wanted) {
      report.report(value.line, fmt::format("{} is {}", path, wanted));
    };
    if (auto* const* text = std::get_if<std::string*>(&ref)) {
      if (value.text() == nullptr) return wrong("a text");
      **text = *value.text();
    } else if (auto* const* number = std::get_if<std::int64_t*>(&ref)) {
      if (value.integer() == nullptr) return wrong("an integer");
      **number = *value.integer();
    } else if (auto* const* flag = std::get_if<bool*>(&ref)) {
      if (value.flag() == nullptr) return wrong("true or false");
      **flag = *value.flag();
    } else if (auto* const* real = std::get_if<double*>(&ref)) {
      if (value.integer() != nullptr) {
        **real = static_cast<double>(*value.integer());
        return;
      }
      const std::string* decimal = value.text();
      const bool good =
          decimal != nullptr && !decimal->empty() &&
          std::from_chars(decimal->data(), decimal->data() + decimal->size(), **real).ptr ==
              decimal->data() + decimal->size();
      if (!good) return wrong("a number, fractions as text: \"0.7\"");
    } else if (auto* const* texts = std::get_if<Texts*>(&ref)) {
      const config::TomlArray* list = value.array();
      if (list == nullptr || !std::ranges::all_of(*list, [](const config::TomlValue& item) {
            return item.text() != nullptr;
          })) {
        return wrong("a list of texts");
      }
      for (const config::TomlValue& item : *list) (*texts)->push_back(*item.text());
    } else {
      const config::TomlArray* list = value.array();
      if (list == nullptr) return wrong("a list of findings");
      for (const config::TomlValue& item : *list) {
        FoundFact found;
        if (item.table() == nullptr) return wrong("a list of findings");
        for (const config::TomlMember& member : *item.table()) {
          const auto row = std::ranges::find(finding_rows(), member.name, &FindingRow::field);
          if (row == finding_rows().end()) {
            std::vector<std::string_view> known;
            for (const FindingRow& one : finding_rows()) known.push_back(one.field);
            unknown(member.name, member.value.line, known, report);
          } else {
            set(row->in(found), member.value, member.name, report);
          }
        }
        std::get<std::vector<FoundFact>*>(ref)->push_back(std::move(found));
      }
    }
  }

  const std::string& origin_;
  std::vector<Finding>& findings_;
};

std::string joined(std::vector<std::string> names) {
  std::ranges::sort(names);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

CaseFile read_case_file(std::string_view toml, const std::string& origin,
                        std::vector<Finding>& findings) {
  return CaseReader(origin, findings).run(toml);
}

std::string run_case(const PolicyCase& one, const Policy& policy, Policy::Scratch& scratch) {
  return differences(one, policy.decide(one.facts, scratch));
}

std::string differences(const PolicyCase& one, const Decision& decision) {
  std::vector<std::string> wrong;
  const auto compare = [&](std::string_view what, const std::string& wanted,
                           const std::string& got) {
    if (wanted != got) wrong.push_back(fmt::format("{}: {} expected, {} came", what, wanted, got));
  };
  compare("effect", std::string(to_string(one.effect)), std::string(to_string(decision.effect)));
  std::vector<std::string> fired;
  for (const Fired& rule : decision.fired) fired.push_back(rule.rule->id);
  if (one.rules) compare("rules", joined(*one.rules), joined(fired));
  for (const Failed& failed : decision.failed) {
    wrong.push_back(
        fmt::format("rule {} has no result: {}", failed.rule->id, cel::to_string(failed.fault)));
  }
  if (one.route) compare("route", *one.route, decision.route == nullptr ? "" : *decision.route);
  if (one.findings) {
    std::vector<std::string> actions;
    for (const Effect effect : decision.on_findings) {
      actions.emplace_back(effect == Effect::kAllow ? "" : to_string(effect));
    }
    compare("findings", fmt::format("[{}]", fmt::join(*one.findings, ", ")),
            fmt::format("[{}]", fmt::join(actions, ", ")));
  }
  return fmt::format("{}", fmt::join(wrong, "; "));
}

}  // namespace candor::policy
