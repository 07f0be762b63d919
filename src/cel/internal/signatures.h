// The functions of the subset: what each may be given and what it answers. One table for the
// checker, the evaluator's unchecked calls and docs/policy-language.md.
#pragma once

#include <span>
#include <string_view>

#include "cel/ast.h"

namespace candor::cel {

// Parameters and result, a letter for each: b bool, i int, u uint, d double, s string, y bytes,
// t timestamp, r duration, L list(A), M map(A, B), A and B whatever they stand for, T type(A),
// * dyn. A member's receiver comes first.
struct Signature {
  Function function;
  std::string_view name;  // empty: an operator
  bool member;
  std::string_view parameters;
  char result;
};
[[nodiscard]] std::span<const Signature> signatures() noexcept;
// "_+_" for operators, the name for the rest.
[[nodiscard]] std::string_view shown_name(Function function) noexcept;

}  // namespace candor::cel
