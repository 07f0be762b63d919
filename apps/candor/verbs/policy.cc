// candor policy check, test: rules before anybody depends on them. Neither needs a server or a
// configuration.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "policy/cases.h"
#include "policy/check.h"
#include "verbs/policy_files.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

namespace fs = std::filesystem;
using policy::Finding;
using policy::RuleFile;

constexpr int kExitWarnings = 3;  // usable, but a rule cannot do what it says

json::Object to_json(const Finding& finding) {
  json::Object out;
  out["severity"] = finding.severity == Finding::Severity::kError ? "error" : "warning";
  out["kind"] = finding.kind;
  out["file"] = finding.file;
  out["line"] = finding.line;
  out["column"] = finding.column;
  out["rule"] = finding.rule;
  out["message"] = finding.message;
  out["suggestion"] = finding.suggestion;
  out["excerpt"] = finding.excerpt;
  return out;
}

struct CaseResult {
  std::string file, name, failure;
};

// What one case file came to. Rules that fired in some case are added to covered.
Result<std::vector<CaseResult>> run_cases(const fs::path& path, cel::Zones& zones,
                                          std::vector<Finding>& findings,
                                          std::set<std::string>& rules,
                                          std::set<std::string>& covered) {
  const std::string text = TRY(read_text_file(path, kMaxFileBytes));
  policy::CaseFile cases = policy::read_case_file(text, path.string(), findings);
  if (cases.policies.empty()) {  // the rules of the same name beside it
    const std::string name = path.filename().string();
    cases.policies.push_back(name.substr(0, name.size() - kCases.size()) + ".toml");
  }
  std::vector<RuleFile> files;
  for (const std::string& file : cases.policies) {
    files.push_back(TRY(read_rules(path.parent_path() / file, findings)));
  }
  if (has_errors(findings)) return std::vector<CaseResult>{};
  auto compiled = policy::Policy::compile(std::move(files), &zones);
  if (!compiled) {
    findings.insert(findings.end(), compiled.error().begin(), compiled.error().end());
    return std::vector<CaseResult>{};
  }
  for (const RuleFile& file : compiled->files()) {
    for (const policy::Rule& rule : file.rules) rules.insert(rule.id);
  }
  policy::Policy::Scratch scratch;
  std::vector<CaseResult> results;
  for (const policy::PolicyCase& one : cases.cases) {
    const policy::Decision decision = compiled->decide(one.facts, scratch);
    results.push_back({path.string(), one.name, policy::differences(one, decision)});
    for (const policy::Fired& fired : decision.fired) covered.insert(fired.rule->id);
  }
  return results;
}

json::Array names(const std::set<std::string>& all, const std::set<std::string>& without) {
  json::Array out;
  for (const std::string& name : all) {
    if (!without.contains(name)) out.emplace_back(name);
  }
  return out;
}

}  // namespace

int run_policy_check(const Output& out, const PolicyOptions& options) {
  std::vector<Finding> findings;
  std::vector<RuleFile> files;
  for (const std::string& path : options.paths) {
    const auto paths = files_of(path, false);
    if (!paths) return report(out, paths.error());
    for (const fs::path& file : *paths) {
      auto rules = read_rules(file, findings);
      if (!rules) return report(out, rules.error());
      files.push_back(*std::move(rules));
    }
  }
  cel::Zones zones(real_file_system());
  std::string digest;
  std::size_t rules = 0;
  for (const RuleFile& file : files) rules += file.rules.size();
  if (!has_errors(findings)) {
    findings = policy::check(files, &zones);
    if (auto compiled = policy::Policy::compile(files, &zones)) digest = to_hex(compiled->digest());
  }
  const bool errors = has_errors(findings);
  if (out.json()) {
    json::Array list;
    for (const Finding& finding : findings) list.push_back(to_json(finding));
    json::Object document;
    document["files"] = files.size();
    document["rules"] = rules;
    document["usable"] = !errors;
    document["digest"] = digest;
    document["findings"] = std::move(list);
    out.document(document);
  } else {
    show(out, findings);
    const std::string counts = fmt::format("{} rule{} in {} file{}", rules, rules == 1 ? "" : "s",
                                           files.size(), files.size() == 1 ? "" : "s");
    out.line(errors ? fmt::format("{}: not usable", counts)
                    : fmt::format("{}, digest sha256:{}", counts, digest));
  }
  return errors ? kExitUsage : findings.empty() ? kExitDone : kExitWarnings;
}

int run_policy_test(const Output& out, const PolicyOptions& options) {
  cel::Zones zones(real_file_system());
  std::vector<Finding> findings;
  std::vector<CaseResult> results;
  std::set<std::string> rules;
  std::set<std::string> covered;
  for (const std::string& path : options.paths) {
    fs::path beside = path;
    if (!fs::is_directory(beside) && !is_cases(beside)) {
      beside.replace_extension(fs::path(kCases));
    }
    const auto files = files_of(beside, true);
    if (!files) return report(out, files.error());
    for (const fs::path& file : *files) {
      auto ran = run_cases(file, zones, findings, rules, covered);
      if (!ran) return report(out, ran.error());
      results.insert(results.end(), ran->begin(), ran->end());
    }
  }
  const auto failed = static_cast<std::size_t>(std::ranges::count_if(
      results, [](const CaseResult& result) { return !result.failure.empty(); }));
  const json::Array uncovered = names(rules, covered);
  if (out.json()) {
    json::Array list;
    for (const CaseResult& result : results) {
      list.push_back(json::Object{{"file", result.file},
                                  {"case", result.name},
                                  {"passed", result.failure.empty()},
                                  {"failure", result.failure}});
    }
    json::Array problems;
    for (const Finding& finding : findings) problems.push_back(to_json(finding));
    out.document(json::Object{{"passed", results.size() - failed},
                              {"failed", failed},
                              {"cases", std::move(list)},
                              {"rules_in_no_case", uncovered},
                              {"findings", std::move(problems)}});
  } else {
    show(out, findings);
    for (const CaseResult& result : results) {
      if (result.failure.empty()) continue;
      out.line(out.style().bad(out.shown(
          fmt::format("FAILED {}: {}\n    {}", result.file, result.name, result.failure))));
    }
    for (const json::Value& rule : uncovered) {
      out.line(out.style().faint(fmt::format("no case lets {} fire", rule.as_string().c_str())));
    }
    out.line(fmt::format("{} passed, {} failed", results.size() - failed, failed));
  }
  if (has_errors(findings)) return kExitUsage;
  if (results.empty()) return exit_code(Code::kNotFound);
  return failed == 0 ? kExitDone : kExitFails;
}

}  // namespace candor::cli
