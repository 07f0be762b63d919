// The judges of formats other than GGUF. Each adds its findings and fills in what the report says
// of the file; none executes or allocates on the file's word.
#pragma once

#include "model/gate.h"

namespace candor::model::gate {

// huggingface/safetensors' format: eight bytes of length, a JSON header, data without gaps.
void judge_safetensors(ByteSource& source, const GateLimits& limits, GateReport& report,
                       GateFindings& findings);

// A bare pickle, or several and data behind them as PyTorch wrote until 1.6.
void judge_pickle_file(ByteSource& source, const GateLimits& limits, GateReport& report,
                       GateFindings& findings);
// PyTorch's zip archive (1.6 and later): members are stored, not compressed.
void judge_zip(ByteSource& source, const GateLimits& limits, GateReport& report,
               GateFindings& findings);

// One pickle that begins at begin and ends before end; where it ended, or 0 after a fatal finding.
std::uint64_t judge_pickle(ByteSource& source, std::uint64_t begin, std::uint64_t end,
                           std::string_view name, const GateLimits& limits, GateFindings& findings);

}  // namespace candor::model::gate
