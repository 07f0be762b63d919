// What a scan found, as text, as one JSON document and as SARIF 2.1.0 (OASIS). None holds what was
// found unless it was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dlp/scanner.h"
#include "json/json.h"
#include "output.h"

namespace candor::cli {

struct ScanPlace {  // from 1; columns count code points
  std::uint64_t line = 1, column = 1;
};

struct ScanFinding {
  std::string path;
  dlp::Finding finding;
  ScanPlace begin, end;
  std::string value;  // empty unless --show
};

struct ScanSkipped {
  std::string path, reason;
};

struct ScanReport {
  std::vector<ScanFinding> findings;
  std::vector<ScanSkipped> skipped;
  std::uint64_t files = 0, bytes = 0;
};

// Adds the findings of one text.
void add_findings(ScanReport& report, const std::string& path, std::string_view text,
                  const std::vector<dlp::Finding>& findings, bool show);

void print_report(const Output& out, const ScanReport& report,
                  const std::vector<dlp::Detector>& detectors);
[[nodiscard]] json::Object report_json(const ScanReport& report,
                                       const std::vector<dlp::Detector>& detectors);
[[nodiscard]] json::Object report_sarif(const ScanReport& report,
                                        const std::vector<dlp::Detector>& detectors,
                                        std::string_view version);

void print_detectors(const Output& out, const std::vector<dlp::Detector>& detectors);

}  // namespace candor::cli
