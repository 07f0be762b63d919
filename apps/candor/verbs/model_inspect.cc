// candor model inspect: one file before the gate, in the sandbox it would be loaded from. No
// configuration and no server.
#include <fmt/format.h>

#include "base/check.h"
#include "verbs/model_gate.h"
#include "verbs/sarif.h"
#include "verbs/verbs.h"

namespace candor::cli {
namespace {

using model::GateFinding;
using model::GateReport;
using model::GateSeverity;

std::string_view sarif_level(GateSeverity severity) {
  switch (severity) {
    case GateSeverity::kNote: return "note";
    case GateSeverity::kWarning: return "warning";
    case GateSeverity::kError:
    case GateSeverity::kFatal: return "error";
  }
  return "error";
}

json::Object sarif_result(const GateReport& report, const GateFinding& finding,
                          std::string_view uri) {
  const auto& rules = model::gate_rules();
  json::Object region;
  // A template's lines are the file's only where the file is the template.
  if (finding.place.line != 0 && report.format == "template") {
    region["startLine"] = finding.place.line;
    region["startColumn"] = finding.place.column;
  }
  if (finding.place.offset) region["byteOffset"] = *finding.place.offset;
  json::Object physical;
  physical["artifactLocation"] = json::Object{{"uri", std::string(uri)}};
  if (!region.empty()) physical["region"] = std::move(region);
  json::Object location;
  location["physicalLocation"] = std::move(physical);
  if (!finding.place.name.empty()) {
    location["logicalLocations"] = json::Array{json::Object{{"name", finding.place.name}}};
  }
  json::Object result;
  result["ruleId"] = finding.id;
  result["ruleIndex"] = model::find_gate_rule(finding.id) - rules.data();
  result["level"] = std::string(sarif_level(finding.severity));
  result["message"] = json::Object{{"text", model::describe(finding)}};
  result["locations"] = json::Array{std::move(location)};
  result["properties"] =
      json::Object{{"severity", std::string(model::to_string(finding.severity))}};
  return result;
}

json::Object sarif(const GateReport& report, std::string_view path) {
  json::Array rules;
  for (const model::GateRule& rule : model::gate_rules()) {
    json::Object one;
    one["id"] = std::string(rule.id);
    one["shortDescription"] = json::Object{{"text", std::string(rule.meaning)}};
    one["help"] = json::Object{{"text", std::string(rule.remedy)}};
    one["defaultConfiguration"] = json::Object{{"level", std::string(sarif_level(rule.severity))}};
    rules.push_back(std::move(one));
  }
  json::Array results;
  const std::string uri = sarif_uri(path);
  for (const GateFinding& finding : report.findings) {
    results.push_back(sarif_result(report, finding, uri));
  }
  return sarif_document("candor model inspect", kVersion, std::move(rules), std::move(results));
}

void print_facts(const Output& out, const GateReport& report) {
  const auto fact = [&out](std::string_view what, const std::string& value) {
    if (!value.empty()) out.line(fmt::format("{:<14}{}", what, out.shown(value)));
  };
  fact("format", fmt::format("{}, {} bytes", report.format, report.file_bytes));
  fact("architecture", report.architecture);
  fact("name", report.name);
  fact("licence", report.licence);
  fact("licence name", report.licence_name);
  fact("licence text", report.licence_link);
  std::string languages;
  for (const std::string& one : report.languages) {
    languages.append(languages.empty() ? "" : ", ").append(one);
  }
  fact("languages", languages);
}

void print(const Output& out, const GateReport& report) {
  print_facts(out, report);
  std::vector<std::vector<std::string>> rows;
  for (const GateFinding& finding : report.findings) {
    const model::GateRule* rule = model::find_gate_rule(finding.id);
    std::string meaning(rule->meaning);
    if (!finding.detail.empty()) meaning += " (" + finding.detail + ")";
    rows.push_back({std::string(model::to_string(finding.severity)), finding.id,
                    out.shown(model::describe(finding.place)), out.shown(meaning)});
  }
  if (!rows.empty()) {
    out.line();
    out.table({"SEVERITY", "FINDING", "PLACE", "WHAT"}, rows);
    out.line();
  }
  if (report.withheld > 0) out.line(fmt::format("{} further findings", report.withheld));
  const GateFinding* worst = report.worst();
  if (report.passes()) {
    out.line("passes the gate");
  } else {
    const model::GateRule* rule = model::find_gate_rule(worst->id);
    out.line(fmt::format("does not pass the gate: {}; {}", worst->id, rule->remedy));
  }
}

}  // namespace

int run_model_inspect(const InspectOptions& options) {
  const Output out({.json = options.json, .raw = options.raw});
  const auto inspection =
      judge_file(options.file,
                 options.values ? engine::InspectDepth::kValues : engine::InspectDepth::kMetadata);
  if (!inspection) return report(out, inspection.error());
  const GateReport& gate = inspection->report;
  if (options.sarif) {
    out.document(sarif(gate, options.file));
  } else if (out.json()) {
    const auto line = model::to_json(gate);
    if (!line) return report(out, line.error());
    const auto value = json::parse(*line);
    if (!value) return report(out, value.error());
    out.document(*value);
  } else {
    print(out, gate);
  }
  return gate.passes() ? kExitDone : kExitFindings;
}

}  // namespace candor::cli
