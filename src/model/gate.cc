#include "model/gate.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "model/gate/gguf_facts.h"
#include "model/gate/judges.h"

namespace candor::model {
namespace {

std::string_view first_bytes(ByteSource& source, std::array<std::byte, 64>& buffer) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), source.size()));
  if (!source.read_at(0, std::span(buffer).first(size))) return {};
  return as_text(std::span(buffer).first(size));
}

// A pickle of protocol 0 or 1 has no magic: it begins with a name, or a mark and what is put behind
// it.
bool looks_like_old_pickle(std::string_view head) {
  if (head.size() < 4) return false;
  const std::size_t feed = head.find('\n');
  if (head[0] == 'c' && feed != std::string_view::npos && feed > 1) {
    return std::ranges::all_of(head.substr(1, feed - 1), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '.';
    });
  }
  constexpr std::string_view kSecond = "lpdtiScIFLVK(q";
  return (head[0] == '(' || head[0] == ']' || head[0] == '}') &&
         kSecond.find(head[1]) != std::string_view::npos && feed != std::string_view::npos;
}

bool is_template(ByteSource& source, const GateLimits& limits, std::string& text) {
  // One byte more than may be: judge_template says so.
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(source.size(), limits.max_template_bytes + 1));
  text.resize(size);
  if (!source.read_at(0, std::as_writable_bytes(std::span(text)))) return false;
  const bool holds = text.find("{%") != std::string::npos || text.find("{{") != std::string::npos;
  return holds && text.find('\0') == std::string::npos &&
         (size > limits.max_template_bytes || is_utf8(text));
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
  } else if (head.starts_with("PK\3\4") || head.starts_with("PK\5\6")) {
    gate::judge_zip(source, limits, report, findings);
  } else if (head.size() > 1 && head[0] == '\x80' && head[1] >= 1 && head[1] <= 8) {
    gate::judge_pickle_file(source, limits, report, findings);
  } else if (head.size() > 8 && head[8] == '{') {
    gate::judge_safetensors(source, limits, report, findings);
  } else if (looks_like_old_pickle(head)) {
    gate::judge_pickle_file(source, limits, report, findings);
  } else if (std::string text; is_template(source, limits, text)) {
    report.format = "template";
    judge_template(text, "", "", limits, findings);
  } else {
    findings.add("file.unknown", {.offset = 0});
  }
  findings.finish();
  return report;
}

}  // namespace candor::model
