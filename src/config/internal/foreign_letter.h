// What toml++ 3.3 must not see.
#pragma once

#include <cstdint>
#include <string_view>

namespace candor::config {

// toml++ 3.3 runs into undefined behaviour on some letters outside strings and comments (found by
// config_fuzz), where TOML 1.0 allows ASCII only. So those, and strings that do not end on their
// line, are refused before it sees them. Answers the line, or 0 if all is well.
[[nodiscard]] std::uint32_t line_of_foreign_letter(std::string_view toml);

}  // namespace candor::config
