#include "verbs/scan_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "context.h"
#include "verbs/sarif.h"

namespace candor::cli {
namespace {

std::string_view level(dlp::Severity severity) {
  switch (severity) {
    case dlp::Severity::kLow: return "note";
    case dlp::Severity::kMedium: return "warning";
    case dlp::Severity::kHigh:
    case dlp::Severity::kCritical: return "error";
  }
  return "warning";
}

json::Array texts(const std::vector<std::string>& list) {
  json::Array out;
  for (const std::string& item : list) out.emplace_back(item);
  return out;
}

// Valid UTF-8 for JSON: what is not becomes U+FFFD.
std::string clean(std::string_view text) {
  std::string quoted;
  json::append_string(quoted, text);
  const auto value = json::parse(quoted);
  if (!value || !value->is_string()) return "";
  return {value->get_string().data(), value->get_string().size()};
}

}  // namespace

void add_findings(ScanReport& report, const std::string& path, std::string_view text,
                  const std::vector<dlp::Finding>& findings, bool show) {
  // One walk over the text: findings come in order and do not overlap.
  std::size_t at = 0;
  ScanPlace place;
  const auto walk = [&](std::size_t to) {
    for (; at < to; ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte == '\n') {
        ++place.line;
        place.column = 1;
      } else if ((byte & 0xC0U) != 0x80) {
        ++place.column;
      }
    }
    return place;
  };
  for (const dlp::Finding& finding : findings) {
    ScanFinding one{path, finding, {}, {}, {}};
    one.begin = walk(finding.begin);
    one.end = walk(finding.end);
    if (show) one.value = text.substr(finding.begin, finding.end - finding.begin);
    report.findings.push_back(std::move(one));
  }
}

void print_report(const Output& out, const ScanReport& report,
                  const std::vector<dlp::Detector>& detectors) {
  std::vector<std::vector<std::string>> rows;
  bool values = false;
  for (const ScanFinding& one : report.findings) {
    const dlp::Detector& detector = detectors[one.finding.detector];
    std::string what = detector.id;
    if (one.finding.layer != dlp::Layer::kPlain) {
      what += fmt::format(" (in {})", dlp::to_string(one.finding.layer));
    }
    rows.push_back({out.shown(fmt::format("{}:{}:{}", one.path, one.begin.line, one.begin.column)),
                    detector.class_name, std::move(what), std::string(to_string(detector.severity)),
                    std::to_string(one.finding.confidence)});
    if (!one.value.empty()) {
      values = true;
      std::string value = out.shown(one.value);
      std::ranges::replace(value, '\n', ' ');
      rows.back().push_back(std::move(value));
    }
  }
  std::vector<std::string> head = {"PLACE", "CLASS", "DETECTOR", "SEVERITY", "CONFIDENCE"};
  if (values) head.emplace_back("VALUE");
  if (!rows.empty()) out.table(head, rows);
  for (const ScanSkipped& skipped : report.skipped) {
    out.note(out.shown("not scanned: " + skipped.path + ": " + skipped.reason));
  }
  out.note(fmt::format("{} finding{} in {} file{}, {} bytes", report.findings.size(),
                       report.findings.size() == 1 ? "" : "s", report.files,
                       report.files == 1 ? "" : "s", report.bytes));
}

json::Object report_json(const ScanReport& report, const std::vector<dlp::Detector>& detectors) {
  json::Array findings;
  for (const ScanFinding& one : report.findings) {
    const dlp::Detector& detector = detectors[one.finding.detector];
    json::Object object;
    object["path"] = clean(one.path);
    object["line"] = one.begin.line;
    object["column"] = one.begin.column;
    object["end_line"] = one.end.line;
    object["end_column"] = one.end.column;
    object["begin"] = one.finding.begin;
    object["end"] = one.finding.end;
    object["detector"] = detector.id;
    object["class"] = detector.class_name;
    object["severity"] = std::string(to_string(detector.severity));
    object["confidence"] = one.finding.confidence;
    object["layer"] = std::string(dlp::to_string(one.finding.layer));
    if (!one.value.empty()) object["value"] = clean(one.value);
    findings.push_back(std::move(object));
  }
  json::Array skipped;
  for (const ScanSkipped& one : report.skipped) {
    json::Object object;
    object["path"] = clean(one.path);
    object["reason"] = one.reason;
    skipped.push_back(std::move(object));
  }
  json::Object all;
  all["files"] = report.files;
  all["bytes"] = report.bytes;
  all["findings"] = std::move(findings);
  all["skipped"] = std::move(skipped);
  return all;
}

json::Object report_sarif(const ScanReport& report, const std::vector<dlp::Detector>& detectors,
                          std::string_view version) {
  json::Array rules;
  for (const dlp::Detector& detector : detectors) {
    json::Object rule;
    rule["id"] = detector.id;
    rule["shortDescription"] = json::Object{{"text", detector.name}};
    rule["defaultConfiguration"] = json::Object{{"level", std::string(level(detector.severity))}};
    rule["properties"] = json::Object{{"class", detector.class_name},
                                      {"severity", std::string(to_string(detector.severity))}};
    rules.push_back(std::move(rule));
  }
  json::Array results;
  for (const ScanFinding& one : report.findings) {
    const dlp::Detector& detector = detectors[one.finding.detector];
    json::Object region;
    region["startLine"] = one.begin.line;
    region["startColumn"] = one.begin.column;
    region["endLine"] = one.end.line;
    region["endColumn"] = one.end.column;
    region["byteOffset"] = one.finding.begin;
    region["byteLength"] = one.finding.end - one.finding.begin;
    if (!one.value.empty()) region["snippet"] = json::Object{{"text", clean(one.value)}};
    json::Object location;
    location["physicalLocation"] =
        json::Object{{"artifactLocation", json::Object{{"uri", sarif_uri(one.path)}}},
                     {"region", std::move(region)}};
    json::Object result;
    result["ruleId"] = detector.id;
    result["ruleIndex"] = one.finding.detector;
    result["level"] = std::string(level(detector.severity));
    result["message"] = json::Object{{"text", detector.name + " (" + detector.class_name + ")"}};
    result["locations"] = json::Array{std::move(location)};
    result["properties"] = json::Object{{"confidence", one.finding.confidence},
                                        {"layer", std::string(dlp::to_string(one.finding.layer))}};
    results.push_back(std::move(result));
  }
  return sarif_document("candor scan", version, std::move(rules), std::move(results));
}

void print_detectors(const Output& out, const std::vector<dlp::Detector>& detectors) {
  if (out.json()) {
    json::Array list;
    for (const dlp::Detector& detector : detectors) {
      json::Object object;
      object["id"] = detector.id;
      object["name"] = detector.name;
      object["class"] = detector.class_name;
      object["pack"] = detector.pack;
      object["severity"] = std::string(to_string(detector.severity));
      object["countries"] = texts(detector.countries);
      object["validator"] = detector.validator;
      object["stream"] = std::string(to_string(detector.stream));
      object["max_span"] = detector.max_span;
      list.push_back(std::move(object));
    }
    json::Object all;
    all["detectors"] = std::move(list);
    out.document(all);
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const dlp::Detector& detector : detectors) {
    std::string countries;
    for (const std::string& country : detector.countries) {
      countries += (countries.empty() ? "" : " ") + country;
    }
    rows.push_back({out.shown(detector.id), out.shown(detector.class_name),
                    std::string(to_string(detector.severity)), countries,
                    out.shown(detector.name)});
  }
  out.table({"DETECTOR", "CLASS", "SEVERITY", "COUNTRIES", "WHAT"}, rows);
}

}  // namespace candor::cli
