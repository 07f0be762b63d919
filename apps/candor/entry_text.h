// Ledger entries in words, for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json/json.h"
#include "output.h"

namespace candor::cli {

// One line: index, local time, type and what it says. An entry that does not decode is shown as
// such.
[[nodiscard]] std::string entry_line(const Output& out, std::uint64_t index,
                                     std::string_view entry);
// The whole entry, indented, with times in local time beside UTC.
void show_entry(const Output& out, std::uint64_t index, std::string_view entry);

}  // namespace candor::cli
