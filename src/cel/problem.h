// What is wrong with an expression, where, and what may have been meant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace candor::cel {

struct Problem {
  enum class What : std::uint8_t {
    kSyntax,
    kTooLarge,       // one of the parser's limits
    kOutsideSubset,  // CEL that is left out on purpose: messages, optional values
    kUnknownName,    // variable, field or type
    kUnknownFunction,
    kType,     // no overload, a condition that is no bool
    kPattern,  // a regular expression that RE2 refuses
    kTimeZone,
  };
  What what = What::kSyntax;
  std::uint32_t place = 0;   // byte offset in the source
  std::uint32_t length = 1;  // bytes to underline
  std::string message;       // a sentence without place
  std::string suggestion;    // the nearest name; empty: none is near
};
[[nodiscard]] std::string_view to_string(Problem::What what) noexcept;

// Line and column (from 1, in characters) of a place, and the line itself with a caret below it:
//   request.dialekt == "openai"
//           ^~~~~~~
struct Shown {
  std::uint32_t line = 1, column = 1;
  std::string excerpt;
};
[[nodiscard]] Shown show_place(std::string_view source, std::uint32_t place, std::uint32_t length);

}  // namespace candor::cel
