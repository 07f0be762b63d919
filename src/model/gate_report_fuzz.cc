// A line that reads as a report is the canonical text of it and keeps every bound; any other is an
// error, never a crash.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/gate_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto report = model::gate_report_from_json(line);
  if (!report) return 0;
  CANDOR_CHECK(report->findings.size() <= model::kMaxGateFindings);
  const auto again = model::to_json(*report);
  CANDOR_CHECK(again.has_value() && *again == line);
  for (const model::GateFinding& finding : report->findings) {
    CANDOR_CHECK(!model::describe(finding).empty());
  }
  return 0;
}
