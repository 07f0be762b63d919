// One model file in front of the gate: candor-inspect is started sealed, reads the open file, and
// what it says is read as from a hostile peer (L11). Blocks for as long as that takes, at most 30 s
// and, where values are read, a second for each 50 MB.
#pragma once

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "engine/child_process.h"
#include "engine/sandbox.h"
#include "model/gate_report.h"
#include "model/gguf_reader.h"

namespace candor::engine {

// What of a file is read: metadata, or tensors' values too (GateLimits::values).
enum class InspectDepth : std::uint8_t { kMetadata, kValues };

struct Inspection {
  model::GateReport report;
  // Of a GGUF file that could be read; else why not (kInvalidArgument, kFailedPrecondition,
  // kResourceExhausted).
  Result<model::GgufSummary> summary;
  SandboxGrants grants;
};

// inspect_fd: the program candor-inspect; null_fd: /dev/null. Both stay the caller's.
// Errors: kUnavailable, kDeadlineExceeded, kResourceExhausted or kInternal for a child that cannot
// be started or says nothing that a report is; never because of what the file holds.
[[nodiscard]] Result<Inspection> inspect_model(Spawner& spawner, int inspect_fd, int null_fd,
                                               int model_fd, InspectDepth depth);
// The same for callers that inspect one file and end. kNotFound, kInvalidArgument (no regular
// file), kPermissionDenied, kFailedPrecondition (no sandbox here).
[[nodiscard]] Result<Inspection> inspect_file(const Path& inspect_binary, const Path& file,
                                              InspectDepth depth);

}  // namespace candor::engine
