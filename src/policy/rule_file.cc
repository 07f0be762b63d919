#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "policy/internal/table_reader.h"
#include "policy/rule.h"

namespace candor::policy {
namespace {

constexpr std::size_t kLongestName = 100;
constexpr std::size_t kLongestMessage = 1'000;
constexpr std::size_t kMostRules = 10'000;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

bool is_message(std::string_view text) {
  return text.size() <= kLongestMessage && strip_controls(text) == text;
}

class FileReader {
 public:
  FileReader(std::string_view toml, const std::string& origin, std::vector<Finding>& findings)
      : toml_(toml), origin_(origin), findings_(findings) {}

  RuleFile run() {
    RuleFile out;
    out.origin = origin_;
    const auto parsed = read_table(toml_, origin_, findings_);
    if (!parsed) return out;
    TableReader file(*parsed, 1, origin_, findings_);
    file.expect_format();
    out.name = file.text("policy", true).text;
    if (!out.name.empty() && !is_name(out.name)) {
      file.report(1, "policy is a name of a-z, 0-9 and . _ -");
    }
    out.jurisdiction = file.text("jurisdiction", false).text;
    if (const Placed otherwise = file.text("default", false); !otherwise.text.empty()) {
      const auto effect = effect_from(otherwise.text);
      if (effect == Effect::kDeny || effect == Effect::kAllow) {
        out.otherwise = *effect;
      } else {
        file.report(otherwise.line, "default is \"allow\" or \"deny\"");
      }
    }
    if (const config::TomlValue* rules = file.take("rule")) read_rules(*rules, file, out);
    file.finish();
    return out;
  }

 private:
  void read_rules(const config::TomlValue& value, TableReader& file, RuleFile& out) {
    const auto* rules = file.tables(value, "rules are written [[rule]], with two brackets");
    if (rules == nullptr) return;
    if (rules->size() > kMostRules) {
      file.report(value.line, fmt::format("more than {} rules", kMostRules));
      return;
    }
    for (const config::TomlValue& rule : *rules) out.rules.push_back(read_rule(rule));
  }

  Placed expression(TableReader& in, std::string_view key) {
    Placed placed = in.text(key, false);
    if (!placed.text.empty()) placed.line = first_line(toml_, placed.line);
    return placed;
  }

  Rule read_rule(const config::TomlValue& value) {
    Rule rule;
    rule.line = value.line;
    TableReader in(*value.table(), value.line, origin_, findings_);
    rule.id = in.text("id", true).text;
    if (!rule.id.empty() && !is_name(rule.id)) {
      in.report(value.line, "id is a name of a-z, 0-9 and . _ -");
    }
    in.rule = rule.id;
    const Placed effect = in.text("effect", true);
    if (const auto known = effect_from(effect.text)) {
      rule.effect = *known;
    } else if (!effect.text.empty()) {
      report_effect(in, effect);
    }
    if (const Placed broken = in.text("break_glass", false); !broken.text.empty()) {
      if (const auto known = break_glass_from(broken.text)) {
        rule.break_glass = *known;
      } else {
        in.report(broken.line, "break_glass is one of approved, alone, never");
      }
    }
    rule.when = expression(in, "when");
    rule.select = expression(in, "select");
    const Placed to = in.text("to", rule.effect == Effect::kRoute);
    rule.to = to.text;
    // People are told of everything but what is allowed anyway.
    rule.message = in.message("message", rule.effect != Effect::kAllow);
    rule.instead = in.message("instead", false);
    rule.references = in.texts("references");
    in.finish();
    if (!to.text.empty() && rule.effect != Effect::kRoute) {
      in.report(to.line, "to belongs to effect = \"route\" alone");
    }
    if (!rule.select.text.empty() && !acts_on_findings(rule.effect)) {
      in.report(rule.select.line, "select belongs to redact and pseudonymise alone; use when");
    }
    for (const std::string* text : {&rule.message.english, &rule.message.german,
                                    &rule.instead.english, &rule.instead.german, &rule.to}) {
      if (!is_message(*text)) {
        in.report(value.line, fmt::format("a text for people has at most {} bytes and no controls",
                                          kLongestMessage));
      }
    }
    return rule;
  }

  static void report_effect(TableReader& in, const Placed& effect) {
    std::vector<std::string_view> names;
    for (int i = 0; i < kEffects; ++i) names.push_back(to_string(static_cast<Effect>(i)));
    in.report(effect.line, fmt::format("effect is one of {}", fmt::join(names, ", ")),
              std::string(nearest_name(effect.text, names)));
  }

  std::string_view toml_;
  const std::string& origin_;
  std::vector<Finding>& findings_;
};

}  // namespace

RuleFile read_rule_file(std::string_view toml, const std::string& origin,
                        std::vector<Finding>& findings) {
  return FileReader(toml, origin, findings).run();
}

const Rule* find_rule(std::span<const RuleFile> files, std::string_view id) noexcept {
  for (const RuleFile& file : files) {
    const auto rule = std::ranges::find(file.rules, id, &Rule::id);
    if (rule != file.rules.end()) return &*rule;
  }
  return nullptr;
}

std::string to_text(const Finding& finding) {
  std::string out = finding.file;
  if (finding.line > 0) out += fmt::format(":{}", finding.line);
  if (finding.column > 0) out += fmt::format(":{}", finding.column);
  if (!out.empty()) out += ": ";
  out += finding.severity == Finding::Severity::kError ? "error: " : "warning: ";
  if (!finding.rule.empty()) out += fmt::format("rule {}: ", finding.rule);
  out += finding.message;
  if (!finding.suggestion.empty()) out += fmt::format("; did you mean {}?", finding.suggestion);
  std::string_view excerpt = finding.excerpt;
  while (!excerpt.empty()) {
    const std::size_t end = std::min(excerpt.find('\n'), excerpt.size());
    out += fmt::format("\n    {}", excerpt.substr(0, end));
    excerpt.remove_prefix(std::min(end + 1, excerpt.size()));
  }
  return strip_controls(out);
}

}  // namespace candor::policy
