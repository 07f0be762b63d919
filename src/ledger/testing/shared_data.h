// Data shared by all checkouts (known answers from outside): $CANDOR_DATA, or ../shared/data from
// the repository's root. Tests skip where it is absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace candor::ledger::testing {

[[nodiscard]] inline std::optional<std::filesystem::path> shared_data(const char* part) {
  std::filesystem::path root;
  if (const char* set = std::getenv("CANDOR_DATA")) {
    root = set;
  } else {
    root = std::filesystem::path(CANDOR_SOURCE_DIR) / ".." / "shared" / "data";
  }
  std::filesystem::path found = root / part;
  if (!std::filesystem::exists(found)) return std::nullopt;
  return found;
}

}  // namespace candor::ledger::testing
