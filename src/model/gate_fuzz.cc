// Any bytes as a model file: judged without a read outside it, and the report keeps its bounds and
// reads back from its line.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "model/gate.h"
#include "model/testing/gguf_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  model::MemorySource source(bytes);
  model::GateLimits limits;
  limits.values = true;
  const model::GateReport report = model::judge(source, limits);
  const auto line = model::to_json(report);
  CANDOR_CHECK(line.has_value());
  const auto again = model::gate_report_from_json(*line);
  CANDOR_CHECK(again.has_value() && *again == report);
  for (const model::GateFinding& one : report.findings) {
    CANDOR_CHECK(one.id != "file.unreadable");  // a read outside the file
  }
  return 0;
}
