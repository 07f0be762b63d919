// The one place where this program's verbs put a model file in front of the gate: candor-inspect,
// sealed as the engine is, reads it (house style, decision 3; L11). Blocks as engine/inspect.h
// says.
#pragma once

#include "context.h"
#include "engine/inspect.h"
#include "model/gguf_reader.h"
#include "models/model_store.h"

namespace candor::cli {

// What the sealed reader says of one file; errors as of engine::inspect_file().
[[nodiscard]] Result<engine::Inspection> judge_file(const Path& file, engine::InspectDepth depth);
// The same of one GGUF file, its metadata alone. kInvalidArgument and kFailedPrecondition: the
// verdict on what it holds, or no sandbox here; kUnavailable: candor-inspect cannot be run.
[[nodiscard]] Result<model::GgufSummary> inspect_model(const Path& file);

// Judges each file of a model before it is admitted. Weights by the gate (model/gate.h; accepted:
// ids of findings that are not fatal and refuse nothing here); of what comes beside them only texts
// are taken: JSON that reads strictly and names no code to run, plain text, and a SentencePiece
// table, which nothing here opens. Everything else is refused (kFailedPrecondition).
[[nodiscard]] models::Gate admission_gate(const std::vector<std::string>& accepted);

}  // namespace candor::cli
