// What the gate keeps of a GGUF file's metadata while it reads: bounded by the limits, never by the
// file's word. Between gguf_judge.cc, which reads, and gguf_shapes.cc, which holds values and
// tensors against each other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/gate.h"
#include "model/gguf_cursor.h"

namespace candor::model::gate {

struct GgufFact {
  GgufValue type = GgufValue::kU8;
  GgufValue items = GgufValue::kU8;  // of a list
  std::uint64_t count = 0;           // of a list
  std::uint64_t offset = 0;          // of the value in the file
  std::int64_t whole = 0;            // of a whole number or truth value; saturating
  double real = 0;                   // of a real one
  [[nodiscard]] bool is_whole() const noexcept;
  [[nodiscard]] bool is_real() const noexcept;
  [[nodiscard]] bool is_list() const noexcept { return type == GgufValue::kArray; }
};

struct GgufTensor {
  std::string name;
  std::uint32_t type = 0;
  std::uint32_t dimensions = 0;
  std::uint64_t sizes[4] = {1, 1, 1, 1};
  std::uint64_t offset = 0;  // from the data's begin
  std::uint64_t bytes = 0;
  std::uint64_t at = 0;  // where the table names it
};

struct GgufFacts {
  std::map<std::string, GgufFact, std::less<>> values;
  std::vector<GgufTensor> tensors;
  std::string architecture, name, type;  // general.type: "model" or empty, "adapter", ...
  std::uint64_t alignment = 32;
  std::uint64_t data_begin = 0;
  std::uint64_t file_bytes = 0;
  [[nodiscard]] const GgufFact* find(std::string_view key) const;
  [[nodiscard]] const GgufFact* of_architecture(std::string_view rest) const;
};

// The file as a whole: report.format is "gguf".
void judge_gguf(ByteSource& source, const GateLimits& limits, GateReport& report,
                GateFindings& findings);
// Numbers the engine acts on, lists that belong together, special tokens.
void judge_gguf_values(const GgufFacts& facts, GateFindings& findings);
// Where tensors lie, and whether they are what the architecture's numbers say.
void judge_gguf_tensors(GgufFacts& facts, GateFindings& findings);

}  // namespace candor::model::gate
