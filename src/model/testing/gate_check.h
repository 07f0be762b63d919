// What holds of every report, whatever the file was: for the gate's fuzzers.
#pragma once

#include "base/check.h"
#include "model/gate.h"

namespace candor::model {

template <typename JudgeFile>
void check_gate(JudgeFile judge_file) {
  GateReport report;
  report.format = "unknown";
  GateFindings findings(report);
  judge_file(report, findings);
  findings.finish();
  CANDOR_CHECK(report.findings.size() <= kMaxGateFindings);
  CANDOR_CHECK(findings.refuses() == !report.passes());
  const auto line = to_json(report);
  CANDOR_CHECK(line.has_value());
  const auto again = gate_report_from_json(*line);
  CANDOR_CHECK(again.has_value() && *again == report);
  for (const GateFinding& one : report.findings) {
    CANDOR_CHECK(one.id != "file.unreadable");  // a read outside the file
  }
}

}  // namespace candor::model
