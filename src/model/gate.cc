#include "model/gate.h"

#include <array>
#include <cstring>

#include "model/gate/gguf_facts.h"

namespace candor::model {
namespace {

std::string_view first_bytes(ByteSource& source, std::array<std::byte, 64>& buffer) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), source.size()));
  if (!source.read_at(0, std::span(buffer).first(size))) return {};
  return as_text(std::span(buffer).first(size));
}

}  // namespace

GateReport judge(ByteSource& source, const GateLimits& limits) {
  GateReport report;
  report.format = "unknown";
  report.file_bytes = std::min<std::uint64_t>(source.size(), (1ULL << 53U) - 1);
  GateFindings findings(report);
  std::array<std::byte, 64> buffer{};
  const std::string_view head = first_bytes(source, buffer);
  if (source.size() == 0) {
    findings.add("file.empty", {});
  } else if (head.empty()) {
    findings.add("file.unreadable", {});
  } else if (head.starts_with("GGUF")) {
    gate::judge_gguf(source, limits, report, findings);
  } else {
    findings.add("file.unknown", {.offset = 0});
  }
  findings.finish();
  return report;
}

}  // namespace candor::model
