#include "verbs/policy_files.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "context.h"

namespace candor::cli {

namespace fs = std::filesystem;
using policy::Finding;
using policy::RuleFile;

bool is_cases(const fs::path& file) { return file.filename().string().ends_with(kCases); }

Result<std::vector<fs::path>> files_of(const fs::path& path, bool cases) {
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return std::vector{path};
  std::set<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path, failed)) {
    if (entry.path().extension() == ".toml" && is_cases(entry.path()) == cases) {
      found.insert(entry.path());
    }
  }
  if (found.empty()) {
    return fail(Code::kNotFound, fmt::format("{} holds no {}", path.string(),
                                             cases ? "*.cases.toml" : "rules (*.toml)"));
  }
  return std::vector<fs::path>(found.begin(), found.end());
}

Result<RuleFile> read_rules(const fs::path& path, std::vector<Finding>& findings) {
  const std::string text = TRY(read_text_file(path, kMaxFileBytes));
  return policy::read_rule_file(text, path.string(), findings);
}

void show(const Output& out, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    const std::string text = out.shown(policy::to_text(finding));
    const bool error = finding.severity == Finding::Severity::kError;
    out.line(error ? out.style().bad(text) : out.style().caution(text));
  }
}

bool has_errors(const std::vector<Finding>& findings) {
  return std::ranges::any_of(
      findings, [](const Finding& f) { return f.severity == Finding::Severity::kError; });
}

}  // namespace candor::cli
