// Top-level domains outside ASCII: those of IANA's root zone (countries and others), as people
// write them in addresses.
#pragma once

#include <cstddef>
#include <string_view>

namespace candor::dlp {

// How many bytes at the beginning of a label of folded text are such a domain; the longest counts,
// 0 for none.
[[nodiscard]] std::size_t international_top_level(std::string_view label);

}  // namespace candor::dlp
