// The gate: judges a model file before the engine sees a byte of it (L11). GGUF, safetensors,
// PyTorch files (zip archives and bare pickles, whose code is never run) and chat templates.
//
// Runs in candor-inspect, sealed, over a file that may be hostile: nothing is allocated on the
// file's word, depth and counts are bounded, and only metadata is read (headers, tables, templates,
// opcodes), so the cost follows the metadata and not the file's size; with `values` every tensor is
// read too, at some gigabytes a second from memory. A file that cannot be judged does not pass:
// what the readers do not know is a finding. Pure, one thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/gate_report.h"
#include "model/gguf_reader.h"

namespace candor::model {

struct GateLimits {
  std::uint64_t max_metadata_bytes = 256ULL << 20U;  // of a GGUF file
  std::uint64_t max_pairs = 65'536;
  std::uint64_t max_tensors = 65'536;
  std::uint64_t max_key_bytes = 256;
  std::uint64_t max_string_bytes = 16ULL << 20U;
  std::uint64_t max_template_bytes = 128ULL << 10U;
  std::uint64_t max_header_bytes = 32ULL << 20U;  // of safetensors
  std::uint64_t max_pickle_bytes = 64ULL << 20U;  // of one pickle
  std::uint64_t max_members = 65'536;             // of an archive
  std::size_t max_template_tokens = 65'536;
  int max_template_depth = 64;
  bool values = false;  // of GGUF and safetensors: tensors' values too, where the rest passes
};

[[nodiscard]] GateReport judge(ByteSource& source, const GateLimits& limits = {});

// A chat template alone; `place` names the metadata key that it stands in, or is empty. family:
// what the file says it is (general.architecture and name), for the comparison with known
// templates.
void judge_template(std::string_view text, std::string_view name, std::string_view family,
                    const GateLimits& limits, GateFindings& findings);

}  // namespace candor::model
