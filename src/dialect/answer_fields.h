// Where each field of an answer comes from, for docs/dialects/*.md. Tests hold the tables against
// what the writers write: every name that a writer writes stands here, and none that it never does.
//
// Names are paths; [] is each member of a list, a name that ends with .* covers all below it. One
// table holds a body's fields and a stream's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dialect/exchange.h"

namespace candor::dialect {

enum class Origin : std::uint8_t {
  kModel,     // the model's text, as the engine gave it and the pipeline let it through
  kEngine,    // a number or a reason of the engine's, from a closed set or within bounds
  kMonitor,   // made or measured by Candor
  kRequest,   // repeated from the request
  kConstant,  // always the same
};

struct AnswerField {
  std::string_view name;
  Origin origin;
  std::string_view note;
};
[[nodiscard]] std::span<const AnswerField> answer_fields(Api api) noexcept;

}  // namespace candor::dialect
