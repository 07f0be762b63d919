#include "report.h"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

#include "base/text.h"
#include "json/json.h"

namespace candor::verify {
namespace {

using ledger::Finding;
using ledger::Standing;

void write_out(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

json::Value text_value(const std::string& text) {
  return json::Value(boost::json::string_view(text.data(), text.size()));
}

const char* mark(Standing standing, bool colours) {
  switch (standing) {
    case Standing::kHolds: return colours ? "\x1B[32mok  \x1B[0m" : "ok  ";
    case Standing::kFails: return colours ? "\x1B[31;1mFAIL\x1B[0m" : "FAIL";
    case Standing::kNotExcluded: return colours ? "\x1B[33mopen\x1B[0m" : "open";
  }
  return "";
}

int code_of(const Report& report, const Output& output) {
  if (ledger::any_fails(report.findings)) return kFailed;
  const bool open = std::ranges::any_of(
      report.findings, [](const Finding& f) { return f.standing == Standing::kNotExcluded; });
  return open && output.strict ? kNotExcluded : kVerified;
}

}  // namespace

int print(const Report& report, const Output& output) {
  const int code = code_of(report, output);
  if (output.json) {
    json::Object out;
    out["verified"] = code != kFailed;
    out["exit"] = code;
    out["kind"] = text_value(report.kind);
    for (const auto& [name, value] : report.facts) {
      out[boost::json::string_view(name.data(), name.size())] = text_value(value);
    }
    json::Array findings;
    for (const Finding& finding : report.findings) {
      json::Object one;
      one["promise"] = text_value(finding.promise);
      one["standing"] = text_value(std::string(ledger::to_string(finding.standing)));
      one["what"] = text_value(finding.what);
      one["where"] = text_value(finding.where);
      findings.push_back(std::move(one));
    }
    out["findings"] = std::move(findings);
    write_out(json::to_text(out) + "\n");
    return code;
  }
  const bool colours = ::isatty(STDOUT_FILENO) == 1;
  std::string text = strip_controls(report.title) + "\n";
  std::size_t widest = 0;
  for (const auto& [name, value] : report.facts) widest = std::max(widest, name.size());
  for (const auto& [name, value] : report.facts) {
    std::string label = name;
    std::ranges::replace(label, '_', ' ');
    text +=
        "  " + label + std::string(widest + 2 - name.size(), ' ') + strip_controls(value) + "\n";
  }
  text += "\n";
  const Finding* first_failure = nullptr;
  for (const Finding& finding : report.findings) {
    text += "  ";
    text += mark(finding.standing, colours);
    text += " " + finding.promise +
            std::string(4 - std::min<std::size_t>(3, finding.promise.size()), ' ');
    text += strip_controls(finding.what);
    if (!finding.where.empty()) text += "  [" + strip_controls(finding.where) + "]";
    text += "\n";
    if (first_failure == nullptr && finding.standing == Standing::kFails) first_failure = &finding;
  }
  if (first_failure != nullptr) {
    text += "\nNOT VERIFIED: " + first_failure->promise + " fails";
    if (!first_failure->where.empty()) text += " at " + strip_controls(first_failure->where);
    text += ".\n";
  } else if (code == kNotExcluded) {
    text += "\nVerified, but what is marked open is not excluded.\n";
  } else {
    text += "\nVerified.\n";
  }
  write_out(text);
  return code;
}

int print(const Error& error, const Output& output) {
  if (output.json) {
    json::Object out;
    out["verified"] = false;
    out["exit"] = kMalformed;
    out["error"] = text_value(error.message());
    write_out(json::to_text(out) + "\n");
  } else {
    const std::string text = "candor-verify: " + strip_controls(error.message()) + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  return kMalformed;
}

}  // namespace candor::verify
