// What the gate says about one model file (docs/formats/gate-report.md): findings with a severity,
// a place and a meaning, as one canonical JSON line between candor-inspect and whoever asked.
//
// A finding's id is one of a closed table (gate_rules.h), which fixes severity, meaning and what to
// do; free text is in `detail` and `name` only, bounded and free of control characters. The reader
// of the line holds each bound and the verdict again, as if the sender were hostile (it may be).
// Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor::model {

// kError and kFatal refuse the file. kFatal: it could not be read to its end, so that what was not
// found there proves nothing.
enum class GateSeverity : std::uint8_t { kNote, kWarning, kError, kFatal };
[[nodiscard]] std::string_view to_string(GateSeverity severity) noexcept;

struct GateRule {
  std::string_view id;  // "gguf.tensor-overlap"
  GateSeverity severity = GateSeverity::kNote;
  std::string_view meaning;  // one sentence
  std::string_view remedy;   // what to do
};
// Sorted by id.
[[nodiscard]] const std::vector<GateRule>& gate_rules();
// nullptr: no such rule.
[[nodiscard]] const GateRule* find_gate_rule(std::string_view id);

struct GatePlace {
  std::optional<std::uint64_t> offset{};  // byte of the file
  std::string name{};                     // key, tensor, archive member; may be empty
  std::uint32_t line = 0, column = 0;     // of a template, from 1; 0: no template
  bool operator==(const GatePlace&) const = default;
};

struct GateFinding {
  std::string id;
  GateSeverity severity = GateSeverity::kNote;  // its rule's
  GatePlace place;
  std::string detail;  // what stands there; may be empty
  bool operator==(const GateFinding&) const = default;
};

struct GateReport {
  std::string format;  // "gguf", "safetensors", "pickle", "template" or "unknown"
  std::uint64_t file_bytes = 0;
  // From metadata, cleaned: claims of the file. Empty where it says nothing.
  std::string architecture, name, licence, licence_name, licence_link;
  std::vector<std::string> languages;
  std::vector<GateFinding> findings;  // worst first, then as met; at most kMaxGateFindings
  std::uint64_t withheld = 0;         // findings beyond that; the worst are kept
  bool operator==(const GateReport&) const = default;

  // No finding above a warning.
  [[nodiscard]] bool passes() const noexcept;
  // The first of the worst severity; nullptr if there is none.
  [[nodiscard]] const GateFinding* worst() const noexcept;
};

inline constexpr std::size_t kMaxGateFindings = 64;
inline constexpr std::size_t kMaxGateDetail = 320;
inline constexpr std::size_t kMaxGateName = 160;
inline constexpr std::size_t kMaxGateLanguages = 64;
inline constexpr std::size_t kMaxGateReportBytes = 128U << 10U;

// One line of text: "error gguf.tensor-overlap: <meaning> [tensor 'x', byte 123]: <detail>".
[[nodiscard]] std::string describe(const GateFinding& finding);
// The place alone: "key 'x', byte 123"; "-" where a finding is about the whole file.
[[nodiscard]] std::string describe(const GatePlace& place);

// Canonical JSON, one line, at most kMaxGateReportBytes.
[[nodiscard]] Result<std::string> to_json(const GateReport& report);
// kInvalidArgument: not the canonical text of a report within the bounds, an unknown rule, or a
// severity or verdict that does not follow from the rules.
[[nodiscard]] Result<GateReport> gate_report_from_json(std::string_view line);

// Collects findings while a file is read: bounds texts, keeps the worst, counts the rest.
class GateFindings {
 public:
  explicit GateFindings(GateReport& report) : report_(report) {}
  // id: of the table (anything else ends the process: a bug of ours).
  void add(std::string_view id, GatePlace place, std::string_view detail = {});
  [[nodiscard]] bool refuses() const noexcept { return refuses_; }
  // Sorts; nothing may be added after it.
  void finish();

 private:
  GateReport& report_;
  bool refuses_ = false;
};

// Text of a file as a report may hold it: valid UTF-8 without controls, at most limit bytes.
[[nodiscard]] std::string gate_text(std::string_view text, std::size_t limit);

}  // namespace candor::model
