// Rule files as the command line names them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "output.h"
#include "policy/rule.h"

namespace candor::cli {

inline constexpr std::string_view kCases = ".cases.toml";
inline constexpr std::size_t kMaxFileBytes = 4U << 20U;

// The rule files, or the case files, of a folder, by name; a file stands for itself.
[[nodiscard]] Result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& path,
                                                                  bool cases);
[[nodiscard]] bool is_cases(const std::filesystem::path& file);
// Adds what is wrong with it to findings.
[[nodiscard]] Result<policy::RuleFile> read_rules(const std::filesystem::path& path,
                                                  std::vector<policy::Finding>& findings);
void show(const Output& out, const std::vector<policy::Finding>& findings);
[[nodiscard]] bool has_errors(const std::vector<policy::Finding>& findings);

}  // namespace candor::cli
