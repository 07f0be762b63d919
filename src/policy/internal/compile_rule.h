// One rule's expressions, parsed and checked; what is wrong with them becomes Findings with places.
#pragma once

#include <optional>
#include <vector>

#include "cel/program.h"
#include "policy/rule.h"

namespace candor::policy {

struct RulePrograms {
  cel::Ast when;  // as written
  std::optional<cel::Ast> select;
  cel::Program when_program;
  std::optional<cel::Program> select_program;
};
// Nothing if findings were added.
[[nodiscard]] std::optional<RulePrograms> compile_rule(const RuleFile& file, const Rule& rule,
                                                       cel::Zones* zones,
                                                       std::vector<Finding>& findings);

}  // namespace candor::policy
