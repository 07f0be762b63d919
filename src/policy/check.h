// What is wrong with a set of rules, before anybody depends on them (C10).
#pragma once

#include <span>
#include <vector>

#include "cel/zone.h"
#include "policy/rule.h"

namespace candor::policy {

// Errors: what Policy::compile refuses. If there are none, warnings:
//   constant     a condition, or a part of one, that no facts can change
//   duplicate    the same condition and effect as an earlier rule
//   unreachable  whenever it fires, another rule fires that overrides its effect
// Findings stand in the order of files and lines.
[[nodiscard]] std::vector<Finding> check(std::span<const RuleFile> files, cel::Zones* zones);

}  // namespace candor::policy
