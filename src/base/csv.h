// Comma-separated text (RFC 4180), as spreadsheets and databases export it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace candor {

// The fields of one column; the first record names the columns. Lines end with LF or CR LF, empty
// ones are left out, a byte order mark is no part of a name; `separator` may be a semicolon or a
// tab. kInvalidArgument: no such column (the message names those that are there), a record that
// ends before it, or a quote that does not close, with the line. Linear in the text.
[[nodiscard]] Result<std::vector<std::string>> csv_column(std::string_view text,
                                                          std::string_view column, char separator);

}  // namespace candor
