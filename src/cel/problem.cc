#include "cel/problem.h"

#include <algorithm>

#include "base/terminal.h"
#include "base/text.h"

namespace candor::cel {

std::string_view to_string(Problem::What what) noexcept {
  switch (what) {
    case Problem::What::kSyntax: return "syntax";
    case Problem::What::kTooLarge: return "too_large";
    case Problem::What::kOutsideSubset: return "outside_subset";
    case Problem::What::kUnknownName: return "unknown_name";
    case Problem::What::kUnknownFunction: return "unknown_function";
    case Problem::What::kType: return "type";
    case Problem::What::kPattern: return "pattern";
    case Problem::What::kTimeZone: return "time_zone";
  }
  return "problem";
}

Shown show_place(std::string_view source, std::uint32_t place, std::uint32_t length) {
  const std::size_t at = std::min<std::size_t>(place, source.size());
  const std::size_t begin = at == 0 ? 0 : source.rfind('\n', at - 1) + 1;  // npos + 1 is 0
  const std::size_t end = std::min(source.find('\n', at), source.size());
  Shown out;
  out.line = static_cast<std::uint32_t>(1 + std::ranges::count(source.substr(0, at), '\n'));
  std::string before = strip_controls(source.substr(begin, at - begin));
  std::ranges::replace(before, '\t', ' ');
  out.column = static_cast<std::uint32_t>(
      1 + std::ranges::count_if(before, [](char c) { return (c & 0xC0) != 0x80; }));
  std::string line = strip_controls(source.substr(begin, end - begin));
  std::ranges::replace(line, '\t', ' ');
  const std::size_t marked = std::min<std::size_t>(length, end - at);
  const std::size_t tildes = std::max<std::size_t>(display_width(source.substr(at, marked)), 1) - 1;
  out.excerpt =
      line + "\n" + std::string(display_width(before), ' ') + "^" + std::string(tildes, '~');
  return out;
}

}  // namespace candor::cel
