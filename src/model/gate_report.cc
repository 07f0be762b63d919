#include "model/gate_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "base/text.h"
#include "json/json.h"

namespace candor::model {
namespace {

constexpr std::string_view kType = "candor.gate/1";
constexpr std::uint64_t kMaxNumber = (1ULL << 53U) - 1;
constexpr std::string_view kFormats[] = {"gguf", "safetensors", "pickle", "template", "unknown"};

std::unexpected<Error> bad(std::string_view what) {
  return fail(Code::kInvalidArgument, "gate report: " + std::string(what));
}

std::string_view verdict(const GateReport& report) { return report.passes() ? "pass" : "fail"; }

json::Object finding_json(const GateFinding& finding) {
  const GateRule* rule = find_gate_rule(finding.id);
  CANDOR_CHECK(rule != nullptr);
  json::Object place;
  if (finding.place.line != 0) {
    place["column"] = finding.place.column;
    place["line"] = finding.place.line;
  }
  if (!finding.place.name.empty()) place["name"] = finding.place.name;
  if (finding.place.offset) place["offset"] = *finding.place.offset;
  json::Object out;
  if (!finding.detail.empty()) out["detail"] = finding.detail;
  out["id"] = finding.id;
  out["meaning"] = std::string(rule->meaning);
  out["place"] = std::move(place);
  out["remedy"] = std::string(rule->remedy);
  out["severity"] = std::string(to_string(finding.severity));
  return out;
}

Result<std::uint64_t> get_count(const json::Object& object, std::string_view key,
                                std::uint64_t most = kMaxNumber) {
  const std::int64_t value = TRY(json::get_int(object, key));
  if (value < 0 || static_cast<std::uint64_t>(value) > most) return bad("a number out of range");
  return static_cast<std::uint64_t>(value);
}

Result<std::string> get_text(const json::Object& object, std::string_view key, std::size_t most) {
  const std::string_view value = TRY(json::get_string(object, key));
  if (gate_text(value, most) != value) return bad("a text is too long or holds controls");
  return std::string(value);
}

Result<GatePlace> read_place(const json::Object& in) {
  TRY(json::only_keys(in, {"column", "line", "name", "offset"}));
  GatePlace place;
  if (in.contains("line") != in.contains("column")) return bad("a line without its column");
  if (in.contains("line")) {
    place.line = static_cast<std::uint32_t>(TRY(get_count(in, "line", UINT32_MAX)));
    place.column = static_cast<std::uint32_t>(TRY(get_count(in, "column", UINT32_MAX)));
    if (place.line == 0 || place.column == 0) return bad("lines and columns count from 1");
  }
  if (in.contains("name")) {
    place.name = TRY(get_text(in, "name", kMaxGateName));
    if (place.name.empty()) return bad("an empty name");
  }
  if (in.contains("offset")) place.offset = TRY(get_count(in, "offset"));
  return place;
}

Result<GateFinding> read_finding(const json::Value& value) {
  const json::Object& in = *TRY(json::as_object(value, "finding"));
  TRY(json::only_keys(in, {"detail", "id", "meaning", "place", "remedy", "severity"}));
  const GateRule* rule = find_gate_rule(TRY(json::get_string(in, "id")));
  if (rule == nullptr) return bad("an unknown rule");
  if (TRY(json::get_string(in, "severity")) != to_string(rule->severity) ||
      TRY(json::get_string(in, "meaning")) != rule->meaning ||
      TRY(json::get_string(in, "remedy")) != rule->remedy) {
    return bad("a finding that is not its rule's");
  }
  GateFinding out{std::string(rule->id), rule->severity, {}, {}};
  const json::Object* place = TRY(json::get_object(in, "place"));
  out.place = TRY(read_place(*place));
  if (in.contains("detail")) {
    out.detail = TRY(get_text(in, "detail", kMaxGateDetail));
    if (out.detail.empty()) return bad("an empty detail");
  }
  return out;
}

}  // namespace

std::string_view to_string(GateSeverity severity) noexcept {
  switch (severity) {
    case GateSeverity::kNote: return "note";
    case GateSeverity::kWarning: return "warning";
    case GateSeverity::kError: return "error";
    case GateSeverity::kFatal: return "fatal";
  }
  return "fatal";
}

bool GateReport::passes() const noexcept {
  return std::ranges::none_of(
      findings, [](const GateFinding& f) { return f.severity >= GateSeverity::kError; });
}

const GateFinding* GateReport::worst() const noexcept {
  const auto at = std::ranges::max_element(findings, {}, &GateFinding::severity);
  return at == findings.end() ? nullptr : &*at;
}

std::string describe(const GatePlace& place) {
  std::string out;
  const auto add = [&out](const std::string& part) {
    out.append(out.empty() ? "" : ", ").append(part);
  };
  if (!place.name.empty()) add(fmt::format("'{}'", place.name));
  if (place.line != 0) add(fmt::format("line {}, column {}", place.line, place.column));
  if (place.offset) add(fmt::format("byte {}", *place.offset));
  return out.empty() ? "-" : out;
}

std::string describe(const GateFinding& finding) {
  const GateRule* rule = find_gate_rule(finding.id);
  std::string out = fmt::format("{} {}: {}", to_string(finding.severity), finding.id,
                                rule != nullptr ? rule->meaning : "");
  const std::string place = describe(finding.place);
  if (place != "-") out += fmt::format(" [{}]", place);
  if (!finding.detail.empty()) out += ": " + finding.detail;
  return out;
}

std::string gate_text(std::string_view text, std::size_t limit) {
  // Nearly every text: plain, and kept as it is.
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7F; };
  if (text.size() <= limit && std::ranges::all_of(text, plain)) return std::string(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_sequence(text.substr(at));
    const auto byte = static_cast<unsigned char>(text[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      ++at;
      continue;
    }
    // Bidirectional and C1 controls become U+FFFD, of three bytes.
    const std::string piece = strip_controls(text.substr(at, length));
    if (out.size() + piece.size() > limit) break;
    out += piece;
    at += length;
  }
  return out;
}

Result<std::string> to_json(const GateReport& report) {
  json::Array findings;
  for (const GateFinding& finding : report.findings) findings.push_back(finding_json(finding));
  json::Array languages;
  for (const std::string& one : report.languages) languages.emplace_back(one);
  std::string text = TRY(json::canonical(json::Object{{"architecture", report.architecture},
                                                      {"file_bytes", report.file_bytes},
                                                      {"findings", std::move(findings)},
                                                      {"format", report.format},
                                                      {"languages", std::move(languages)},
                                                      {"licence", report.licence},
                                                      {"licence_link", report.licence_link},
                                                      {"licence_name", report.licence_name},
                                                      {"name", report.name},
                                                      {"type", std::string(kType)},
                                                      {"verdict", std::string(verdict(report))},
                                                      {"withheld", report.withheld}}));
  if (text.size() > kMaxGateReportBytes) {
    return fail(Code::kResourceExhausted, "gate report: too long");
  }
  return text;
}

Result<GateReport> gate_report_from_json(std::string_view line) {
  const json::Value value =
      TRY(json::parse_canonical(line, {.max_bytes = kMaxGateReportBytes, .max_depth = 5}));
  const json::Object& in = *TRY(json::as_object(value, "gate report"));
  TRY(json::only_keys(in,
                      {"architecture", "file_bytes", "findings", "format", "languages", "licence",
                       "licence_link", "licence_name", "name", "type", "verdict", "withheld"}));
  if (TRY(json::get_string(in, "type")) != kType) return bad("another type");
  GateReport out;
  out.format = TRY(get_text(in, "format", 16));
  if (std::ranges::find(kFormats, out.format) == std::end(kFormats)) return bad("unknown format");
  out.file_bytes = TRY(get_count(in, "file_bytes"));
  out.architecture = TRY(get_text(in, "architecture", kMaxGateName));
  out.name = TRY(get_text(in, "name", kMaxGateName));
  out.licence = TRY(get_text(in, "licence", kMaxGateName));
  out.licence_name = TRY(get_text(in, "licence_name", kMaxGateName));
  out.licence_link = TRY(get_text(in, "licence_link", kMaxGateName));
  out.withheld = TRY(get_count(in, "withheld"));
  const json::Array& languages = *TRY(json::get_array(in, "languages"));
  if (languages.size() > kMaxGateLanguages) return bad("too many languages");
  for (const json::Value& item : languages) {
    if (!item.is_string()) return bad("a language is no text");
    const std::string_view text(item.get_string().data(), item.get_string().size());
    if (gate_text(text, 32) != text) return bad("a language is too long or holds controls");
    out.languages.emplace_back(text);
  }
  const json::Array& findings = *TRY(json::get_array(in, "findings"));
  if (findings.size() > kMaxGateFindings) return bad("too many findings");
  for (const json::Value& item : findings) {
    out.findings.push_back(TRY(read_finding(item)));
    if (out.findings.size() > 1 &&
        out.findings[out.findings.size() - 2].severity < out.findings.back().severity) {
      return bad("findings are not sorted");
    }
  }
  if (TRY(json::get_string(in, "verdict")) != verdict(out)) return bad("another verdict");
  return out;
}

void GateFindings::add(std::string_view id, GatePlace place, std::string_view detail) {
  const GateRule* rule = find_gate_rule(id);
  CANDOR_CHECK(rule != nullptr);
  refuses_ = refuses_ || rule->severity >= GateSeverity::kError;
  place.name = gate_text(place.name, kMaxGateName);
  if (place.offset) place.offset = std::min(*place.offset, kMaxNumber);
  GateFinding finding{std::string(id), rule->severity, std::move(place),
                      gate_text(detail, kMaxGateDetail)};
  auto& all = report_.findings;
  if (all.size() < kMaxGateFindings) {
    all.push_back(std::move(finding));
    return;
  }
  ++report_.withheld;
  const auto least = std::ranges::min_element(all, {}, &GateFinding::severity);
  if (least->severity < finding.severity) *least = std::move(finding);
}

void GateFindings::finish() {
  std::vector<GateFinding> sorted;
  for (const GateSeverity severity :
       {GateSeverity::kFatal, GateSeverity::kError, GateSeverity::kWarning, GateSeverity::kNote}) {
    for (GateFinding& finding : report_.findings) {
      if (finding.severity == severity) sorted.push_back(std::move(finding));
    }
  }
  report_.findings = std::move(sorted);
}

}  // namespace candor::model
