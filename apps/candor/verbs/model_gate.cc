#include "verbs/model_gate.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "model/gate_report.h"

namespace candor::cli {
namespace {

constexpr std::uint64_t kMaxText = 64ULL << 20U;

Result<void> judge_text(const Path& file, const std::string& name) {
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  if (ends(".model")) return {};
  const bool document = ends(".json");
  if (!document && !ends(".txt") && !ends(".jinja") && !ends(".md") && !ends(".tiktoken")) {
    return fail(Code::kFailedPrecondition,
                "a file of a kind that is not taken beside weights; remove it and pull again");
  }
  const Bytes bytes = TRY(read_file(real_file_system(), file, kMaxText));
  if (!document) {
    if (is_utf8(as_text(bytes))) return {};
    return fail(Code::kFailedPrecondition, "no UTF-8 text");
  }
  const auto value = json::parse(as_text(bytes), {.max_bytes = kMaxText});
  if (!value) return fail(Code::kFailedPrecondition, value.error().message());
  if (value->is_object() && json::find(value->get_object(), "auto_map") != nullptr) {
    return fail(Code::kFailedPrecondition,
                "it names program code to run with the model (auto_map)");
  }
  return {};
}

}  // namespace

Result<engine::Inspection> judge_file(const Path& file, engine::InspectDepth depth) {
  return engine::inspect_file(program_folder() / "candor-inspect", file, depth);
}

Result<model::GgufSummary> inspect_model(const Path& file) {
  return TRY(judge_file(file, engine::InspectDepth::kMetadata)).summary;
}

models::Gate admission_gate(const std::vector<std::string>& accepted) {
  return [accepted](const Path& file, const models::StoredFile& facts,
                    const models::Manifest& /*manifest*/) -> Result<models::Judgement> {
    const auto refused = [&](const Error& error) {
      const bool verdict = error.code() == Code::kInvalidArgument;
      return fail(verdict ? Code::kFailedPrecondition : error.code(),
                  fmt::format("the gate refuses {}: {}", facts.path, error.message()));
    };
    std::string name = facts.path;
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    bool weights = false;
    for (const std::string_view end :
         {".gguf", ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx"}) {
      weights = weights || name.ends_with(end);
    }
    if (!weights) {
      if (const auto judged = judge_text(file, name); !judged) return refused(judged.error());
      return models::Judgement{};
    }
    const auto inspected = judge_file(file, engine::InspectDepth::kValues);
    if (!inspected) return refused(inspected.error());
    const model::GateReport& report = inspected->report;
    for (const model::GateFinding& finding : report.findings) {
      if (finding.severity < model::GateSeverity::kError) continue;
      const bool may = finding.severity != model::GateSeverity::kFatal &&
                       std::ranges::find(accepted, finding.id) != accepted.end();
      if (may) continue;
      const model::GateRule* rule = model::find_gate_rule(finding.id);
      return refused({Code::kInvalidArgument,
                      fmt::format("{}; {}", model::describe(finding),
                                  rule == nullptr ? std::string_view() : rule->remedy)});
    }
    return models::Judgement{
        .by = "candor-inspect", .architecture = report.architecture, .licence = report.licence};
  };
}

}  // namespace candor::cli
