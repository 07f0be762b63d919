// A condition as a conjunction: what must all hold. The parts are what rules share, what an index
// can be built on, and what one rule can contain of another.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cel/program.h"

namespace candor::policy {

// Spellings (cel::print) of the parts of a condition that is joined by && at the top; one part if
// it is not. `true` has no parts.
[[nodiscard]] std::vector<std::string> conjuncts(const cel::Ast& ast);

// Whether all of these together say that the condition holds, as far as its form shows: the same
// part, each part of an &&, one part of an ||, or a value that one of them fixes (x == "a" says
// x in ["a", "b"] and x != "b").
[[nodiscard]] bool implied_by(const cel::Ast& condition,
                              const std::vector<const cel::Ast*>& premises);

// The value that a condition has whatever the facts are; nothing if it depends on them.
enum class Constant : std::uint8_t { kTrue, kFalse, kError };
[[nodiscard]] std::optional<Constant> constant_value(const cel::Program& program);
// Two parts of one conjunction that exclude each other (x == "a" && x == "b"); their spellings.
struct Contradiction {
  std::string one, other;
};
[[nodiscard]] std::optional<Contradiction> contradiction(const cel::Ast& ast);

}  // namespace candor::policy
