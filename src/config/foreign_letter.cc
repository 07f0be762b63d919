#include "config/internal/foreign_letter.h"

#include <algorithm>
#include <array>

namespace candor::config {

std::uint32_t line_of_foreign_letter(std::string_view toml) {
  std::uint32_t line = 1;
  std::size_t i = 0;
  const auto three = [&](char quote) {
    return toml.substr(i, 3) == std::string_view(std::array{quote, quote, quote}.data(), 3);
  };
  while (i < toml.size()) {
    const char c = toml[i];
    if (c == '#') {
      i = std::min(toml.find('\n', i), toml.size());
      continue;
    }
    if (c != '"' && c != '\'') {
      if (static_cast<unsigned char>(c) >= 0x80) return line;
      line += c == '\n' ? 1 : 0;
      ++i;
      continue;
    }
    const bool long_string = three(c);
    i += long_string ? 3 : 1;
    for (;; ++i) {
      if (i >= toml.size()) return line;
      if (toml[i] == '\n') {
        if (!long_string) return line;
        ++line;
      } else if (c == '"' && toml[i] == '\\') {
        line += toml.substr(i + 1).starts_with('\n') ? 1 : 0;
        ++i;
      } else if (toml[i] == c && (!long_string || three(c))) {
        i += long_string ? 3 : 1;
        // Up to two quotes may stand before the closing three.
        while (long_string && i < toml.size() && toml[i] == c) ++i;
        break;
      }
    }
  }
  return 0;
}

}  // namespace candor::config
