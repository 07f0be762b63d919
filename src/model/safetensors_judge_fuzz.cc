// Any bytes as a safetensors file: judged without a read outside it, and the report keeps its
// bounds and reads back from its line.
#include <cstdint>
#include <string_view>

#include "model/gate/judges.h"
#include "model/testing/gate_check.h"
#include "model/testing/gguf_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace candor::model;
  MemorySource source({reinterpret_cast<const char*>(data), size});
  check_gate([&source](GateReport& report, GateFindings& findings) {
    GateLimits limits;
    limits.values = true;
    gate::judge_safetensors(source, limits, report, findings);
  });
  return 0;
}
